"""Which kernels the responses allow, besides the one that fits best.

At 64 noisy points the best fit may call a factor flat that explains a twentieth of the variance. An
interval that holds the kernel fixed there has no width (measured: it covers the truth in half of
the cases), so the intervals draw kernels from their posterior.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from analysis.importance.sample import Sample, pooled
from analysis.importance.surrogates import process as gp
from lttune.config.design.distributions import Floats

SCALES = (0.05, 50.0)
"""Range of the length scales' prior, uniform in the logarithm. At its top a factor is flat."""
AMPLITUDES = (0.05, 100.0)
NOISES = (1e-6, 2.0)
STEPS = (0.1, 0.4, 1.5)
"""Standard deviations of the proposals in the logarithm: one suits wherever the data stand."""
BURN_IN = 10
SWEEPS = 2
"""Sweeps over all hyperparameters between two kernels that are kept."""


def plausible(
    surrogate: gp.Surrogate, sample: Sample, count: int, *, seed: int = 0
) -> list[gp.Surrogate]:
    """Returns kernels drawn from their posterior, by Metropolis steps in one number at a time.

    Args:
        surrogate: the best fit, where the chain starts.
        sample: the responses.
        count: kernels.
        seed: of the chain.
    """
    rng = np.random.default_rng([seed, 2])
    counts, means = pooled(sample)
    y = (means - surrogate.centre) / surrogate.spread
    # One column's part of the squared distances is all that changes with its scale.
    parts = np.array([(x[:, None] - x[None, :]) ** 2 for x in surrogate.x_nc.T])
    columns = len(parts)
    ranges = np.log([SCALES] * columns + [AMPLITUDES, NOISES])
    theta = np.log([*surrogate.scales_c, surrogate.amplitude, surrogate.noise])
    theta = np.clip(theta, ranges[:, 0], ranges[:, 1])
    squared = np.tensordot(np.exp(-2 * theta[:columns]), parts, axes=1)
    now = _likelihood(squared, theta, y, counts)
    kept: list[gp.Surrogate] = []
    for sweep in range(BURN_IN + SWEEPS * count):
        for j in range(columns + 2):
            other = theta.copy()
            other[j] += rng.choice(STEPS) * rng.standard_normal()
            threshold = np.log(rng.random())
            if not ranges[j, 0] <= other[j] <= ranges[j, 1]:
                continue
            moved = squared
            if j < columns:
                moved = squared + parts[j] * (np.exp(-2 * other[j]) - np.exp(-2 * theta[j]))
            then = _likelihood(moved, other, y, counts)
            if then - now > threshold:
                theta, squared, now = other, moved, then
        if sweep >= BURN_IN and (sweep - BURN_IN) % SWEEPS == SWEEPS - 1:
            kept.append(
                dataclasses.replace(
                    surrogate,
                    scales_c=np.exp(theta[:columns]),
                    amplitude=float(np.exp(theta[-2])),
                    noise=float(np.exp(theta[-1])),
                )
            )
    return kept


def _likelihood(squared: Floats, theta: Floats, y: Floats, counts: Floats) -> float:
    covariance = np.exp(theta[-2]) * gp.matern(squared)
    covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1]) / counts
    try:
        root, lower = cho_factor(covariance, lower=True, check_finite=False)
    except LinAlgError:
        return -np.inf
    return float(-0.5 * y @ cho_solve((root, lower), y) - np.log(np.diag(root)).sum())
