"""Functions drawn from a surrogate's posterior, whole: they can be called anywhere.

Suffixes: n points, c columns, m places, k draws, f frequencies, g values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from analysis.importance.sample import Sample, pooled
from analysis.importance.surrogates.process import CACHED, Surrogate, matern, squared_distances
from lttune.config.design.distributions import Floats

FEATURES = 512
"""Random frequencies of a prior draw."""
BLOCK = 4096
"""Places predicted at once, so that memory stays near 50 MB."""


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Functions drawn from the posterior, each from a resample of the trajectories."""

    surrogate: Surrogate
    frequencies_cf: Floats
    prior_fk: Floats
    """Weights of the cosines, then the sines, of each prior draw."""
    update_nk: Floats
    """What conditioning on the responses adds, as weights of the covariances with the points."""

    def __call__(self, x_mc: Floats) -> Floats:
        """Returns the drawn functions at places, in units of the response, shape (m, k)."""
        values = np.empty((len(x_mc), self.update_nk.shape[1]))
        for start in range(0, len(x_mc), BLOCK):
            part = slice(start, start + BLOCK)
            values[part] = self.surrogate.covariance(x_mc[part], self.surrogate.x_nc) @ (
                self.update_nk
            )
            values[part] += _waves(x_mc[part], self.frequencies_cf) @ self.prior_fk
        return values * self.surrogate.spread + self.surrogate.centre

    def means(self, x_mc: Floats, own: NDArray[np.intp], values: Floats) -> Floats:
        """Returns the means over places, a row for each row of values that some columns have there.

        As called at all of these places, at a fifth of the cost: a wave turns by the same angle at
        all places, so that the sines and cosines, which take longest, are of a few numbers.

        Args:
            x_mc: the places.
            own: which columns.
            values: of these columns, a row for each mean.
        """
        known, phase = self.surrogate, x_mc.copy()
        phase[:, own] = 0.0
        wave = _waves(phase, self.frequencies_cf).mean(0)
        cos, sin = np.split(wave, 2)
        turn_cos, turn_sin = np.split(_waves(values, self.frequencies_cf[own]), 2, axis=1)
        turned = np.hstack([cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin])
        scaled_m, scaled_n = x_mc / known.scales_c, known.x_nc / known.scales_c
        scaled_g = values / known.scales_c[own]
        rest = squared_distances(np.delete(scaled_m, own, 1), np.delete(scaled_n, own, 1))
        nearer = squared_distances(scaled_g, scaled_n[:, own])
        near = np.array([matern(rest + one).mean(0) for one in nearer]) * known.amplitude
        return (near @ self.update_nk + turned @ self.prior_fk) * known.spread + known.centre


def draw(
    surrogate: Surrogate,
    sample: Sample,
    resamples: Sequence[np.ndarray | None],
    *,
    seed: int = 0,
    features: int = FEATURES,
) -> Draws:
    """Returns one posterior draw for each resample, whole functions that can be called anywhere.

    Pathwise conditioning (Wilson et al. 2020): a prior draw from random Fourier features, corrected
    at the points. Joint draws at the tens of thousands of places of a Sobol' estimate would need
    their covariance matrix.

    Args:
        surrogate: its hyperparameters hold in all draws.
        sample: the responses.
        resamples: indices of trajectories, with repetition; None takes all of them once.
        seed: root of the draws.
        features: random frequencies.
    """
    rng = np.random.default_rng(seed)
    columns = surrogate.x_nc.shape[1]
    # Matern-5/2 has Student's t with 5 degrees of freedom as its spectrum.
    tails = np.sqrt(5 / rng.chisquare(5, features))
    frequencies = rng.standard_normal((columns, features)) * tails / surrogate.scales_c[:, None]
    size = np.sqrt(surrogate.amplitude / features)
    prior = rng.standard_normal((2 * features, len(resamples))) * size
    at_points = _waves(surrogate.x_nc, frequencies) @ prior
    k_nn = surrogate.covariance(surrogate.x_nc, surrogate.x_nc)
    update = np.zeros_like(at_points)
    for k, picked in enumerate(resamples):
        counts, means = pooled(sample, picked)
        seen = counts > 0
        noise = surrogate.noise / counts[seen]
        y = (means[seen] - surrogate.centre) / surrogate.spread
        y = y - at_points[seen, k] - rng.standard_normal(seen.sum()) * np.sqrt(noise)
        factor = cho_factor(k_nn[np.ix_(seen, seen)] + np.diag(noise), lower=True)
        update[seen, k] = cho_solve(factor, y)
    return Draws(surrogate=surrogate, frequencies_cf=frequencies, prior_fk=prior, update_nk=update)


def posterior_mean(surrogate: Surrogate, sample: Sample) -> Draws:
    """Returns the posterior mean, as the one function of ``Draws``."""
    counts, means = pooled(sample)
    k_nn = surrogate.covariance(surrogate.x_nc, surrogate.x_nc)
    factor = cho_factor(k_nn + np.diag(surrogate.noise / counts), lower=True)
    update = cho_solve(factor, (means - surrogate.centre) / surrogate.spread)[:, None]
    nothing = np.zeros((surrogate.x_nc.shape[1], 1))
    return Draws(
        surrogate=surrogate,
        frequencies_cf=nothing,
        prior_fk=np.zeros((2, 1)),
        update_nk=update,
    )


def _waves(x_mc: Floats, frequencies_cf: Floats) -> Floats:
    phase = x_mc @ frequencies_cf
    count = phase.shape[1]
    waves = np.empty((len(phase), 2 * count))
    for start in range(0, len(phase), CACHED):
        part = slice(start, start + CACHED)
        np.cos(phase[part], out=waves[part, :count])
        np.sin(phase[part], out=waves[part, count:])
    return waves
