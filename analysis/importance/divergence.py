"""The two-part response: what decides whether training diverges, and what matters if it does not.

Accuracies of diverged networks lie so far from the others that they take over the variance: with a
divergence cliff in the space, every index is about the cliff. So the two questions are asked apart.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.importance.estimate import (
    MIN_Q2,
    centred,
    importance_of,
    posterior,
    resampled,
)
from analysis.importance.result import EstimateStatus, Importance
from analysis.importance.saltelli import sobol_indices
from analysis.importance.sample import Sample, sample
from analysis.importance.shapley import shapley_effects
from analysis.importance.surrogates import process as gp
from lttune.config.design import Factor
from lttune.config.design.distributions import Floats
from lttune.config.design.factors import encode

MIN_CLASS = 8
"""Trajectories that must have diverged, and as many that must not, before either is modelled."""
BASE = 512
RESAMPLES = 32
FOLDS = 10
SHAPLEY_DRAWS = 32
SHAPLEY_BASE = 512


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """What decides whether a trajectory is ok."""

    status: EstimateStatus
    reason: str = ""
    share_ok: float = float("nan")
    """Share of the trajectories that are ok."""
    trajectories: int = 0
    skill: float = float("nan")
    """Brier skill in 10-fold cross-validation by point: 1 is perfect, 0 is the share alone."""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Per factor first and total index of P(ok) with 95 % bootstrap intervals."""


