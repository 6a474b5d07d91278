"""What a question's rule is given: one number, or a row of numbers, of each replicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.claims.file.question import Question
from analysis.claims.networks.curves import ArmCurves


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Input of one decision; a question decided "each" has several."""

    label: str
    """Which part of the question it is; empty if it is the whole."""
    values: np.ndarray
    """Shape (replicates,) or (replicates, columns), larger is what the claim says."""
    higher: bool
    """Whether some true numbers may be larger."""
    lower: bool
    """Whether some may be smaller."""
    unfinished: bool = False
    """Whether most networks of some arm were trained too shortly for their accuracy."""


def pieces(question: Question, arms: Sequence[ArmCurves], units: Sequence[str]) -> list[Piece]:
    """Returns the decisions of a question on the curves of its arms, in their order.

    Rows are the ``units``, the same in all arms: differences are paired.
    """
    sign = -1.0 if question.direction == "down" else 1.0
    parts = [_signed(_rows(one, units), sign) for one in arms]
    grouped = _across_arms(question, parts)
    return [
        Piece(
            label=label,
            values=values,
            higher=bool(higher.any()),
            lower=bool(lower.any()),
            unfinished=bool(unfinished.any()),
        )
        for name, group in grouped
        for label, values, higher, lower, unfinished in _across_densities(question, name, group)
    ]


class Numbers(NamedTuple):
    """Numbers of an arm, or a sum of several; shapes (replicates, densities)."""

    values: np.ndarray
    higher: np.ndarray
    """Where the true number may be higher."""
    lower: np.ndarray
    """Where it may be lower."""
    unfinished: np.ndarray
    """Where it is of trainings that were too short."""


def _rows(one: ArmCurves, units: Sequence[str]) -> Numbers:
    def of(table: pd.DataFrame) -> np.ndarray:
        return table.reindex(list(units)).to_numpy(float)

    values = of(one.values)
    unfinished = np.broadcast_to(np.array(one.unfinished, bool), values.shape)
    higher, lower = (np.nan_to_num(of(table)) > 0 for table in (one.higher, one.lower))
    return Numbers(values, higher, lower, unfinished)


def _signed(part: Numbers, weight: float) -> Numbers:
    values, higher, lower, unfinished = part
    if weight < 0:
        higher, lower = lower, higher
    return Numbers(weight * values, higher, lower, unfinished)


def _across_arms(question: Question, parts: list[Numbers]) -> list[tuple[str, list[Numbers]]]:
    """Returns groups of parts; a group of several is a row of columns."""
    names = [arm.name for arm in question.arms]
    if question.compare == "columns":
        return [("", parts)]
    if question.compare == "each":
        return [(name, [part]) for name, part in zip(names, parts, strict=True)]
    weighted = [_signed(part, arm.weight) for part, arm in zip(parts, question.arms, strict=True)]
    total = Numbers(
        sum((one.values for one in weighted[1:]), weighted[0].values),
        np.any([one.higher for one in weighted], axis=0),
        np.any([one.lower for one in weighted], axis=0),
        np.any([one.unfinished for one in weighted], axis=0),
    )
    return [("", [total])]


def _across_densities(
    question: Question, name: str, group: list[Numbers]
) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    joined = [np.stack(list(parts), axis=2) for parts in zip(*group, strict=True)]
    values, *flags = joined  # Shapes (replicates, densities, arms).
    higher, lower, unfinished = flags
    if question.across == "columns":
        return [(name, values[:, :, 0], higher, lower, unfinished)]
    places = question.densities or question.survivors or (0,)
    if question.across == "mean" or len(places) == 1:
        return [(name, _flat(values.mean(axis=1)), higher, lower, unfinished)]
    words = [f"density {p:.3g}" if question.densities else f"{p:,.0f} weights" for p in places]
    return [
        (
            f"{name}, {word}".lstrip(", "),
            _flat(values[:, i]),
            higher[:, i],
            lower[:, i],
            unfinished[:, i],
        )
        for i, word in enumerate(words)
    ]


def _flat(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values
