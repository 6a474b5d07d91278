"""More replicates of some points of a design than it was made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from lttune.config.design.points import Point
from lttune.config.fields import require
from lttune.errors import unknown

MOST_REPEATS = 100_000
"""Replicates of a point: ids from here on are kept for confirmation."""


def replicate_counts(path: str, texts: Iterable[str]) -> dict[str, int]:
    """Returns label -> number of replicates of texts such as adam-lr=0.002:8.

    Raises:
        ConfigError: if one is none, or a label stands twice.
    """
    counts: dict[str, int] = {}
    rule = f"LABEL:N, a point and a whole number from 1 to {MOST_REPEATS}"
    for text in texts:
        label, _, number = text.rpartition(":")
        ok = bool(label) and number.isascii() and number.isdigit() and len(number) <= 6
        require(ok and 1 <= int(number) <= MOST_REPEATS, path, rule, text)
        require(label not in counts, path, "of different points", label)
        counts[label] = int(number)
    return counts


def repeated(path: str, points: Sequence[Point], counts: Mapping[str, int]) -> list[Point]:
    """Returns points of which some have the first N replicates, beside those that they have.

    Raises:
        ConfigError: naming ``path``, if there is no point of a label.
    """
    labels = [point.label for point in points]
    for label in counts:
        if label not in labels:
            raise unknown(path, label, labels)
    return [
        dataclasses.replace(
            point,
            replicates=tuple(
                dict.fromkeys((*point.replicates, *range(counts.get(point.label, 0))))
            ),
        )
        for point in points
    ]
