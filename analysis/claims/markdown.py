"""The table of verdicts as a page of Markdown, which its records can be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.claims.file.reader import Registry
from analysis.claims.wording import DASH, estimate_text, p_text
from analysis.statistics.verdicts.verdict import JUDGED, UNTESTED

LACKS = ("claim", "text", "reason")
"""Columns of what was not tested."""
HEAD = (
    "| claim | says | decided by | estimate [interval] | n | p | role | scale; deviations | why |",
    "|---|---|---|---|---:|---:|---|---|---|",
)


def markdown_page(table: pd.DataFrame, registry: Registry) -> str:
    """Returns the whole page: a table for each verdict, then what was not tested and why.

    Args:
        table: of ``analysis.claims.verdicts``.
        registry: the claims that it judges.
    """
    lines = [
        "# Verdicts",
        "",
        f"Claims file version {registry.version}, SHA-256 `{registry.sha256}`. A row for each "
        "claim and scale; [docs/claims.md](../claims.md) says how to read them. A claim with "
        "several questions, or several networks or densities in one, is decided by the part that "
        "is named. p is adjusted; of a contradiction it is the p against the claim.",
    ]
    for verdict in JUDGED:
        rows = table[table["verdict"] == verdict].to_dict("records")
        if rows:
            lines += ["", f"## {verdict.capitalize()} ({len(rows)})", "", *HEAD]
            lines += [_line(row) for row in rows]
    # At several scales a claim may lack the same.
    untested = table[table["verdict"] == UNTESTED].drop_duplicates(list(LACKS))
    rows = untested.to_dict("records")
    if rows:
        lines += ["", f"## Not tested ({len(rows)})", "", "| claim | says | why |", "|---|---|---|"]
        lines += [f"| {' | '.join(_cell(row[name]) for name in LACKS)} |" for row in rows]
    omitted = table[table["omits"] != ""].drop_duplicates("claim").to_dict("records")
    if omitted:
        lines += ["", "## What no question asks", "", "| claim | left out |", "|---|---|"]
        lines += [f"| {row['claim']} | {_cell(row['omits'])} |" for row in omitted]
    return "\n".join(lines) + "\n"


def _line(row: Mapping[Any, Any]) -> str:
    cells = [
        row["claim"],
        row["text"],
        row["part"],
        estimate_text(row),
        str(int(row["n"])),
        p_text(row),
        row["role"],
        "; ".join([row["scale"] or DASH, *row["deviates"]]),
        row["reason"],
    ]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")
