"""The table of verdicts as a page of Markdown, which its records can be compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.claims.reader import Registry

ORDER = ("supported", "supported, smaller", "contradicted", "inconclusive")
"""Verdicts in the order of their tables."""
UNITS = {"share": ("points", 100.0)}
"""Unit of a verdict -> its name for people, and what its numbers are multiplied by."""
UNTESTED = ("claim", "text", "reason")
"""Columns of what was not tested."""
HEAD = (
    "| claim | says | estimate [interval] | n | p, adjusted | role | scale |",
    "|---|---|---|---:|---:|---|---|",
)


def page(table: pd.DataFrame, registry: Registry) -> str:
    """Returns the whole page: a table for each verdict, then what was not tested and why.

    Args:
        table: of ``analysis.claims.verdicts``.
        registry: the claims that it judges.
    """
    lines = [
        "# Verdicts",
        "",
        f"Claims file version {registry.version}, SHA-256 `{registry.sha256}`. A row for each "
        "claim and scale; [docs/claims.md](../claims.md) says how to read them.",
    ]
    for verdict in ORDER:
        rows = table[table["verdict"] == verdict].to_dict("records")
        if rows:
            lines += ["", f"## {verdict.capitalize()} ({len(rows)})", "", *HEAD]
            lines += [_line(row) for row in rows]
    # At several scales a claim may lack the same.
    untested = table[table["verdict"] == "not tested"].drop_duplicates(list(UNTESTED))
    rows = untested.to_dict("records")
    if rows:
        lines += ["", f"## Not tested ({len(rows)})", "", "| claim | says | why |", "|---|---|---|"]
        lines += [f"| {' | '.join(_cell(row[name]) for name in UNTESTED)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[Any, Any]) -> str:
    name, factor = UNITS.get(str(row["unit"]), (str(row["unit"]), 1.0))
    estimate, low, high = (factor * float(row[column]) for column in ("estimate", "low", "high"))
    shown = "–"
    if math.isfinite(estimate):
        shown = f"{_number(estimate)} [{_number(low)}, {_number(high)}] {name}"
    p = float(row["p_adjusted"])
    cells = [
        row["claim"],
        row["text"],
        shown,
        str(int(row["n"])),
        "–" if math.isnan(p) else f"{p:.2g}",
        row["role"],
        row["scale"],
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _number(value: float) -> str:
    return {math.inf: "∞", -math.inf: "-∞"}.get(value, f"{value:.3g}")


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
