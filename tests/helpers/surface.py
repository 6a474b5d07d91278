"""Functions with known importances, and samples of them, for the tests of analysis.importance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import qmc

from lttune.config.design import INERT, Factor, Uniform


class Known(NamedTuple):
    function: Callable
    first: list[float]
    total: list[float]


def _ishigami(u):
    x = (2 * u - 1) * np.pi
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


G = np.array([0.0, 1.0, 4.5, 9.0])
SHARES = 1 / (3 * (1 + G) ** 2)
WHOLE = np.prod(1 + SHARES) - 1


def _sobol_g(u):
    return np.prod((np.abs(4 * u - 2) + G) / (1 + G), axis=1)


KNOWN = {
    "ishigami": Known(_ishigami, [0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437]),
    "sobol_g": Known(
        _sobol_g,
        list(SHARES / WHOLE),
        [s * np.prod(1 + np.delete(SHARES, j)) / WHOLE for j, s in enumerate(SHARES)],
    ),
    "linear": Known(lambda u: u[:, :3] @ [1.0, 2.0, 3.0], *[[1 / 14, 4 / 14, 9 / 14, 0.0]] * 2),
    # Variances 1/12 of each main effect and 4^2 / 144 of the interaction.
    "interaction": Known(
        lambda u: u[:, 0] + u[:, 1] + 4 * (u[:, 0] - 0.5) * (u[:, 1] - 0.5) + 0 * u[:, 2],
        [0.3, 0.3, 0.0],
        [0.7, 0.7, 0.0],
    ),
}


QUICK = {"draws": 8, "permutations": 8, "base": 512}
"""Options with which an estimate takes a second."""


def curved(u):
    return -4 * (u[:, 0] - 0.6) ** 2 + 0.8 * u[:, 0] * u[:, 1]


def totals(result):
    assert result.status == "ok", result.reason
    return result.table.set_index("factor")["total"]


def uniform_factors(names: Sequence[str]) -> list[Factor]:
    return [Factor(path=name, distribution=Uniform(low=0.0, high=1.0)) for name in names]


def sample_of(
    function: Callable,
    dimensions: int,
    n: int,
    *,
    noise: float = 0.0,
    inert: bool = False,
    repeats: int = 0,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame, list[Factor]]:
    """Returns points, responses and factors; noise is a share of the response's SD."""
    unit = qmc.Sobol(dimensions + inert, rng=seed + 1).random(n)
    factors = uniform_factors([f"x{j}" for j in range(dimensions)] + [INERT] * inert)
    names = [factor.path for factor in factors]
    points = pd.DataFrame(unit, columns=pd.Index(names)).assign(trial=range(n))
    y = function(unit[:, :dimensions])
    rng = np.random.default_rng(seed)
    rows = [
        {
            "trial": i,
            "replicate": r,
            "value": y[i] + noise * y.std() * rng.standard_normal(),
            "ok": True,
        }
        for i in range(n)
        for r in range(3 if i < repeats else 1)
    ]
    return points, pd.DataFrame(rows), factors


GRID = (1.0, 0.512, 0.211, 0.087)
"""Densities of ``by_density``."""


def by_density(n=32, noise=0.02, **options):
    """Returns a response in which x0 decides above a density of 0.4, and x1 below."""
    points, responses, factors = sample_of(lambda u: u[:, 0], 3, n, **options)
    u = points.set_index("trial").loc[responses["trial"], ["x0", "x1"]].to_numpy()
    rng = np.random.default_rng(0)
    rows = []
    for density in GRID:
        share = 1.0 if density > 0.4 else 0.2
        value = share * u[:, 0] + (1 - share) * u[:, 1] + noise * rng.standard_normal(len(u))
        rows.append(responses.assign(density=density, value=value))
    return points, pd.concat(rows, ignore_index=True), factors
