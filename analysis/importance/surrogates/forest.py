"""The second opinion: functional ANOVA of a random forest (Hutter, Hoos & Leyton-Brown 2014).

A tree is constant on boxes, so its main effects have a closed form. The boxes are measured in the
unit cube of the design's distribution: Optuna's own evaluator measures learning rates on the linear
scale, where nine tenths of 1e-5 to 1e-1 lie above 1e-2, and answers another question.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from analysis.importance.sample import Sample, pooled
from lttune.config.design.distributions import Floats

TREES = 128


class ForestImportance(NamedTuple):
    """Main effects by forest."""

    first: Floats
    """S1 of each factor, the mean over trees; NaN if no tree splits."""
    r2: float
    """Out-of-bag R2: how well each point is predicted by trees that did not see it."""


def forest_importance(sample: Sample, *, trees: int = TREES, seed: int = 0) -> ForestImportance:
    """Returns S1 of each factor by a random forest over the points' mean responses."""
    _, means = pooled(sample)
    # It takes a second to import, and a report whose importances are kept needs none of it.
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        trees, min_samples_leaf=2, oob_score=True, random_state=seed, n_jobs=1
    )
    forest.fit(sample.unit, means)
    shares = [tree_shares(tree.tree_, sample.unit.shape[1]) for tree in forest.estimators_]
    kept = [share for share in shares if share is not None]
    first = np.mean(kept, axis=0) if kept else np.full(sample.unit.shape[1], np.nan)
    return ForestImportance(first, float(forest.oob_score_))


def tree_shares(tree: Any, factors: int) -> Floats | None:
    """Returns each factor's main-effect share of a tree's variance, None if it does not vary."""
    low, high, values = _leaves(tree, factors)
    sides = high - low
    volumes = sides.prod(1)
    mean = volumes @ values
    variance = volumes @ (values - mean) ** 2
    if variance <= 1e-12 * max(1.0, mean**2):
        return None
    return (
        np.array(
            [
                _effect(
                    low[:, j], high[:, j], (values - mean) * np.delete(sides, j, axis=1).prod(1)
                )
                for j in range(factors)
            ]
        )
        / variance
    )


def _leaves(tree: Any, factors: int) -> tuple[Floats, Floats, Floats]:
    """Returns lower and upper corners of a tree's leaves in the unit cube, and their values."""
    boxes: list[tuple[Floats, Floats, float]] = []
    waiting = [(0, np.zeros(factors), np.ones(factors))]
    while waiting:
        node, low, high = waiting.pop()
        if tree.children_left[node] == -1:
            boxes.append((low, high, float(tree.value[node].item())))
            continue
        j, threshold = tree.feature[node], tree.threshold[node]
        left_high, right_low = high.copy(), low.copy()
        left_high[j] = right_low[j] = threshold
        waiting += [
            (tree.children_left[node], low, left_high),
            (tree.children_right[node], right_low, high),
        ]
    low, high, values = zip(*boxes, strict=True)
    return np.array(low), np.array(high), np.array(values)


def _effect(low: Floats, high: Floats, weights: Floats) -> float:
    """Returns the variance of a sum of weighted indicator functions of intervals."""
    edges, where = np.unique(np.concatenate([low, high]), return_inverse=True)
    steps = np.bincount(where, weights=np.concatenate([weights, -weights]))
    heights = np.cumsum(steps)[:-1]
    return float(np.diff(edges) @ heights**2)
