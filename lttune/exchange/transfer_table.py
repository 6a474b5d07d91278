"""Transfers as printed lines: accuracies, and the ticket's differences paired by replicate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from lttune.exchange.transfer import TARGET_CONTROLS, TRANSFERRED

CONFIDENCE = 0.95
COMPARISONS = ("dense", *(name.removeprefix("transfer_") for name in TARGET_CONTROLS))


@dataclass(frozen=True, kw_only=True)
class PairedMean:
    """Mean of paired differences."""

    mean: float
    half: float | None
    """Half of its 95 % t-interval; None with fewer than two pairs."""
    n: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a ticket gave on the target: means over the target's replicates."""

    level: int
    density: float
    accuracy: float
    """Test accuracy of the ticket at the early-stopping step."""
    others: dict[str, float]
    """Dense network or control -> the same."""
    differences: dict[str, PairedMean]
    """Dense network or control -> ticket less it, paired by replicate."""


def lines(rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Returns a line for each ticket among the rows of ``train_on_target``."""

    def accuracies(branch: str, level: int) -> list[float]:
        mine = [r for r in rows if (r["branch"], r["level"]) == (branch, level)]
        return [r["test_accuracy"] for r in sorted(mine, key=lambda r: r["replicate"])]

    found = []
    levels = {r["level"]: r["density"] for r in rows if r["branch"] in TARGET_CONTROLS}
    for level, density in levels.items():
        ticket = accuracies(TRANSFERRED, level)
        others = {"dense": accuracies(TRANSFERRED, 0)}
        others |= {
            name.removeprefix("transfer_"): accuracies(name, level) for name in TARGET_CONTROLS
        }
        line = Line(
            level=level,
            density=density,
            accuracy=fmean(ticket),
            others={name: fmean(values) for name, values in others.items()},
            differences={name: paired(ticket, values) for name, values in others.items()},
        )
        found.append(line)
    return found


def paired(one: Sequence[float], other: Sequence[float]) -> PairedMean:
    """Returns the mean difference of pairs with its t-interval."""
    gaps = [a - b for a, b in zip(one, other, strict=True)]
    n = len(gaps)
    half = None
    if n > 1:
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(gaps) / math.sqrt(n)
    return PairedMean(mean=fmean(gaps), half=half, n=n)


def transfer_lines(found: list[Line]) -> list[str]:
    """Returns the printed lines: accuracies, then differences in percentage points."""
    head = f"{'level':>5} {'density':>8} {'ticket':>7}"
    head += "".join(f" {name:>7}" for name in COMPARISONS)
    head += "".join(f" {'ticket - ' + name:>18}" for name in COMPARISONS)
    printed = [head]
    for line in found:
        text = f"{line.level:>5} {line.density:>8.4f}"
        text += f" {line.accuracy:>7.4f}"
        text += "".join(f" {line.others[name]:>7.4f}" for name in COMPARISONS)
        for name in COMPARISONS:
            gap = line.differences[name]
            half = "" if gap.half is None else f" +- {100 * gap.half:.2f}"
            text += f" {f'{100 * gap.mean:+.2f}{half}':>18}"
        printed.append(text)
    n = found[0].differences["dense"].n
    printed.append(
        f"Test accuracy at the early-stopping step; differences in percentage points with 95 % "
        f"t-intervals, paired by the target's replicate, n = {n}, of one ticket."
    )
    return printed
