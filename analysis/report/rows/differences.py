"""Differences from controls: a row for each level, or for each control where these are many."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.figures.anchor import target_text
from analysis.report.formats import percent
from analysis.report.section import Subject, Tabled
from analysis.tables.controls import LABELS
from analysis.tables.curves import nearest
from analysis.tables.sweeps import TABLE_DENSITIES

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
    levels = dict.fromkeys(int(nearest(most, d)["level"].iloc[0]) for d in TABLE_DENSITIES)
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


def differences_at_home(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``differences`` of the base configuration on its own task."""
    table = tables["differences"]
    return {"differences": comparison(table)} if len(table) else {}


def differences_on_target(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``on_target``, the differences there, and ``target``, what it is."""
    table = tables["differences_target"]
    shown = {"on_target": comparison(table), "target": target_text(subject.study)}
    return shown if len(table) else {}
