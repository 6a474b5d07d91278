"""The report of a study: one page that stands alone, and its figures as files.

python -m analysis.report results/my-study
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis import canvas, figures, search_figures
from analysis.answer import DENSITY, answer, scale_line, signed
from analysis.curves import difference_table
from analysis.frame import Study, load
from analysis.runs import later_runs, numerics
from analysis.trials import best_table, problem_table, search_table, settings
from lttune.errors import LttuneError, StorageError
from lttune.files import write_atomically


def write(folder: Path) -> Path:
    """Writes ``report.html`` and ``figures/`` into a study's folder and returns the page's path.

    Equal studies give equal bytes. An unfinished study is reported as far as it goes.

    Raises:
        StorageError: if the folder holds no study, or cannot be written.
    """
    study = load(folder)
    page = study.folder / "report.html"
    try:
        drawings = [
            {
                "name": drawing.name,
                "title": drawing.title,
                "svg": Markup(canvas.write(drawing, study.folder / "figures")),
            }
            for drawing in _drawings(study)
        ]
        differences = difference_table(study.records, "test_accuracy")
        with write_atomically(study.folder / "figures" / "differences.csv") as temporary:
            differences.to_csv(temporary, index=False, lineterminator="\n")
        with write_atomically(page) as temporary:
            temporary.write_text(_page(study, drawings, differences), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{page} cannot be written: {error}") from None
    return page


def _drawings(study: Study) -> list[canvas.Drawing]:
    subtitle = f"{study.info.get('name', study.folder.name)}: {scale_line(study)}"
    drawings: list[canvas.Drawing] = []
    if (study.records["phase"] == "anchor").any():
        drawings += [figures.accuracy(study, subtitle), figures.early_stop(study, subtitle)]
    table = search_table(study)
    if study.info.get("space") and (table["phase"] == "search").any():
        drawings += [
            search_figures.search(study, subtitle),
            search_figures.factors(study, subtitle),
        ]
    return drawings


def _page(study: Study, drawings: list[dict[str, Any]], differences: pd.DataFrame) -> str:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "points": _points, "number": _number}
    info = study.info
    best = best_table(study, DENSITY)
    return environment.get_template("report.html.jinja").render(
        info=info,
        name=info.get("name", study.folder.name),
        incomplete=study.incomplete,
        scale=scale_line(study),
        answer=answer(study),
        figures={drawing["name"]: drawing for drawing in drawings},
        differences=_by_level(differences),
        versus=_versus(differences),
        ended=bool(differences["ended"].any()),
        best=best.to_dict("records"),
        space=info.get("space", {}),
        objective=info.get("objective", {}),
        searched=int((search_table(study)["phase"] == "search").sum()),
        problems=problem_table(study).to_dict("records"),
        settings=_plain(settings(study)),
        config=_plain(info.get("config", {})),
        provenance=_provenance(info),
        runs=later_runs(study),
        numerics=numerics(study),
    )


def _versus(table: pd.DataFrame) -> list[tuple[str, str]]:
    names = [str(name) for name in table["versus"].unique()]
    return [(name, figures.LABELS.get(name, name)) for name in names]


def _by_level(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns one row per level: its density, and the difference from each comparison's rows."""
    return [
        {
            "level": level,
            "density": rows["density"].iloc[0],
            "versus": {row["versus"]: row for row in rows.to_dict("records")},
        }
        for level, rows in table.groupby("level")
    ]


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
    return f"{value:.4g}" if isinstance(value, float) else str(value)


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
