"""Robustness as a width: over how much of a factor's range the ticket keeps its accuracy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import qmc

from analysis.importance import surrogate as gp
from analysis.importance.estimate import DRAWS, MIN_Q2, posterior
from analysis.importance.sample import Floats, sample
from lttune.design import Factor, LogUniform

RESAMPLES = 2000
GRID = 65
OTHERS = 256


@dataclass(frozen=True, kw_only=True)
class Width:
    """How wide the good part of a factor's range is, with a 95 % bootstrap interval."""

    width: float
    """In powers of ten for a factor on a log scale, else in the factor's unit; NaN if unknown."""
    low: float
    high: float
    whole: float
    """Width of the range that was looked at."""
    opens_low: bool
    """Whether the lowest value is still good: the true width is larger."""
    opens_high: bool
    """Whether the highest value is still good."""
    n: int
    """Replicates of a sweep, or trajectories of a design."""
    reason: str = ""
    """Why it is unknown."""


def sweep_width(table: pd.DataFrame, *, margin: float, log: bool = True, seed: int = 0) -> Width:
    """Returns the width of the values with mean gain >= -margin, all else at the paper's setting.

    Between values the mean gain is interpolated linearly, in the logarithm with ``log``. Replicates
    are resampled for all values together (common random numbers).

    Args:
        table: columns ``value`` (of the factor), ``replicate`` and ``gain`` (accuracy less that of
            the dense network, in [-1, 1]). A missing gain, of a trajectory that diverged, counts as
            -1: a setting that sometimes diverges is not robust.
        margin: accuracy that may be lost.
        log: whether the factor is on a log scale.
        seed: of the bootstrap.

    Raises:
        ValueError: if there are fewer than two values, or no replicate has all of them.
    """
    filled = table.assign(gain=table["gain"].fillna(-1.0))
    wide = filled.set_index(["value", "replicate"])["gain"].unstack()  # noqa: PD010
    # A replicate that was trained at some values only would shift the mean of those.
    wide = wide.dropna(axis=1).sort_index()
    if len(wide) < 2 or wide.shape[1] == 0:
        raise ValueError("a width needs two values, and replicates that have all of them")
    x = wide.index.to_numpy(dtype=float)
    x = np.log10(x) if log else x
    gains = wide.to_numpy(dtype=float)
    n = gains.shape[1]
    picked = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    resampled_means = gains[:, picked].mean(2)
    mean = gains.mean(1)
    low, high = np.quantile(good_length(x, resampled_means + margin), [0.025, 0.975])
    return Width(
        width=float(good_length(x, mean[:, None] + margin)[0]),
        low=float(low) if n > 1 else math.nan,
        high=float(high) if n > 1 else math.nan,
        whole=float(x[-1] - x[0]),
        opens_low=bool(mean[0] >= -margin),
        opens_high=bool(mean[-1] >= -margin),
        n=n,
    )


def marginal_width(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    path: str,
    *,
    margin: float,
    unit: bool = False,
    seed: int = 0,
) -> Width:
    """Returns the width of the values whose gain, averaged over all other factors, is >= -margin.

    Args:
        points: as for ``importance``.
        responses: columns ``trial``, ``replicate`` and ``value``, the gain.
        factors: the declared distributions.
        path: a factor with an order.
        margin: accuracy that may be lost.
        unit: whether ``points`` holds unit coordinates.
        seed: root of the estimate's random streams.

    Raises:
        ValueError: if the tables do not fit together, or the factor is unknown or categorical.
    """
    data = sample(points, responses, factors, unit=unit)
    paths = [factor.path for factor in factors]
    if path not in paths:
        raise ValueError(f"no such factor: {path}")
    j = paths.index(path)
    distribution = data.factors[j].distribution
    if not hasattr(distribution, "low"):
        raise ValueError(f"{path} has no order, hence no width")
    if isinstance(distribution, LogUniform):
        whole = distribution.decades
    else:
        ends = float(distribution.from_unit(0.0)), float(distribution.from_unit(1.0))
        whole = ends[1] - ends[0]
        if getattr(distribution, "log", False):
            whole = math.log10(ends[1] / ends[0])
    unknown = Width(
        width=math.nan,
        low=math.nan,
        high=math.nan,
        whole=whole,
        opens_low=False,
        opens_high=False,
        n=len(data.y),
    )
    if data.refusal:
        return dataclasses.replace(unknown, reason=data.refusal)
    if data.is_constant:
        return dataclasses.replace(unknown, reason="the gain is constant")
    surrogate = gp.fit(data, seed=seed)
    if (q2 := gp.leave_one_out(surrogate, data).q2) < MIN_Q2:
        return dataclasses.replace(unknown, reason=f"surrogate too poor: leave-one-out Q2 {q2:.2f}")
    functions = posterior(surrogate, data, seed=seed)
    others = qmc.Sobol(len(paths), rng=seed).random(OTHERS)
    grid = np.linspace(0, 1, GRID)
    effect = np.empty((GRID, 2 * DRAWS))
    for i, u in enumerate(grid):
        others[:, j] = u
        effect[i] = functions(others).mean(0)
    mean = effect[:, :DRAWS].mean(1)
    lengths = good_length(grid, effect[:, DRAWS:] + margin)
    low, high = np.quantile(lengths, [0.025, 0.975])
    return Width(
        width=whole * float(good_length(grid, mean[:, None] + margin)[0]),
        low=whole * float(low),
        high=whole * float(high),
        whole=whole,
        opens_low=bool(mean[0] >= -margin),
        opens_high=bool(mean[-1] >= -margin),
        n=len(data.y),
    )


def good_length(x: Floats, y: Floats) -> Floats:
    """Returns the length where a piecewise linear function is >= 0, for each column of ``y``."""
    a, b = y[:-1], y[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.maximum(a, b) / np.abs(a - b)
    share = np.where((a >= 0) & (b >= 0), 1.0, np.where((a < 0) & (b < 0), 0.0, crossing))
    return np.diff(x) @ share
