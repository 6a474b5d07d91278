"""The report of a study: one page that stands alone, and its figures and tables as files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis.figures import canvas
from analysis.frame import load
from analysis.report.lock_facts import lock_facts
from analysis.report.page import Shown, page
from analysis.report.question.finding import finding
from analysis.report.section import Subject, subtitle_of
from analysis.report.sections import SECTIONS
from analysis.report.verdict_section import verdict_section
from analysis.tables.design.importance import design_tables
from lttune.errors import StorageError
from lttune.records.folder import ANSWER
from lttune.records.spreadsheet import save_csv
from lttune.store.files import subfolder, write_atomically

if TYPE_CHECKING:
    from analysis.claims import Registry
    from analysis.frame import StudyFrame

_LOG = logging.getLogger(__name__)

ALWAYS = ("differences",)
"""Tables that are written without a row, too: whoever collects those of studies finds them."""


def write(
    folder: Path,
    *,
    verdicts: pd.DataFrame | None = None,
    registry: Registry | None = None,
    study: StudyFrame | None = None,
) -> Path:
    """Writes the report into a study's folder and returns the path of its page.

    It is ``report.html`` and ``figures/``, and as ``answer.txt`` what the box at its top says.

    Equal studies give equal bytes. An unfinished study is reported as far as it goes.

    Args:
        folder: the study's.
        verdicts: the table of ``analysis.claims.verdicts``, shown below the answer.
        registry: the claims that it judges.
        study: what ``load`` returned of the folder; None is to read it.

    Raises:
        StorageError: if the folder holds no study, its lock of claims cannot be read, or it cannot
            be made.
    """
    study = study or load(folder)
    path = study.folder / "report.html"
    section = None
    try:
        design, note = design_tables(study)
        fixed = lock_facts(study.folder, registry)
        if verdicts is not None:
            subtitle = subtitle_of(study)
            section = verdict_section(verdicts, subtitle=subtitle, incomplete=study.incomplete)
        _write(Subject(study=study, design=design, note=note, verdicts=section, fixed=fixed), path)
    except OSError as error:
        # What could not be opened is in its text: a figure, or a file that computing needs.
        raise StorageError(f"{path} cannot be made: {error}") from None
    return path


def _write(subject: Subject, path: Path) -> None:
    figures = subfolder(path.parent, "figures")
    _LOG.info("computing the tables")
    tables = {name: table(subject) for one in SECTIONS for name, table in one.tables.items()}
    shown: list[Shown] = []
    for place, section in enumerate(SECTIONS, 1):
        _LOG.info("drawing %s (section %d of %d)", section.name, place, len(SECTIONS))
        drawings = [one for one in section.figures(subject, tables) if one is not None]
        svgs = [(drawing, canvas.write(drawing, figures)) for drawing in drawings]
        shown.append(Shown(section=section, figures=svgs, rows=section.rows(subject, tables)))
    for name, table in tables.items():
        if len(table) or name in ALWAYS:
            with write_atomically(figures / f"{name}.csv") as temporary:
                save_csv(table, temporary)
    answer = finding(subject)
    with write_atomically(path) as temporary:
        temporary.write_text(page(subject, shown, answer), encoding="utf-8")
    mark = [f"{subject.study.incomplete.capitalize()}. The numbers below will change."]
    lines = [*(mark if subject.study.incomplete else []), *answer]
    with write_atomically(path.with_name(ANSWER)) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
