"""Variance components: how much of the noise is initialisation, order, split, trajectory.

A linear mixed model with any number of crossed random effects, fitted by restricted maximum
likelihood, which is unbiased where groups are few. Its cost grows with the number of groups, not of
observations: the marginal covariance s2 (I + sum_k theta_k Z_k Z_k') enters through Woodbury's
identity only (Bates et al. 2015, Fitting Linear Mixed-Effects Models Using lme4, section 3).

Shape suffixes: N observations, P fixed effects, Q groups of all random effects together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

RESIDUAL = "residual"


@dataclass(frozen=True, kw_only=True)
class Components:
    """A fitted model."""

    variances: dict[str, float]
    """Variance of each random effect and of the residual, in squared units of the response."""
    fixed: np.ndarray
    """Fixed effects."""
    log_likelihood: float
    """Restricted: models of other fixed effects may not be compared by it."""
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
) -> Components:
    """Returns the mixed model of a response.

    ``random`` names the effects; each holds the group of every observation, and may be crossed
    with the others or nested in them.

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
    model = _model(y_N - x_NP @ start_P, x_NP, codes)
    best = min((_minimum(model, start) for start in (0.1, 1.0)), key=model.deviance)
    fixed_P, residual, deviance = model.solve(best)
    ratios = dict(zip(sizes, best**2, strict=True))
    return Components(
        variances={k: float(v * residual) for k, v in ratios.items()} | {RESIDUAL: residual},
        fixed=start_P + fixed_P,
        log_likelihood=-deviance / 2,
        n=n,
        groups=sizes,
    )


def _model(y: np.ndarray, design: np.ndarray, codes: Mapping[str, np.ndarray]) -> _Model:
    sizes = [int(code.max()) + 1 for code in codes.values()]
    z = np.concatenate([np.eye(k)[c] for k, c in zip(sizes, codes.values(), strict=True)], axis=1)
    return _Model(design, z, y, sizes)


def _minimum(model: _Model, start: float) -> np.ndarray:
    """Returns the scales of least deviance."""
    return scipy.optimize.minimize(
        model.deviance,
        np.full(len(model.sizes), start),
        method="L-BFGS-B",
        bounds=[(0, None)] * len(model.sizes),
        options={"ftol": 1e-15, "gtol": 1e-9},
    ).x


class _Model:
    """Cross-products of a model, from which each likelihood costs Q^3."""

    def __init__(self, x: np.ndarray, z: np.ndarray, y: np.ndarray, sizes: list[int]) -> None:
        self.n, self.p, self.sizes = len(y), x.shape[1], sizes
        both = np.column_stack([x, y])
        self.both, self.zz, self.zb = both.T @ both, z.T @ z, z.T @ both

    def deviance(self, scale: np.ndarray) -> float:
        return self.solve(scale)[2]

    def solve(self, scale: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Returns fixed effects, residual variance and -2 log restricted likelihood.

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
        freedom = self.n - self.p
        residual = max(squares, 1e-300) / freedom
        deviance = freedom * (1 + math.log(2 * math.pi * residual))
        deviance += 2 * float(np.log(np.diag(lower)).sum())
        deviance += float(np.linalg.slogdet(information)[1])
        return fixed_P, residual, deviance
