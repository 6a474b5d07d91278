"""Importances of one response: Sobol' indices of a Gaussian process, gated, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.importance.floor import PERMUTATIONS, null_totals
from analysis.importance.result import COLUMNS, PAIR_COLUMNS, Importance
from analysis.importance.saltelli import Indices, pair_names, sobol_indices
from analysis.importance.sample import Sample, sample
from analysis.importance.surrogates import process as gp
from analysis.importance.surrogates.draws import Draws, draw, posterior_mean
from analysis.importance.surrogates.forest import forest_importance
from analysis.importance.surrogates.kernels import plausible
from lttune.config.design import Factor
from lttune.config.design.distributions import Floats
from lttune.config.design.factors import encode

MIN_Q2 = 0.5
"""Leave-one-out Q2 below which the surrogate says nothing about the response."""
DRAWS = 64
"""Posterior draws for the estimate, and as many over resampled trajectories for the interval."""
BASE = 1024
"""Base sample of the Sobol' estimate."""
REFERENCE = 4096
"""Base sample on which that estimate is corrected."""
FEATURES = 64
"""Random frequencies of a draw; each draw has its own."""


def importance(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    unit: bool = False,
    weights: pd.Series | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
    base: int = BASE,
) -> Importance:
    """Returns how much each factor matters for one response, or why that cannot be said.

    Args:
        points: columns ``trial`` and each factor's path; with a column ``role``, points of other
            roles than design and repeat are left out.
        responses: columns ``trial``, ``replicate`` and ``value``, one row per trajectory.
        factors: the declared distributions, that of the inert factor included.
        unit: whether ``points`` holds unit coordinates instead of values.
        weights: target over proposal density by trial, for an adaptive sample.
        seed: root of every random stream of the estimate.
        draws: posterior draws.
        permutations: of the floor.
        base: base sample of the Sobol' estimate, a power of two.

    Raises:
        ValueError: if the tables do not fit together.
    """
    data = sample(points, responses, factors, unit=unit, weights=weights)
    return importance_of(data, seed=seed, draws=draws, permutations=permutations, base=base)


