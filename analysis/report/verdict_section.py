"""The verdicts on the literature's claims: a table for the page and a forest plot of estimates.

It shows what ``analysis.claims`` decided and judges nothing itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.figures.canvas import Drawing
from analysis.figures.claims import NUMBERS, forest
from analysis.statistics.verdicts.verdict import UNTESTED

GLYPHS = {
    "supported": "✔",
    "supported, smaller": "(✔)",
    "contradicted": "✘",
    "inconclusive": "?",
    UNTESTED: "–",
}
"""Verdict -> the sign beside its word: form, not colour, tells them apart."""

ALONE = "For a reason of its own."
AXIS_UNITS = {
    "share": ("percentage points", 100.0),
    "share of variance": ("share of variance", 1.0),
}
"""Unit of the claim engine -> its name on an axis, and what values are multiplied with."""
TEXT_COLUMNS = ("text", "form", "family", "role", "scale", "reason", "part", "unit")


@dataclass(frozen=True, kw_only=True)
class VerdictSection:
    """What the report says of the claims."""

    rows: list[dict[str, Any]]
    """A row for each claim, tested ones in the table's order first; every cell is there.

    A claim stands there with its verdict at one scale: of those at which it is tested a
    confirmatory one, and the one that deviates least from its source. ``others`` are its rows at
    all other scales."""
    counts: list[tuple[str, str, int]]
    """Glyph, word and number of claims with that verdict, for those that occur."""
    drawing: Drawing | None
    """The forest plot, None if no claim has an estimate."""
    table: pd.DataFrame
    """Every verdict at every scale."""

    @property
    def tested(self) -> list[dict[str, Any]]:
        """The rows of claims that were tested."""
        return [row for row in self.rows if row["verdict"] != UNTESTED]

    @property
    def reasons(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Why claims were not tested, with their rows; the most frequent reason first.

        Reasons that differ only in numbers and names are one, with N and … in their places; those
        that occur once stand together at the end.
        """
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows:
            if row["verdict"] == UNTESTED:
                groups.setdefault(_kind(row["why"]), []).append(row)
        alone = [row for rows in groups.values() if len(rows) == 1 for row in rows]
        shared = [rows for rows in groups.values() if len(rows) > 1]
        shared.sort(key=len, reverse=True)
        found = [(_heading(rows), rows) for rows in shared]
        return [*found, (ALONE, alone)] if alone else found


def verdict_section(
    table: pd.DataFrame,
    *,
    subtitle: str = "",
    incomplete: str = "",
) -> VerdictSection:
    """Returns the section of a table of verdicts.

    Args:
        table: a row for each claim and scale. It must have ``verdict`` and ``id`` (or ``claim``);
            of ``text``, ``form``, ``family``, ``role``, ``scale``, ``reason``, ``part``, ``unit``,
            ``deviates``, ``estimate``, ``low``, ``high``, ``n``, ``p``, ``p_adjusted`` and
            ``p_against_adjusted`` it shows those that are there.
        subtitle: second line of the figure.
        incomplete: the mark of an unfinished study, empty if it is finished.
    """
    by_claim: dict[str, list[dict[str, Any]]] = {}
    for row in map(_plain, table.to_dict("records")):
        by_claim.setdefault(row["id"], []).append(row)
    rows = [_own(mine) for mine in by_claim.values()]
    rows.sort(key=lambda row: row["verdict"] == UNTESTED)
    found = [row["verdict"] for row in rows]
    words = [*GLYPHS, *sorted(set(found) - set(GLYPHS))]
    counts = [(GLYPHS.get(w, "·"), w, found.count(w)) for w in words if w in found]
    drawn = [row for row in rows if math.isfinite(row["estimate"])]
    drawing = forest(drawn, subtitle, incomplete) if drawn else None
    return VerdictSection(rows=rows, counts=counts, drawing=drawing, table=_flat(table))


def _own(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns a claim's row at the scale that speaks for it, with the others beside."""

    def distance(row: dict[str, Any]) -> tuple[bool, bool, int, int]:
        confirmatory = row["role"].startswith("confirmatory")
        return row["verdict"] == UNTESTED, not confirmatory, len(row["deviates"]), -row["n"]

    own = min(rows, key=distance)
    return {**own, "others": [row for row in rows if row is not own]}


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table with lists as text, as a CSV has them."""
    if "deviates" not in table:
        return table
    texts = ["; ".join(one) if isinstance(one, list | tuple) else "" for one in table["deviates"]]
    return table.assign(deviates=texts)


def _plain(row: dict[Hashable, Any]) -> dict[str, Any]:
    def text(name: str) -> str:
        value = row.get(name)
        return (
            "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
        )

    found: dict[str, Any] = {name: text(name) for name in TEXT_COLUMNS}
    for name in NUMBERS:
        value = row.get(name)
        found[name] = math.nan if value is None else float(value)
    found["n"] = int(found["n"]) if math.isfinite(found["n"]) else 0
    # The engine says after the reason which study it takes, and what that costs.
    found["why"], _, rest = found["reason"].partition(" Study: ")
    found["rest"] = f"Study: {rest}" if rest else ""
    deviates = row.get("deviates")
    found["deviates"] = list(deviates) if isinstance(deviates, list | tuple) else []
    verdict = str(row["verdict"])
    against = row.get("p_against_adjusted")
    if verdict == "contradicted" and against is not None and math.isfinite(against):
        found["p_adjusted"] = float(against)  # The other one is of the claim being true.
    name, factor = AXIS_UNITS.get(found["unit"], (found["unit"], 1.0))
    shown = {"id": str(row["id"] if "id" in row else row["claim"]), "verdict": verdict}
    shown |= {"glyph": GLYPHS.get(verdict, "·"), "axis": name, "factor": factor}
    return found | shown


def _kind(why: str) -> str:
    """Returns a reason without what differs between claims: numbers, quotes, what is listed."""
    kind = re.sub(r"\d[\d,.]*\d|\d", "N", re.sub(r"'[^']*'", "…", why.partition(":")[0]))
    return kind.replace("N of N", "some")


def _heading(rows: list[dict[str, Any]]) -> str:
    texts = {row["why"] for row in rows}
    return texts.pop() if len(texts) == 1 else _kind(rows[0]["why"]).rstrip(".")
