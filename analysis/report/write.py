"""The report of a study: one page that stands alone, and its figures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from analysis.figures import canvas
from analysis.figures.design.surrogate import opinion_table
from analysis.frame import Study, load
from analysis.report.answer import DENSITY
from analysis.report.drawings import drawings, subtitle_of
from analysis.report.lock_facts import lock_facts
from analysis.report.page import page
from analysis.report.verdict_section import verdict_section
from analysis.tables.confirmation import confirmation_table
from analysis.tables.controls import on_target
from analysis.tables.curves import difference_table
from analysis.tables.design.importance import design_tables
from analysis.tables.design.widths import width_table
from analysis.tables.fair_comparison import choice_table, pair_table, value_table
from analysis.tables.noise import noise_table
from analysis.tables.sweeps import gain_table, sweep_networks
from analysis.tables.trials import front_table, trial_table
from lttune.errors import StorageError
from lttune.store.files import write_atomically

if TYPE_CHECKING:
    from analysis.claims import Registry


def write(
    folder: Path, *, verdicts: pd.DataFrame | None = None, registry: Registry | None = None
) -> Path:
    """Writes ``report.html`` and ``figures/`` into a study's folder and returns the page's path.

    Equal studies give equal bytes. An unfinished study is reported as far as it goes.

    Args:
        folder: the study's.
        verdicts: the table of ``analysis.claims.verdicts``, shown below the answer.
        registry: the claims that it judges.

    Raises:
        StorageError: if the folder holds no study, its lock of claims cannot be read, or it cannot
            be written.
    """
    study = load(folder)
    path = study.folder / "report.html"
    try:
        _write(study, path, verdicts, registry)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from None
    return path


def _write(
    study: Study, path: Path, verdicts: pd.DataFrame | None, registry: Registry | None
) -> None:
    design, note = design_tables(study)
    estimated = {
        "noise": noise_table(study),
        "widths": width_table(study, design),
        "ranks": design.ranks if design else pd.DataFrame(),
        "leads": design.leads if design else pd.DataFrame(),
        "changes": design.changes if design else pd.DataFrame(),
        "opinions": opinion_table(design) if design else pd.DataFrame(),
        "diverges": design.diverges if design else pd.DataFrame(),
        "given_ok": design.given_ok if design else pd.DataFrame(),
    }
    drawn = drawings(study, design, estimated)
    section, fixed = None, lock_facts(study.folder, registry)
    if verdicts is not None:
        subtitle = subtitle_of(study)
        section = verdict_section(verdicts, subtitle=subtitle, incomplete=study.incomplete)
        drawn += [section.drawing] if section.drawing else []
    tables = {
        "differences": difference_table(study.records, "test_accuracy"),
        "differences_target": difference_table(on_target(study.records), "test_accuracy"),
        "sweep_gain": gain_table(sweep_networks(study)),
        "trials": trial_table(study, DENSITY),
        "front": front_table(study),
        "confirmed": confirmation_table(study),
        "fair_choices": choice_table(study),
        "fair_values": value_table(study),
        "fair_pairs": pair_table(study),
        "verdicts": section.table if section else pd.DataFrame(),
        **estimated,
    }
    figures = {
        drawing.name: {
            "title": drawing.title,
            "svg": Markup(canvas.write(drawing, study.folder / "figures")),
        }
        for drawing in drawn
    }
    for name, table in tables.items():
        if len(table) or name == "differences":
            with write_atomically(study.folder / "figures" / f"{name}.csv") as temporary:
                table.to_csv(temporary, index=False, lineterminator="\n")
    with write_atomically(path) as temporary:
        temporary.write_text(
            page(
                study, figures, tables, section, fixed, [note, design.divergence if design else ""]
            ),
            encoding="utf-8",
        )
