"""The sample that importances are computed from, and whether it may be used at all.

One response per trajectory over points whose distribution is known. An importance is a share of
variance *under the design's distribution*: the points of a search were chosen for being good, so
they say nothing of it (measured: an inert factor gets 5 to 15 % from a TPE sample).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray

from lttune.config.design import SPREAD, Factor, are_alike, lacking_contrast
from lttune.config.design.distributions import Floats
from lttune.config.design.factors import encode

MIN_EFFECTIVE = 30.0
"""Effective sample size below which a weighted adaptive sample is refused."""
FEWEST_POINTS = 16
"""Points below which nothing is shared out: a surrogate of fewer finds one in ten noises
predictable, and of two or three every one, because their mean is no better."""
UNIFORM_ALPHA = 1e-3
"""Chance that an honest design is taken for a search (over all factors)."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Points in the unit cube and one response for each trajectory, in the order of trials."""

    factors: tuple[Factor, ...]
    """d factors, in the order of the columns of ``unit``."""
    trials: tuple[int, ...]
    """Trial numbers of the points, ascending."""
    unit: Floats
    """Quantiles of the points' values, shape (points, d)."""
    owner: NDArray[np.intp]
    """Row of ``unit`` that each trajectory belongs to, shape (trajectories,)."""
    y: Floats
    """Responses, shape (trajectories,)."""
    place: NDArray[np.intp]
    """Place of each trajectory among all that were listed, those without a response among them;
    shape (trajectories,)."""
    listed: int
    """How many were listed: resamples are drawn of these, so that those of two responses of the
    same trajectories belong together although some lack one of the two."""
    weights: Floats | None = None
    """Target over proposal density of each point, None if the points are draws of the target."""

    @property
    def columns(self) -> Floats:
        """A surrogate's columns: one for a number, one per choice of a categorical."""
        return encode(self.factors, self.unit)[0]

    @property
    def seed_variance(self) -> tuple[float, int]:
        """Variance between replicates of a point, pooled, and its degrees of freedom."""
        counts, means = _means(self.owner, self.y, len(self.unit))
        freedom = int((counts[counts > 0] - 1).sum())
        if freedom == 0:
            return float("nan"), 0
        return float(((self.y - means[self.owner]) ** 2).sum() / freedom), freedom

    @property
    def refusal(self) -> str:
        """Why the sample supports no inference, empty if it does."""
        if self.weights is not None:
            size = effective_size(self.weights)
            if size >= MIN_EFFECTIVE:
                return ""
            return (
                f"the weighted adaptive sample is worth {size:.1f} independent points, "
                f"fewer than {MIN_EFFECTIVE:.0f}"
            )
        path = not_uniform(self)
        if not path:
            return ""
        return (
            f"{path} is not distributed as the design declares, as in the trials of a search: "
            "an importance is a share of variance under the design, and no estimator repairs that; "
            "use the design's trials, or weights of target over proposal density"
        )

    @property
    def is_constant(self) -> bool:
        """Whether all responses are the same number, up to rounding."""
        return are_alike(self.y)

    @property
    def no_contrast(self) -> str:
        """Why shares of the responses' variance are not known, empty if they may be."""
        counts, means = pooled(self)
        if reason := lacking_contrast(means[counts > 0]):
            return reason
        if len(means) >= FEWEST_POINTS:
            return ""
        return f"the response is known at {len(means)} points, fewer than {FEWEST_POINTS}"