@dataclass(frozen=True, kw_only=True)
class GivenOk:
    """What matters among the trajectories that are ok."""

    importance: Importance
    """With status refused if the ok region is no box: S1 and ST are not defined there."""
    share_ok: float
    unknown: str = ""
    """Why there are no Shapley effects although some diverged, empty if there are."""
    shapley: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Per factor the Shapley effect inside the ok region, with 95 % intervals; empty if there is
    nothing to estimate or if nothing diverged. The points it is averaged over add an error of about
    .01 that the intervals do not hold."""


class Boundary:
    """P(ok) over the unit cube: a Gaussian process classifier of the trajectories."""

    def __init__(self, data: Sample, ok: NDArray[np.bool_], kernel: Any = None) -> None:
        # It takes a second to import, and a report whose importances are kept needs none of it.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        self.factors = data.factors
        columns = data.columns
        # scikit-learn's signatures say float and str where its documentation says more.
        scales: Any = np.ones(columns.shape[1])
        fixed: Any = None
        start = ConstantKernel(4.0, (1e-1, 1e3)) * Matern(scales, gp.SCALES, nu=2.5)
        self.model = (
            GaussianProcessClassifier(start)
            if kernel is None
            else GaussianProcessClassifier(kernel, optimizer=fixed)
        )
        with warnings.catch_warnings():
            # A scale at the top of its range is a factor without effect, no failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(columns[data.owner], ok)

    def probability(self, unit: Floats) -> Floats:
        """Returns P(ok) at unit coordinates, shape (m, 1)."""
        chances = self.model.predict_proba(encode(self.factors, unit)[0])
        return np.asarray(chances)[:, [1]]

    def inside(self, unit: Floats) -> NDArray[np.bool_]:
        """Returns whether P(ok) is above one half at unit coordinates."""
        return np.asarray(self.model.predict(encode(self.factors, unit)[0]), dtype=bool)

    def again(self, data: Sample, ok: NDArray[np.bool_], picked: NDArray[np.intp]) -> Boundary:
        """Returns the classifier of some trajectories, with the same kernel."""
        part = _part(data, picked)
        return Boundary(part, ok[picked], self.model.kernel_)


def divergence(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    unit: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Divergence:
    """Returns what decides about P(ok): Sobol' indices of a classifier's probability.

    Args:
        points: as for ``importance``.
        responses: columns ``trial``, ``replicate`` and ``ok``, one row per trajectory.
        factors: the declared distributions.
        unit: whether ``points`` holds unit coordinates.
        seed: root of the estimate's random streams.
        resamples: bootstrap resamples of the trajectories, with the kernel of all of them.

    Raises:
        ValueError: if the tables do not fit together.
    """
    data, ok = _classified(points, responses, factors, unit)
    known: dict[str, Any] = {"share_ok": float(ok.mean()), "trajectories": len(ok)}
    if data.refusal:
        return Divergence(status="refused", reason=data.refusal, **known)
    if ok.all() or not ok.any():
        reason = f"{'every' if ok.all() else 'no'} trajectory is ok: there is nothing to explain"
        return Divergence(status="undefined", reason=reason, **known)
    if min(ok.sum(), (~ok).sum()) < MIN_CLASS:
        reason = (
            f"fewer than {MIN_CLASS} trajectories {'diverged' if ok.mean() > 0.5 else 'are ok'}"
        )
        return Divergence(status="inconclusive", reason=reason, **known)
    boundary = Boundary(data, ok)
    known["skill"] = _skill(boundary, data, ok, seed)
    if known["skill"] < MIN_Q2:
        reason = f"classifier too poor: Brier skill {known['skill']:.2f}, below {MIN_Q2}"
        return Divergence(status="inconclusive", reason=reason, **known)
    fits = [boundary]
    for picked in resampled(data, resamples, seed):
        if picked is not None and 0 < ok[picked].sum() < len(picked):
            fits.append(boundary.again(data, ok, picked))

    def chances(unit: Floats) -> Floats:
        return np.hstack([fit.probability(unit) for fit in fits])

    indices = sobol_indices(chances, len(data.factors), base=BASE, seed=seed)
    if not (np.isfinite(indices.first).all() and np.isfinite(indices.total).all()):
        reason = "the classifier's probability hardly varies: shares of no variance are undefined"
        return Divergence(status="undefined", reason=reason, **known)
    table = pd.DataFrame({"factor": [factor.path for factor in data.factors]})
    for name, values in (("first", indices.first), ("total", indices.total)):
        low, high = np.quantile(centred(values, 1), [0.025, 0.975], axis=1)
        bounds = {name: values[:, 0], f"{name}_low": low, f"{name}_high": high}
        table = table.assign(**bounds)
    return Divergence(status="ok", table=table, **known)


def importance_given_ok(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    unit: bool = False,
    seed: int = 0,
    **options: Any,
) -> GivenOk:
    """Returns what matters among trajectories that are ok.

    If none diverged these are the ordinary importances. Otherwise the ok region is whatever shape
    the boundary has: S1 and ST are refused, and Shapley effects of the same surrogate are given
    under the uniform distribution on the region where P(ok) > 1/2. A nested design (``nested``)
    inside the region gives S1 and ST.

    Args:
        points: as for ``importance``.
        responses: columns ``trial``, ``replicate``, ``value`` and ``ok``.
        factors: the declared distributions.
        unit: whether ``points`` holds unit coordinates.
        seed: root of the estimate's random streams.
        options: of ``importance``.

    Raises:
        ValueError: if the tables do not fit together.
    """
    data, ok = _classified(points, responses, factors, unit)
    share = float(ok.mean())
    good = responses[responses["ok"].astype(bool)]
    if data.refusal:
        return GivenOk(importance=Importance(status="refused", reason=data.refusal), share_ok=share)
    if ok.all():
        sound = sample(points, good, factors, unit=unit)
        return GivenOk(importance=importance_of(sound, seed=seed, **options), share_ok=share)
    reason = (
        f"{(~ok).sum()} of {len(ok)} trajectories diverged, so the ok region is no box, and S1 and "
        "ST are not defined on it: see the Shapley effects, or a nested design inside the region"
    )
    refused = Importance(status="refused", reason=reason, trajectories=int(ok.sum()))

    def without(why: str) -> GivenOk:
        whole = dataclasses.replace(refused, reason=f"{reason}; no Shapley effects, {why}")
        return GivenOk(importance=whole, share_ok=share, unknown=why)

    if (fewer := min(ok.sum(), (~ok).sum())) < MIN_CLASS:
        which = "diverged" if ok.mean() > 0.5 else "are ok"
        return without(f"{fewer} trajectories {which}, fewer than {MIN_CLASS}")
    sound = sample(points, good, factors, unit=unit)
    if sound.no_contrast:
        return without(sound.no_contrast)
    surrogate = gp.fit(sound, seed=seed)
    if (q2 := gp.leave_one_out(surrogate, sound).q2) < MIN_Q2:
        return without(f"surrogate too poor: leave-one-out Q2 {q2:.2f}")
    boundary = Boundary(data, ok)
    effects = centred(
        shapley_effects(
            posterior(surrogate, sound, draws=SHAPLEY_DRAWS, seed=seed),
            len(data.factors),
            inside=boundary.inside,
            base=SHAPLEY_BASE,
            seed=seed,
        ),
        SHAPLEY_DRAWS,
    )
    if not np.isfinite(effects).all():
        return without("some draws of the surrogate hardly vary where networks are ok")
    low, high = np.quantile(effects, [0.025, 0.975], axis=1)
    names = [factor.path for factor in data.factors]
    table = pd.DataFrame({"factor": names, "shapley": effects.mean(1), "low": low, "high": high})
    return GivenOk(importance=refused, share_ok=share, shapley=table)


def _classified(
    points: pd.DataFrame, responses: pd.DataFrame, factors: Sequence[Factor], unit: bool
) -> tuple[Sample, NDArray[np.bool_]]:
    marked = responses.assign(value=responses["ok"].astype(float))
    data = sample(points, marked, factors, unit=unit)
    return data, data.y > 0.5


def _part(data: Sample, picked: NDArray[np.intp]) -> Sample:
    return Sample(
        factors=data.factors,
        trials=data.trials,
        unit=data.unit,
        owner=data.owner[picked],
        y=data.y[picked],
        place=data.place[picked],
        listed=data.listed,
        weights=data.weights,
    )


def _skill(boundary: Boundary, data: Sample, ok: NDArray[np.bool_], seed: int) -> float:
    """Returns the Brier skill of predictions of points that were left out, a tenth at a time."""
    fold = np.random.default_rng(seed).permutation(len(data.unit))[data.owner] % FOLDS
    error = np.zeros(len(ok))
    for number in range(FOLDS):
        kept, left = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not 0 < ok[kept].sum() < len(kept):
            return float("nan")
        chances = boundary.again(data, ok, kept).probability(data.unit[data.owner[left]])
        error[left] = chances[:, 0] - ok[left]
    return float(1 - (error**2).sum() / ((ok - ok.mean()) ** 2).sum())
