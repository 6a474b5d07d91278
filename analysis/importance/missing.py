"""Who has no value at a density, and whether that depends on a factor.

Shares of variance are of the trajectories that have a value. Where those that lack one differ from
them in a factor, the shares are of another distribution than the design's: a reader must see that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy

from analysis.importance.sample import coordinates
from analysis.statistics.verdicts.multiplicity import holm
from lttune.config.design import INERT, Categorical, Factor

MISSING_COLUMNS = ["density", "missing", "of", "share", "factor", "side", "p"]
"""Columns of ``missing_table``."""


def missing_table(
    wide: pd.DataFrame, points: pd.DataFrame, factors: Sequence[Factor], *, unit: bool = False
) -> pd.DataFrame:
    """Returns a row for each density: how many trajectories lack it, and on what that depends.

    Args:
        wide: a row for each trajectory, indexed by ``trial`` and ``replicate``, a column for each
            density, NaN where there is no value.
        points: columns ``trial`` and each factor's path.
        factors: the declared distributions.
        unit: whether ``points`` holds unit coordinates instead of values.

    ``factor`` is the one that differs most between the points that lack a trajectory there and
    those that have all, by Mann and Whitney's test, or Fisher's for a categorical one; ``p`` is
    Holm's over the factors, and NaN where all points are alike. ``side`` says whether those that
    lack one have "small" or "large" values, empty where it has no order.
    """
    listed = points.set_index("trial", drop=False).loc[sorted(set(wide.index.get_level_values(0)))]
    tested = [factor for factor in factors if factor.path != INERT]
    cube = coordinates(listed, tested, unit=unit)
    rows = []
    for density in wide.columns:
        gone = wide[density].isna()
        lacks = gone.groupby(level=0).any().sort_index().to_numpy()
        row = [density, int(gone.sum()), len(gone), float(gone.mean())]
        rows.append([*row, *_depends(cube, tested, lacks)])
    return pd.DataFrame(rows, columns=pd.Index(MISSING_COLUMNS))


def missing_text(table: pd.DataFrame, alpha: float = 0.05) -> list[str]:
    """Returns a sentence for each density that some lack, of those that were estimated."""
    text = []
    for row in table[table["missing"] > 0].to_dict("records"):
        found = f"At {100 * row['density']:.3g} % of the weights {row['missing']} of {row['of']} "
        found += "trajectories have no value, and the shares are of the others"
        if row["p"] <= alpha:
            side = f"{row['side']} values of " if row["side"] else ""
            found += (
                f". They are not missing at random: their points have {side or 'other values of '}"
                f"{row['factor']} (p = {row['p']:.2g}, Holm over the factors)"
            )
        text.append(f"{found}.")
    return text


def _depends(
    cube: np.ndarray, factors: Sequence[Factor], lacks: np.ndarray
) -> tuple[str, str, float]:
    if lacks.all() or not lacks.any():
        return "", "", float("nan")
    p, sides = [], []
    for column, factor in zip(cube.T, factors, strict=True):
        some, others = column[lacks], column[~lacks]
        if isinstance(factor.distribution, Categorical):
            _, place = np.unique(column, return_inverse=True)
            counts = np.zeros((2, place.max() + 1), int)
            np.add.at(counts, (lacks.astype(int), place), 1)
            p.append(_fisher(counts) if counts.shape[1] > 1 else 1.0)
            sides.append("")
        else:
            p.append(float(scipy.stats.mannwhitneyu(some, others).pvalue))
            sides.append("small" if some.mean() < others.mean() else "large")
    adjusted = holm(p)
    least = int(np.argmin(adjusted))
    return factors[least].path, sides[least], float(adjusted[least])


def _fisher(counts: np.ndarray) -> float:
    # SciPy's own types know the result of tables of two by two alone.
    found: Any = scipy.stats.fisher_exact(counts)
    return float(found.pvalue)