def sample(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    unit: bool = False,
    weights: pd.Series | None = None,
) -> Sample:
    """Returns the sample of the trajectories that have a response.

    Args:
        points: columns ``trial`` and each factor's path, one row per trial; with a column ``role``,
            points of other roles than design and repeat are left out with their responses.
        responses: columns ``trial``, ``replicate`` and ``value``; missing values are left out.
        factors: the declared distributions.
        unit: whether ``points`` holds unit coordinates instead of values.
        weights: target over proposal density by trial, for an adaptive sample.

    Raises:
        ValueError: if a trial or trajectory comes twice, a response has no point, a factor has no
            column, there is no response, or a point lies outside of the factors' ranges.
    """
    if "role" in points:
        # The paper's own point and the cells of sweeps are no draws of the distributions.
        points = points[points["role"].isin(SPREAD)]
        responses = responses[responses["trial"].isin(points["trial"])]
    paths = [factor.path for factor in factors]
    if missing := [path for path in paths if path not in points]:
        raise ValueError(f"points lack the factors {missing}")
    if points["trial"].duplicated().any():
        raise ValueError("points list a trial twice")
    if responses.duplicated(["trial", "replicate"]).any():
        raise ValueError("responses list a trajectory twice: give one density")
    listed = responses.sort_values(["trial", "replicate"])
    place = np.flatnonzero(listed["value"].notna())
    rows = listed.iloc[place]
    if lost := sorted(set(rows["trial"]) - set(points["trial"])):
        raise ValueError(f"responses of trials without a point: {lost}")
    if rows.empty:
        raise ValueError("there is no response at a point of the design")
    table = points[points["trial"].isin(rows["trial"])].sort_values("trial")
    cube = coordinates(table, factors, unit=unit)
    trials = table["trial"].to_numpy()
    chosen = None
    if weights is not None:
        chosen = weights.reindex(trials).to_numpy(dtype=float)
        if not (np.isfinite(chosen).all() and (chosen >= 0).all() and chosen.sum() > 0):
            raise ValueError("weights must be finite and >= 0, one for each trial")
    return Sample(
        factors=tuple(factors),
        trials=tuple(trials.tolist()),
        unit=cube,
        owner=np.searchsorted(trials, rows["trial"].to_numpy()),
        y=rows["value"].to_numpy(dtype=float),
        place=place,
        listed=len(listed),
        weights=chosen,
    )


def coordinates(table: pd.DataFrame, factors: Sequence[Factor], *, unit: bool) -> Floats:
    """Returns the points of a table in the unit cube, shape (points, d).

    Raises:
        ValueError: if a point lies outside.
    """
    cube = np.empty((len(table), len(factors)))
    for j, factor in enumerate(factors):
        values = table[factor.path].tolist()
        cube[:, j] = values if unit else [factor.distribution.to_unit(value) for value in values]
        # Rounding of an end of the range is no point outside.
        if not ((cube[:, j] >= -1e-9) & (cube[:, j] <= 1 + 1e-9)).all():
            raise ValueError(f"{factor.path} has points outside of its declared range")
    return np.clip(cube, 0.0, 1.0)


def effective_size(weights: Floats) -> float:
    """Returns how many independent points weighted ones are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def not_uniform(sample: Sample) -> str:
    """Returns the factor that deviates most from its declared distribution, empty if none does.

    Kolmogorov-Smirnov at ``UNIFORM_ALPHA``, Bonferroni over factors. A discrete value is spread
    over the quantiles it owns, since mid-ranks alone would look clustered.
    """
    rng = np.random.default_rng(0)
    tests: list[tuple[float, str]] = []
    for j, factor in enumerate(sample.factors):
        u = sample.unit[:, j]
        if factor.distribution.encode(u[:1]).shape[1] > 1 or hasattr(factor.distribution, "log"):
            values = [factor.distribution.from_unit(v) for v in u]
            u = np.array([factor.distribution.to_unit(v, rng.random()) for v in values])
        tests.append((float(scipy.stats.kstest(u, "uniform").pvalue), factor.path))
    smallest, path = min(tests)
    return path if smallest < UNIFORM_ALPHA / len(tests) else ""


def _means(owner: NDArray[np.intp], y: Floats, points: int) -> tuple[Floats, Floats]:
    counts = np.bincount(owner, minlength=points).astype(float)
    sums = np.bincount(owner, weights=y, minlength=points)
    return counts, np.divide(sums, counts, out=np.zeros(points), where=counts > 0)


def pooled(sample: Sample, picked: NDArray[np.intp] | None = None) -> tuple[Floats, Floats]:
    """Returns trajectories per point and their mean response, of all or of a resample."""
    if picked is None:
        return _means(sample.owner, sample.y, len(sample.unit))
    return _means(sample.owner[picked], sample.y[picked], len(sample.unit))
