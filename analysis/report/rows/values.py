"""Values of a factor beside each other: a row for each, a column for each density."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.report.formats import percent
from analysis.report.section import Subject, Tabled


def swept(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``gains`` of the sweeps."""
    table = tables["sweep_gain"]
    return {"gains": gains(table)} if len(table) else {}


def compared(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns the values of a fair comparison, their pairs, and the choices at an edge."""
    choices = tables["fair_choices"]
    if choices.empty:
        return {}
    return {
        "compared": subject.study.info.get("compared"),
        "at_edge": choices[choices["at_edge"].astype(bool)].to_dict("records"),
        "fair_values": by_density(tables["fair_values"], ["measure", "value"]),
        "fair_pairs": by_density(tables["fair_pairs"], ["measure", "first", "second"]),
    }


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


def first_reached(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``rows``: when tickets come near the dense network's accuracy, by density."""
    found = tables["steps_to_accuracy"].to_dict("records")
    rows = [
        {
            "Weights": percent(row["density"]),
            "Early-stopping step": round(row["early_stop_step"]),
            f"Step of {percent(row['threshold'], 2)} validation accuracy": (
                "–" if pd.isna(row["step"]) else str(round(row["step"]))
            ),
            "Networks that reach it": f"{row['reached']} of {row['n']}",
        }
        for row in found
    ]
    return {"rows": rows} if rows else {}