def importance_of(
    data: Sample,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
    base: int = BASE,
) -> Importance:
    """Returns the importances of a sample: see ``importance``."""
    counts: dict[str, Any] = {"trajectories": len(data.y), "points": len(data.unit)}
    if data.refusal:
        return Importance(status="refused", reason=data.refusal, **counts)
    if reason := data.no_contrast:
        variance = 0.0 if data.is_constant and len(data.unit) > 1 else float("nan")
        return Importance(status="undefined", reason=reason, signal_variance=variance, **counts)
    surrogate = gp.fit(data, seed=seed)
    quality = gp.leave_one_out(surrogate, data)
    seed_variance, freedom = data.seed_variance
    if not freedom:
        seed_variance = surrogate.noise * surrogate.spread**2
    known = {"quality": quality, "seed_variance": seed_variance, "seed_freedom": freedom, **counts}
    if not quality.q2 >= MIN_Q2:
        reason = f"surrogate too poor: leave-one-out Q2 {quality.q2:.2f}, below {MIN_Q2}"
        return Importance(status="inconclusive", reason=reason, **known)
    functions = posterior(surrogate, data, draws=draws, seed=seed)
    indices = _corrected(
        sobol_indices(functions, len(data.factors), base=base, seed=seed), surrogate, data, seed
    )
    if not (np.isfinite(indices.first).all() and np.isfinite(indices.total).all()):
        reason = "some draws of the surrogate hardly vary: shares of no variance are undefined"
        return Importance(status="undefined", reason=reason, **known)
    forest = forest_importance(data, seed=seed)
    floor = float(
        np.quantile(null_totals(surrogate, data, permutations=permutations, seed=seed), 0.975)
    )
    names = [factor.path for factor in data.factors]
    first, total = (centred(values, draws) for values in (indices.first, indices.total))
    variance = centred(indices.variance[None, :], draws)[0]
    low, high = np.quantile(variance, [0.025, 0.975])
    return Importance(
        status="ok",
        table=_table(names, first, total, floor, forest.first),
        pairs=_pairs(names, indices, draws),
        first=pd.DataFrame(first.T, columns=pd.Index(names)),
        total=pd.DataFrame(total.T, columns=pd.Index(names)),
        signal_variance=float(variance.mean()),
        signal_low=max(float(low), 0.0),
        signal_high=float(high),
        forest_r2=forest.r2,
        **known,
    )


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Functions drawn from the posterior, kernel included, as one of unit coordinates.

    The first half of the columns of its values are from all trajectories, the others from
    resamples, each with the kernel of its fellow.
    """

    factors: Sequence[Factor]
    pairs: Sequence[Draws]

    def __call__(self, unit: Floats) -> Floats:
        """Returns the values at places, a column for each function."""
        columns = encode(self.factors, unit)[0]
        return self._side_by_side([pair(columns) for pair in self.pairs])

    def along(self, unit: Floats, j: int, values: Floats) -> Floats:
        """Returns the means over places, a row for each value that one factor has at all of them.

        Args:
            unit: the places.
            j: which factor.
            values: of it.
        """
        columns, owners = encode(self.factors, unit)
        own = np.flatnonzero(np.equal(owners, j))
        given = self.factors[j].distribution.encode(values)
        return self._side_by_side([pair.means(columns, own, given) for pair in self.pairs])

    def _side_by_side(self, pairs: list[Floats]) -> Floats:
        return np.stack(pairs, axis=2).reshape(len(pairs[0]), 2 * len(pairs))


def posterior(
    surrogate: gp.Surrogate, data: Sample, *, draws: int = DRAWS, seed: int = 0
) -> Posterior:
    """Returns so many functions drawn from the posterior, and as many from resamples."""
    kernels = plausible(surrogate, data, draws, seed=seed)
    pairs = [
        draw(kernel, data, [None, picked], seed=seed + i, features=FEATURES)
        for i, (kernel, picked) in enumerate(
            zip(kernels, resampled(data, draws, seed), strict=True)
        )
    ]
    return Posterior(factors=data.factors, pairs=pairs)


def resampled(data: Sample, draws: int, seed: int) -> list[np.ndarray | None]:
    """Returns bootstrap resamples of the trajectories; weighted ones are drawn by their weight.

    All that were listed are drawn from, and who has no response is left out after that.
    """
    rng = np.random.default_rng([seed, 1])
    n = data.listed
    row = np.full(n, -1)
    row[data.place] = np.arange(len(data.y))
    share = None
    if data.weights is not None:
        share = np.zeros(n)
        share[data.place] = data.weights[data.owner] / data.weights[data.owner].sum()
    drawn = [row[rng.choice(n, n, p=share)] for _ in range(draws)]
    return [picked[picked >= 0] for picked in drawn]


def centred(values: Floats, draws: int) -> Floats:
    """Returns the resampled draws, moved so that their mean is that of the full sample's draws.

    A resample holds 63 % of the points, so its surrogate is poorer and its totals are larger: the
    spread is that of the estimate, the middle is not.
    """
    full, resamples = values[:, :draws], values[:, draws:]
    return resamples + (full.mean(1) - resamples.mean(1))[:, None]


def _corrected(indices: Indices, surrogate: gp.Surrogate, data: Sample, seed: int) -> Indices:
    """Returns the indices less the error that the base sample makes on the posterior mean.

    The draws resemble the mean, and so do their errors. On the mean alone a large sample is cheap.
    """
    curve = posterior_mean(surrogate, data)

    def mean(unit: Floats) -> Floats:
        return curve(encode(data.factors, unit)[0])

    factors, base = indices.first.shape[0], indices.base
    large = sobol_indices(mean, factors, base=REFERENCE, seed=seed)
    small = sobol_indices(mean, factors, base=base, seed=seed)
    return Indices(
        first=indices.first + large.first - small.first,
        total=indices.total + large.total - small.total,
        pairs=indices.pairs + large.pairs - small.pairs,
        variance=indices.variance * large.variance / small.variance,
        base=base,
    )


def _table(
    names: list[str], first: Floats, total: Floats, floor: float, forest: Floats
) -> pd.DataFrame:
    first_low, first_high = np.quantile(first, [0.025, 0.975], axis=1)
    total_low, total_high = np.quantile(total, [0.025, 0.975], axis=1)
    columns = [names, first.mean(1), first_low, first_high, total.mean(1)]
    columns += [np.maximum(total_low, 0.0), total_high, floor, total_low > floor, forest]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _pairs(names: list[str], indices: Indices, draws: int) -> pd.DataFrame:
    closed = centred(indices.pairs, draws)
    low, high = np.quantile(closed, [0.025, 0.975], axis=1) if len(closed) else ([], [])
    table = pd.DataFrame(pair_names(names), columns=pd.Index(PAIR_COLUMNS[:2]))
    table = table.assign(closed=closed.mean(1), closed_low=low, closed_high=high)
    alone = dict(zip(names, centred(indices.first, draws).mean(1), strict=True))
    return table.assign(interaction=table["closed"] - table["a"].map(alone) - table["b"].map(alone))
