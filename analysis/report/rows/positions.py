"""Where values lie along an axis that goes from 0 to 1, and what its ticks say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from analysis.figures import axes
from lttune.config.fields import is_number

LOG_FROM = 10
"""Highest over lowest value from which positive values lie on a log axis."""

MOST_CHOICES = 7
"""Labels of a categorical axis; of more choices some have none, both ends have theirs."""

LONGEST = 18
"""Characters of a label; of a longer one the beginning."""


class Positions(NamedTuple):
    """The values of an axis as they are drawn."""

    at: list[float | None]
    """Of each value, in [0, 1]; None of a missing one."""
    ticks: list[tuple[float, str]]
    """Where there are labels, and what they say."""


def on_numbers(
    values: Sequence[float | None], *, digits: int = 3, is_cut: bool = False
) -> Positions:
    """Returns the positions of numbers between the lowest and the highest of them.

    Args:
        values: finite numbers; None is missing.
        digits: significant ones of a label.
        is_cut: whether those far from all others lie at an end, where the label then says so.
    """
    known = [value for value in values if value is not None]
    if not known:
        return Positions([None] * len(values), [])
    kept = _near(known) if is_cut else known
    low, high = min(kept), max(kept)
    if low == high:
        at: list[float | None] = [None if value is None else 0.5 for value in values]
        return Positions(at, [(0.5, axes.tick_text(low, digits))])
    is_log = not is_cut and low > 0 and high >= LOG_FROM * low
    ends = np.log([low, high]) if is_log else np.array([low, high])

    def place(value: float) -> float:
        share = ((np.log(value) if is_log else value) - ends[0]) / (ends[1] - ends[0])
        return round(float(np.clip(share, 0, 1)), 3)

    labelled = axes.tick_values(low, high, is_log=is_log)
    ticks = [(place(value), axes.tick_text(value, digits)) for value in labelled]
    if min(known) < low:
        ticks[0] = (0.0, f"≤ {ticks[0][1]}")
    if max(known) > high:
        ticks[-1] = (1.0, f"≥ {ticks[-1][1]}")
    return Positions([None if value is None else place(value) for value in values], ticks)


def _near(values: Sequence[float]) -> Sequence[float]:
    """Returns the values without those that would leave the others less than half of the axis.

    They are far where they lie more than three interquartile ranges outside of the quartiles.
    """
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 3 * (third - first)
    kept = [value for value in values if first - reach <= value <= third + reach]
    if reach == 0 or max(kept) - min(kept) > 0.5 * (max(values) - min(values)):
        return values
    return kept


def on_choices(values: Sequence[str | None]) -> Positions:
    """Returns the positions of categories, evenly in the order in which they first occur."""
    choices = list(dict.fromkeys(value for value in values if value is not None))
    places = np.linspace(0, 1, len(choices)) if len(choices) > 1 else np.array([0.5])
    at = {choice: round(float(place), 3) for choice, place in zip(choices, places, strict=False)}
    labelled = np.linspace(0, len(choices) - 1, min(MOST_CHOICES, len(choices))).round().astype(int)
    ticks = [(at[choices[i]], _short(choices[i])) for i in labelled]
    return Positions([None if value is None else at[value] for value in values], ticks)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def positions(values: Sequence[Any]) -> Positions:
    """Returns the positions of a hyperparameter's values: of numbers, or of their texts.

    None and NaN are missing.
    """
    known = [None if _is_missing(value) else value for value in values]
    numbers = [value for value in known if value is not None]
    # Of numbers whose distance is none that a float holds the texts are shown.
    if all(is_number(value) for value in numbers) and _are_near(numbers):
        return on_numbers([None if value is None else float(value) for value in known])
    return on_choices([None if value is None else str(value) for value in known])


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _are_near(numbers: Sequence[float]) -> bool:
    return not numbers or math.isfinite(float(max(numbers)) - float(min(numbers)))
