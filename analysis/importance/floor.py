"""How much importance the estimator finds where there is none.

The inert factor's values are shuffled among the points, the surrogate is given the length scale
that then fits best, and ST is estimated again. A factor is detected only above what chance gives.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy

from analysis.importance.sample import Sample
from analysis.importance.surrogates import process as gp
from analysis.importance.surrogates.draws import draw
from lttune.config.design import INERT
from lttune.config.design.distributions import Floats
from lttune.config.design.factors import encode

PERMUTATIONS = 200
SCALES = (0.3, 1.0, 3.0, 10.0, gp.SCALES[1])
"""Length scales that compete for the shuffled factor; at the last it is flat. The kernel's other
numbers stay: fitting all of them anew for each shuffle would take minutes."""
PLACES = 256
DRAWS = 8


def null_totals(
    surrogate: gp.Surrogate, sample: Sample, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Floats:
    """Returns ST of the shuffled inert factor, one for each permutation.

    A design without an inert factor gets an evenly spread one for the purpose.
    """
    rng = np.random.default_rng(seed)
    columns, owners = encode(sample.factors, sample.unit)
    paths = [factor.path for factor in sample.factors]
    places = scipy.stats.qmc.Sobol(len(paths) + 1, rng=seed).random(PLACES)
    a = encode(sample.factors, places[:, :-1])[0]
    if INERT in paths:
        column = owners.index(paths.index(INERT))
        values = columns[:, column]
    else:
        column = columns.shape[1]
        values = (np.arange(len(columns)) + 0.5) / len(columns)
        surrogate = _widened(surrogate)
        a = np.hstack([a, rng.random((PLACES, 1))])
    ab = a.copy()
    ab[:, column] = places[:, -1]
    found = np.zeros(permutations)
    for i in range(permutations):
        shuffled = rng.permutation(values)
        tried = [gp.with_column(surrogate, column, shuffled, scale) for scale in SCALES]
        best = max(tried, key=lambda s: gp.log_likelihood(s, sample))
        draws = draw(best, sample, [None] * DRAWS, seed=seed + i, features=128)
        y_a, y_ab = draws(a), draws(ab)
        variance = (y_a.var(0) + y_ab.var(0)) / 2
        found[i] = (((y_a - y_ab) ** 2).mean(0) / 2 / np.maximum(variance, 1e-300)).mean()
    return found


def _widened(surrogate: gp.Surrogate) -> gp.Surrogate:
    """Returns the surrogate with one more column, in which it is flat."""
    extra = np.zeros((len(surrogate.x_nc), 1))
    return dataclasses.replace(
        surrogate,
        x_nc=np.hstack([surrogate.x_nc, extra]),
        scales_c=np.append(surrogate.scales_c, gp.SCALES[1]),
    )
