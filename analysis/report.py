"""The report of a study: one page that stands alone, and its figures as files.

python -m analysis.report results/my-study
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis import canvas
from analysis.answer import DENSITY, answer, has_anchor, scale_line, signed
from analysis.controls import LABELS, on_target
from analysis.curves import difference_table, nearest
from analysis.drawings import drawings, subtitle_of
from analysis.figures import target_text
from analysis.frame import Study, load
from analysis.runs import later_runs, numerics
from analysis.sweeps import DENSITIES, gain_table, sweep_networks
from analysis.trials import best_table, problem_table, search_table, settings, trial_table
from analysis.verdict_section import VerdictSection, verdict_section
from lttune.errors import LttuneError, StorageError
from lttune.files import write_atomically

MOST_COLUMNS = 4
"""Comparisons up to which each is a column of the table of differences; of more, densities are."""


def write(folder: Path, *, verdicts: pd.DataFrame | None = None) -> Path:
    """Writes ``report.html`` and ``figures/`` into a study's folder and returns the page's path.

    Equal studies give equal bytes. An unfinished study is reported as far as it goes.

    Args:
        folder: the study's.
        verdicts: the table of ``analysis.claims.verdicts``, shown at the top of the page.

    Raises:
        StorageError: if the folder holds no study, or cannot be written.
    """
    study = load(folder)
    page = study.folder / "report.html"
    drawn, note = drawings(study)
    section = None
    if verdicts is not None:
        subtitle = subtitle_of(study)
        section = verdict_section(verdicts, subtitle=subtitle, incomplete=study.incomplete)
        drawn += [section.drawing] if section.drawing else []
    tables = {
        "differences": difference_table(study.records, "test_accuracy"),
        "differences_target": difference_table(on_target(study.records), "test_accuracy"),
        "sweep_gain": gain_table(sweep_networks(study)),
        "trials": trial_table(study, DENSITY),
    }
    try:
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
        with write_atomically(page) as temporary:
            text = _page(study, figures, tables, section, note)
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{page} cannot be written: {error}") from None
    return page


def _page(
    study: Study,
    figures: dict[str, dict[str, Any]],
    tables: dict[str, pd.DataFrame],
    section: VerdictSection | None,
    note: str,
) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "points": _points, "number": _number}
    environment.filters |= {"raw": _raw}
    script = (Path(__file__).parent / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    info = study.info
    best = best_table(study, DENSITY)
    return environment.get_template("report.html.jinja").render(
        info=info,
        name=info.get("name", study.folder.name),
        incomplete=study.incomplete,
        scale=scale_line(study),
        answer=answer(study),
        verdicts=section,
        figures=figures,
        sweeps=[name for name in figures if name.startswith("sweep-")],
        anchored=has_anchor(study),
        target=target_text(study),
        differences=_comparison(tables["differences"]),
        on_target=_comparison(tables["differences_target"]),
        gains=_gains(tables["sweep_gain"]),
        design=bool((study.records["phase"] == "design").any()),
        design_note=note,
        best=best.to_dict("records"),
        space=info.get("space", {}),
        objective=info.get("objective", {}),
        searched=int((search_table(study)["phase"] == "search").sum()),
        problems=problem_table(study).to_dict("records"),
        trials=tables["trials"].to_dict("records"),
        density=DENSITY,
        settings=_plain(settings(study)),
        config=_plain(info.get("config", {})),
        provenance=_provenance(info),
        runs=later_runs(study),
        numerics=numerics(study),
        script=Markup(script),
        script_digest=digest,
    )


def _comparison(table: pd.DataFrame) -> dict[str, Any]:
    """Returns a table of differences as rows and headings.

    A row is a level and a column a comparison; where these are many, the other way round, at the
    levels nearest to a few densities.
    """
    names = [str(name) for name in table["versus"].unique()]
    ended = bool(table["ended"].any())
    if len(names) <= MOST_COLUMNS:
        heads = [(name, f"ticket − {LABELS.get(name, name)}") for name in names]
        shown = {"first": "Weights", "heads": heads, "rows": _by_level(table)}
        return {**shown, "ended": ended, "wide": len(heads) > 3}
    levels = dict.fromkeys(int(nearest(table, d)["level"].iloc[0]) for d in DENSITIES)
    few = table[table["level"].isin(list(levels))]
    heads = [(level, _percent(mine["density"].iloc[0], 1)) for level, mine in few.groupby("level")]
    rows = [
        {
            "head": f"ticket − {LABELS.get(name, name)}",
            "cells": {row["level"]: row for row in few[few["versus"] == name].to_dict("records")},
        }
        for name in names
    ]
    return {"first": "Difference at", "heads": heads, "rows": rows, "ended": ended, "wide": True}


def _by_level(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "head": _percent(rows["density"].iloc[0]),
            "cells": {row["versus"]: row for row in rows.to_dict("records")},
        }
        for _, rows in table.groupby("level")
    ]


def _gains(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns for each swept factor the densities, and a row for each value with its gains."""
    found: list[dict[str, Any]] = []
    for factor, mine in table.groupby("factor", sort=False):
        rows = [
            {
                "value": value,
                "mark": cells["mark"].iloc[0],
                "replicates": cells["replicates"].iloc[0],
                "diverged": cells["diverged"].iloc[0],
                "cells": {row["density"]: row for row in cells.to_dict("records")},
            }
            for value, cells in mine.groupby("value", sort=False)
        ]
        densities = sorted(mine["density"].unique(), reverse=True)
        found.append({"factor": factor, "densities": densities, "rows": rows})
    return found


def _provenance(info: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    groups = {"Code": "code", "Dataset": "dataset", "Machine": "machine", "Packages": "packages"}
    return {title: _plain(info.get(key) or {}) for title, key in groups.items()}


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns values as text, nested ones as JSON."""
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }


def _percent(value: float, digits: int = 2) -> str:
    return "–" if _missing(value) else f"{100 * value:.{digits}f} %"


def _points(value: float) -> str:
    return "–" if _missing(value) else signed(100 * value, 2)


def _number(value: Any) -> str:
    if _missing(value):
        return "–"
    return f"{value:.4g}".replace("inf", "∞") if isinstance(value, float) else str(value)


def _raw(value: Any) -> str:
    """Returns a number as the script sorts it; what is missing is empty."""
    return "" if _missing(value) else repr(float(value))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def main(arguments: list[str] | None = None) -> int:
    """Prints the page's path, or one line of error, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a study, such as results/my-study")
    try:
        print(write(parser.parse_args(arguments).folder))
    except LttuneError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
