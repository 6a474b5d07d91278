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
from matplotlib.axes import Axes

from analysis import canvas
from analysis.canvas import Drawing

GLYPHS = {
    "supported": "✔",
    "supported, smaller": "(✔)",
    "contradicted": "✘",
    "inconclusive": "?",
    "not tested": "–",
}
"""Verdict -> the sign beside its word: form, not colour, tells them apart."""

LOOKS: dict[str, dict[str, Any]] = {
    "supported": {"marker": "o", "markerfacecolor": "#0072B2", "color": "#0072B2"},
    "supported, smaller": {"marker": "o", "markerfacecolor": "white", "color": "#0072B2"},
    "contradicted": {"marker": "X", "markerfacecolor": "#D55E00", "color": "#D55E00"},
    "inconclusive": {"marker": "D", "markerfacecolor": "white", "color": "#555555"},
}
UNTESTED = "not tested"
ALONE = "For a reason of its own."
UNITS = {"share": ("percentage points", 100.0), "share of variance": ("share of variance", 1.0)}
"""Unit of the claim engine -> its name on an axis, and what values are multiplied with."""
COLUMNS = ("text", "form", "family", "role", "scale", "reason", "part", "unit")
NUMBERS = ("estimate", "low", "high", "n", "p", "p_adjusted")


@dataclass(frozen=True, kw_only=True)
class VerdictSection:
    """What the top of the report says of the claims."""

    rows: list[dict[str, Any]]
    """Tested claims in the table's order, then the others; every cell is there."""
    counts: list[tuple[str, str, int]]
    """Glyph, word and number of claims with that verdict, for those that occur."""
    drawing: Drawing | None
    """The forest plot, None if no claim has an estimate."""

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
    table: pd.DataFrame, *, subtitle: str = "", incomplete: str = ""
) -> VerdictSection:
    """Returns the section of a table of verdicts.

    Args:
        table: a row for each claim and scale. It must have ``verdict`` and ``id`` (or ``claim``);
            of ``text``, ``form``, ``family``, ``role``, ``scale``, ``reason``, ``part``, ``unit``,
            ``deviates``, ``estimate``, ``low``, ``high``, ``n``, ``p`` and ``p_adjusted`` it shows
            those that are there.
        subtitle: second line of the figure.
        incomplete: the mark of an unfinished study, empty if it is finished.
    """
    rows = [_plain(row) for row in table.to_dict("records")]
    rows.sort(key=lambda row: row["verdict"] == UNTESTED)
    found = [row["verdict"] for row in rows]
    words = [*GLYPHS, *sorted(set(found) - set(GLYPHS))]
    counts = [(GLYPHS.get(w, "·"), w, found.count(w)) for w in words if w in found]
    drawn = [row for row in rows if math.isfinite(row["estimate"])]
    drawing = _forest(drawn, subtitle, incomplete) if drawn else None
    return VerdictSection(rows=rows, counts=counts, drawing=drawing)


def _plain(row: dict[Hashable, Any]) -> dict[str, Any]:
    def text(name: str) -> str:
        value = row.get(name)
        return (
            "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)
        )

    found: dict[str, Any] = {name: text(name) for name in COLUMNS}
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
    name, factor = UNITS.get(found["unit"], (found["unit"], 1.0))
    shown = {"id": str(row["id"] if "id" in row else row["claim"]), "verdict": verdict}
    shown |= {"glyph": GLYPHS.get(verdict, "·"), "axis": name, "factor": factor}
    return found | shown


def _kind(why: str) -> str:
    """Returns a reason without what differs between claims: numbers, quotes, what is listed."""
    return re.sub(r"\d[\d,.]*\d|\d", "N", re.sub(r"'[^']*'", "…", why.partition(":")[0]))


def _heading(rows: list[dict[str, Any]]) -> str:
    texts = {row["why"] for row in rows}
    return texts.pop() if len(texts) == 1 else _kind(rows[0]["why"]).rstrip(".")


def _forest(rows: list[dict[str, Any]], subtitle: str, incomplete: str) -> Drawing:
    """Draws estimates with their intervals, a panel for each unit, best told by marker and word."""
    panels = {row["axis"]: [r for r in rows if r["axis"] == row["axis"]] for row in rows}
    heights = [len(mine) + 1.6 for mine in panels.values()]
    title = "Claims: estimates with their intervals"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, incomplete, 1.2 + 0.34 * sum(heights))
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for ax, (unit, mine) in zip(grid, panels.items(), strict=True):
            _draw_panel(ax, unit, mine)
    names = ("id", "scale", "verdict", *NUMBERS, "unit")
    table = pd.DataFrame([{name: row[name] for name in names} for row in rows])
    return Drawing(name="claims", title=title, figure=figure, table=table)


def _draw_panel(ax: Axes, unit: str, rows: list[dict[str, Any]]) -> None:
    for place, row in enumerate(rows):
        at = row["factor"] * row["estimate"]
        look = LOOKS.get(row["verdict"], LOOKS["inconclusive"])
        ends = [row["factor"] * end for end in (row["low"], row["high"])]
        if any(math.isfinite(end) for end in ends):
            ends = [end if math.isfinite(end) else at for end in ends]
            ax.plot(ends, [place, place], color=look["color"], linewidth=1.6)
        ax.plot([at], [place], linestyle="none", markersize=7.5, **look)
    null = 1.0 if unit == "ratio" else 0.0
    ax.axvline(null, color="#444444", linewidth=0.9, zorder=0.5)
    ax.set_yticks(range(len(rows)), _names(rows), fontsize=9, parse_math=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(unit or "estimate", size=9, parse_math=False)


def _names(rows: list[dict[str, Any]]) -> list[str]:
    """Returns what stands beside the estimates; claims judged at several scales say at which."""
    ids = [row["id"] for row in rows]
    # Of "12,000 steps, lenet-300-100, mnist / 2, batch 60" network and data tell scales apart.
    places = [", ".join(row["scale"].split(", ")[1:3]) for row in rows]
    return [
        (f"{row['id']} ({place})" if ids.count(row["id"]) > 1 and place else row["id"])
        + f"  {row['glyph']} {row['verdict']}, n = {row['n']}"
        for row, place in zip(rows, places, strict=True)
    ]
