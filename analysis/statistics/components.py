"""Variance components: how much of the noise is initialisation, order, split, trajectory.

A linear mixed model with any number of crossed random effects, fitted by (restricted) maximum
likelihood. Its cost grows with the number of groups, not of observations: the marginal covariance
s2 (I + sum_k theta_k Z_k Z_k') enters through Woodbury's identity only (Bates et al. 2015, Fitting
Linear Mixed-Effects Models Using lme4, section 3).

Shape suffixes: N observations, P fixed effects, Q groups of all random effects together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

RESIDUAL = "residual"


@dataclass(frozen=True, kw_only=True)
class Components:
    """A fitted model."""

    variances: dict[str, float]
    """Variance of each random effect and of the residual, in squared units of the response."""
    fixed: np.ndarray
    """Fixed effects."""
    covariance: np.ndarray
    """Their covariance, with the variances taken as known: optimistic with few groups."""
    log_likelihood: float
    """Restricted if ``reml``; only full ones may be compared between fixed effects."""
    n: int
    """Observations."""
    groups: dict[str, int]
    """Number of groups of each random effect."""

    @property
    def shares(self) -> dict[str, float]:
        """Each component's share of the total variance."""
        total = sum(self.variances.values())
        return {name: value / total for name, value in self.variances.items()}


def variance_components(
    response: np.ndarray | pd.Series,
    design: np.ndarray,
    random: Mapping[str, np.ndarray | pd.Series],
    *,
    reml: bool = True,
) -> Components:
    """Returns the mixed model of a response.

    ``random`` names the effects; each holds the group of every observation, and may be crossed
    with the others or nested in them. Restricted likelihood is unbiased where groups are few.

    Raises:
        ValueError: if the fixed effects are collinear, or leave no observation for the noise.
    """
    y_N = np.asarray(response, dtype=float)
    x_NP = np.asarray(design, dtype=float)
    n, num_fixed = x_NP.shape
    if np.linalg.matrix_rank(x_NP) < num_fixed or n <= num_fixed:
        raise ValueError(f"{num_fixed} fixed effects cannot be told apart in {n} observations")
    codes = {name: pd.factorize(np.asarray(groups))[0] for name, groups in random.items()}
    sizes = {name: int(code.max()) + 1 for name, code in codes.items()}
    # The response is centred by least squares first: far from 0, sums of squares lose digits.
    start_P = np.linalg.lstsq(x_NP, y_N, rcond=None)[0]
    model = _model(y_N - x_NP @ start_P, x_NP, codes, reml=reml)
    best = min((_minimum(model, start) for start in (0.1, 1.0)), key=model.deviance)
    fixed_P, information_PP, residual, deviance = model.solve(best)
    ratios = dict(zip(sizes, best**2, strict=True))
    return Components(
        variances={k: float(v * residual) for k, v in ratios.items()} | {RESIDUAL: residual},
        fixed=start_P + fixed_P,
        covariance=residual * np.linalg.inv(information_PP),
        log_likelihood=-deviance / 2,
        n=n,
        groups=sizes,
    )


def cell_means(*factors: np.ndarray | pd.Series) -> np.ndarray:
    """Returns fixed effects with one mean for each combination of the factors that occurs."""
    cells = pd.factorize(pd.MultiIndex.from_arrays([np.asarray(f) for f in factors]))[0]
    return np.eye(int(cells.max()) + 1)[cells]


def likelihood_ratio_test(
    response: np.ndarray | pd.Series,
    full_design: np.ndarray,
    reduced_design: np.ndarray,
    random: Mapping[str, np.ndarray | pd.Series],
    *,
    rng: np.random.Generator | None = None,
    draws: int = 199,
) -> float:
    """Returns the p-value of the fixed effects that ``full_design`` has beyond ``reduced_design``.

    With a generator by parametric bootstrap from the reduced model, p at least 1 / (draws + 1);
    without one from chi-squared, which is too small where groups are few.
    """
    reduced = variance_components(response, reduced_design, random, reml=False)
    full = variance_components(response, full_design, random, reml=False)
    ratio = 2 * (full.log_likelihood - reduced.log_likelihood)
    if rng is None:
        return float(stats.chi2.sf(max(ratio, 0), full_design.shape[1] - reduced_design.shape[1]))
    codes = {name: pd.factorize(np.asarray(groups))[0] for name, groups in random.items()}
    residual = reduced.variances[RESIDUAL]
    start_K = np.sqrt([reduced.variances[name] / residual for name in codes])
    reached = 1
    for _ in range(draws):
        y_N = rng.normal(0, math.sqrt(residual), reduced.n)
        for name, code in codes.items():
            y_N += rng.normal(0, math.sqrt(reduced.variances[name]), reduced.groups[name])[code]
        # The fixed effects of the reduced model are in both and cancel.
        deviances = []
        for design in (reduced_design, full_design):
            model = _model(y_N, design, codes, reml=False)
            deviances.append(model.deviance(_minimum(model, start_K, tolerance=1e-9)))
        reached += deviances[0] - deviances[1] >= ratio
    return reached / (draws + 1)


def _model(
    y: np.ndarray, design: np.ndarray, codes: Mapping[str, np.ndarray], *, reml: bool
) -> _Model:
    sizes = [int(code.max()) + 1 for code in codes.values()]
    z = np.concatenate([np.eye(k)[c] for k, c in zip(sizes, codes.values(), strict=True)], axis=1)
    return _Model(design, z, y, sizes, reml)


def _minimum(model: _Model, start: float | np.ndarray, *, tolerance: float = 1e-15) -> np.ndarray:
    """Returns the scales of least deviance."""
    return optimize.minimize(
        model.deviance,
        np.maximum(np.broadcast_to(start, len(model.sizes)), 0.05),
        method="L-BFGS-B",
        bounds=[(0, None)] * len(model.sizes),
        options={"ftol": tolerance, "gtol": 1e-9 if tolerance < 1e-12 else 1e-5},
    ).x


class _Model:
    """Cross-products of a model, from which each likelihood costs Q^3."""

    def __init__(
        self, x: np.ndarray, z: np.ndarray, y: np.ndarray, sizes: list[int], reml: bool
    ) -> None:
        self.n, self.p, self.sizes, self.reml = len(y), x.shape[1], sizes, reml
        both = np.column_stack([x, y])
        self.both, self.zz, self.zb = both.T @ both, z.T @ z, z.T @ both

    def deviance(self, scale: np.ndarray) -> float:
        return self.solve(scale)[3]

    def solve(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Returns fixed effects, their information, residual variance and -2 log likelihood.

        ``scale`` are standard deviations of the random effects over the residual's.
        """
        scale_Q = np.repeat(scale, self.sizes)
        inner = np.eye(len(scale_Q)) + scale_Q[:, None] * self.zz * scale_Q
        lower = np.linalg.cholesky(inner)
        half = np.linalg.solve(lower, scale_Q[:, None] * self.zb)
        weighted = self.both - half.T @ half
        information = weighted[: self.p, : self.p]
        fixed_P = np.linalg.solve(information, weighted[: self.p, self.p])
        squares = float(weighted[self.p, self.p] - weighted[self.p, : self.p] @ fixed_P)
        freedom = self.n - self.p if self.reml else self.n
        residual = max(squares, 1e-300) / freedom
        deviance = freedom * (1 + math.log(2 * math.pi * residual))
        deviance += 2 * float(np.log(np.diag(lower)).sum())
        if self.reml:
            deviance += float(np.linalg.slogdet(information)[1])
        return fixed_P, information, residual, deviance
