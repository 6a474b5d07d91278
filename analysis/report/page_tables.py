"""Tables as the page shows them: rows, headings and cells."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.report.formats import percent
from analysis.tables.controls import LABELS
from analysis.tables.curves import nearest
from analysis.tables.sweeps import DENSITIES

MOST_COLUMNS = 4
"""Comparisons up to which each is a column of the table of differences; of more, densities are."""


def comparison(table: pd.DataFrame) -> dict[str, Any]:
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
    # Controls may be trained at some levels only: where most are, there is most to compare.
    held = table.groupby("level")["versus"].transform("size")
    most = table[held == held.max()]
    levels = dict.fromkeys(int(nearest(most, d)["level"].iloc[0]) for d in DENSITIES)
    few = table[table["level"].isin(list(levels))]
    heads = [(level, percent(mine["density"].iloc[0], 1)) for level, mine in few.groupby("level")]
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
            "head": percent(rows["density"].iloc[0]),
            "cells": {row["versus"]: row for row in rows.to_dict("records")},
        }
        for _, rows in table.groupby("level")
    ]


def gains(table: pd.DataFrame) -> list[dict[str, Any]]:
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


def by_density(table: pd.DataFrame, key: list[str]) -> dict[str, Any]:
    """Returns a table of estimates with a row for each ``key`` and a column for each density."""
    densities = sorted(table["density"].unique(), reverse=True)
    rows = [
        {
            **dict(zip(key, names, strict=True)),
            "cells": {row["density"]: row for row in cells.to_dict("records")},
        }
        for names, cells in table.groupby(key, sort=False)
    ]
    return {"densities": densities, "rows": rows}
