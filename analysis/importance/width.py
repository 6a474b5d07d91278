"""Robustness as a width: over how much of a factor's range the ticket keeps its accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from analysis.importance.estimate import DRAWS, MIN_Q2, Posterior, centred, posterior
from analysis.importance.sample import sample
from analysis.importance.surrogates import process as gp
from lttune.config.design import INERT, Distribution, Factor, LogUniform
from lttune.config.design.distributions import Floats

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
    # A replicate that was trained at some values only would shift the mean of those.
    has_all = filled.groupby("replicate")["value"].transform("nunique") == filled["value"].nunique()
    wide = filled[has_all].set_index(["value", "replicate"])["gain"].unstack()  # noqa: PD010
    wide = wide.sort_index()
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


def marginal_widths(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    margin: float,
    unit: bool = False,
    seed: int = 0,
) -> dict[str, Width]:
    """Returns for each factor the width of its values with mean response >= -margin.

    The mean is over the declared distributions of all other factors. Factors without an order, and
    the inert one, have no width and are left out.

    Args:
        points: as for ``importance``.
        responses: columns ``trial``, ``replicate`` and ``value``, the gain.
        factors: the declared distributions.
        margin: what may be lost.
        unit: whether ``points`` holds unit coordinates.
        seed: root of the estimate's random streams.

    Raises:
        ValueError: if the tables do not fit together.
    """
    data = sample(points, responses, factors, unit=unit)
    wholes = {factor.path: _whole(factor.distribution) for factor in data.factors}
    wholes = {p: whole for p, whole in wholes.items() if whole is not None and p != INERT}
    if reason := data.refusal or data.no_contrast:
        return {path: _unknown(whole, len(data.y), reason) for path, whole in wholes.items()}
    surrogate = gp.fit(data, seed=seed)
    if (q2 := gp.leave_one_out(surrogate, data).q2) < MIN_Q2:
        reason = f"surrogate too poor: leave-one-out Q2 {q2:.2f}"
        return {path: _unknown(whole, len(data.y), reason) for path, whole in wholes.items()}
    functions = posterior(surrogate, data, seed=seed)
    paths = [factor.path for factor in data.factors]
    return {
        path: _marginal(functions, len(paths), paths.index(path), whole, margin, len(data.y), seed)
        for path, whole in wholes.items()
    }


def _whole(distribution: Distribution) -> float | None:
    """Returns the width of a range, in powers of ten on a log scale; None without an order."""
    if not hasattr(distribution, "low"):
        return None
    if isinstance(distribution, LogUniform):
        return distribution.decades
    low, high = float(distribution.from_unit(0.0)), float(distribution.from_unit(1.0))
    return math.log10(high / low) if getattr(distribution, "log", False) else high - low


def _unknown(whole: float, n: int, reason: str) -> Width:
    none = dict.fromkeys(("width", "low", "high"), math.nan)
    return Width(**none, whole=whole, opens_low=False, opens_high=False, n=n, reason=reason)


def _marginal(
    functions: Posterior,
    factors: int,
    j: int,
    whole: float,
    margin: float,
    n: int,
    seed: int,
) -> Width:
    others = scipy.stats.qmc.Sobol(factors, rng=seed).random(OTHERS)
    grid = np.linspace(0, 1, GRID)
    effect = functions.along(others, j, grid)
    mean = effect[:, :DRAWS].mean(1)
    # A resample's surrogate is poorer: its spread counts, its middle does not.
    shifted = centred(effect, DRAWS)
    low, high = np.quantile(good_length(grid, shifted + margin), [0.025, 0.975])
    return Width(
        width=whole * float(good_length(grid, mean[:, None] + margin)[0]),
        low=whole * float(low),
        high=whole * float(high),
        whole=whole,
        opens_low=bool(mean[0] >= -margin),
        opens_high=bool(mean[-1] >= -margin),
        n=n,
    )


def good_length(x: Floats, y: Floats) -> Floats:
    """Returns the length where a piecewise linear function is >= 0, for each column of ``y``."""
    a, b = y[:-1], y[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.maximum(a, b) / np.abs(a - b)
    share = np.where((a >= 0) & (b >= 0), 1.0, np.where((a < 0) & (b < 0), 0.0, crossing))
    return np.diff(x) @ share
