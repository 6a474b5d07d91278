"""The surrogate: a Gaussian process of the response over the unit cube, and how good it is.

Kernel: amplitude * Matern-5/2 with a length scale per column (ARD), plus noise. Replicates of a
point enter as their mean with the noise divided by their number, which gives the same posterior.

Suffixes: n points, c columns, m places to predict at, k posterior draws.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from analysis.importance.sample import Sample, pooled
from lttune.config.design.distributions import Floats

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

SCALES = (0.05, 1e3)
"""Range of length scales, in widths of the cube. At its top a factor is flat to the surrogate."""
STARTS = (0.3, 5.0)
"""Where random length scales start, beside all at 1 and all at 3. scikit-learn's own restarts are
spread over all of ``SCALES``: most start where the likelihood is flat, and weak factors are lost
(Sobol' G at 128 points: a log likelihood of 79 instead of 92, and a factor of ST .03 missed)."""
NOISE = (1e-6, 2.0)
"""Range of the noise variance, as a share of the response's."""
CACHED = 128
"""Places of which a row of steps is taken at once, so that what is between them stays in the
second-level cache. Products of matrices are of whole blocks: in others their last digits differ."""


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """A Gaussian process with its hyperparameters, over responses that were standardised."""

    x_nc: Floats
    """Columns of the points."""
    scales_c: Floats
    """Length scale of each column."""
    amplitude: float
    """Prior variance of the signal."""
    noise: float
    """Variance of one trajectory about the signal, > 0."""
    centre: float
    """What standardising subtracted from the response."""
    spread: float
    """What standardising divided the response by."""

    def covariance(self, a_c: Floats, b_c: Floats) -> Floats:
        """Returns the signal's prior covariance between places."""
        a, b = a_c / self.scales_c, b_c / self.scales_c
        found = 2 * a @ b.T
        rows, columns = (a**2).sum(1)[:, None], (b**2).sum(1)[None, :]
        for start in range(0, len(found), CACHED):
            part = slice(start, start + CACHED)
            np.multiply(self.amplitude, matern(rows[part] + columns - found[part]), out=found[part])
        return found


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well the surrogate predicts points that were left out, one at a time."""

    q2: float
    """1 - squared error / squared deviation from the mean; 1 is perfect, 0 is the mean."""
    z_sd: float
    """Standard deviation of the standardised errors; 1 is calibrated, above is over-confident."""
    coverage: float
    """Share of points inside their 95 % prediction interval."""
    observed: Floats
    """Mean response of each point."""
    predicted: Floats
    """Its prediction from all other points."""
    deviation: Floats
    """Standard deviation of that prediction, the noise of the point's own trajectories included."""
    trials: tuple[int, ...]
    """Trial numbers of the points."""


def squared_distances(a_c: Floats, b_c: Floats) -> Floats:
    """Returns the squared distances between places."""
    return (a_c**2).sum(1)[:, None] + (b_c**2).sum(1)[None, :] - 2 * a_c @ b_c.T


def matern(squared: Floats) -> Floats:
    """Returns the Matern-5/2 correlation at squared scaled distances."""
    # In place: the importances of a design are mostly this, and a new array for each step is half
    # of its time.
    r = np.maximum(squared, 0.0)
    r *= 5
    np.sqrt(r, out=r)
    third = r**2
    third /= 3
    falling = np.negative(r)
    np.exp(falling, out=falling)
    r += 1
    r += third
    r *= falling
    return r


def fit(sample: Sample, *, restarts: int = 5, seed: int = 0) -> Surrogate:
    """Returns the surrogate of greatest marginal likelihood over several starts.

    Raises:
        ValueError: if the response is constant: it has no standard deviation to divide by.
    """
    if sample.is_constant:
        raise ValueError("a constant response has no surrogate")
    centre, spread = float(sample.y.mean()), float(sample.y.std())
    columns = sample.columns
    rng = np.random.default_rng(seed)
    low, high = np.log(STARTS)
    starts = [np.ones(columns.shape[1]), np.full(columns.shape[1], 3.0)]
    starts += list(np.exp(rng.uniform(low, high, (max(restarts - 1, 0), columns.shape[1]))))
    found = [
        _climb(start, columns[sample.owner], (sample.y - centre) / spread)
        for start in starts[: restarts + 1]
    ]
    kernel: Any = max(found, key=lambda p: p.log_marginal_likelihood_value_).kernel_
    amplitude, *scales, noise = np.exp(kernel.theta)
    return Surrogate(
        x_nc=columns,
        scales_c=np.array(scales),
        amplitude=float(amplitude),
        noise=float(noise),
        centre=centre,
        spread=spread,
    )


def _climb(start_c: Any, x_nc: Floats, y_n: Floats) -> GaussianProcessRegressor:
    # It takes a second to import, and a report whose importances are kept needs none of it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(start_c, SCALES, nu=2.5)
    process = GaussianProcessRegressor(kernel + WhiteKernel(0.1, NOISE))
    with warnings.catch_warnings():
        # A scale at the top of its range is a factor without effect, no failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(x_nc, y_n)


def leave_one_out(surrogate: Surrogate, sample: Sample) -> Quality:
    """Returns the quality of predictions of points left out with all of their replicates.

    Closed form (Dubrule 1983); hyperparameters stay those of all points. Weights of an adaptive
    sample weigh the errors.
    """
    counts, means = pooled(sample)
    y = (means - surrogate.centre) / surrogate.spread
    k_nn = surrogate.covariance(surrogate.x_nc, surrogate.x_nc)
    inverse = np.linalg.inv(k_nn + np.diag(surrogate.noise / counts))
    errors = (inverse @ y) / np.diag(inverse)
    z = errors * np.sqrt(np.diag(inverse))
    w = np.ones_like(y) if sample.weights is None else sample.weights
    w = w / w.sum()
    # The mean, too, is that of the other points.
    baseline = (y - w @ y) / (1 - w)
    return Quality(
        q2=float(1 - (w @ errors**2) / (w @ baseline**2)),
        z_sd=float(np.sqrt(w @ z**2)),
        coverage=float(w @ (np.abs(z) < 1.96)),
        observed=means,
        predicted=(y - errors) * surrogate.spread + surrogate.centre,
        deviation=surrogate.spread / np.sqrt(np.diag(inverse)),
        trials=sample.trials,
    )


def log_likelihood(surrogate: Surrogate, sample: Sample) -> float:
    """Returns the log marginal likelihood of the points' mean responses, up to a constant."""
    counts, means = pooled(sample)
    k_nn = surrogate.covariance(surrogate.x_nc, surrogate.x_nc)
    root, _ = cho_factor(k_nn + np.diag(surrogate.noise / counts), lower=True)
    y = (means - surrogate.centre) / surrogate.spread
    return float(-0.5 * y @ cho_solve((root, True), y) - np.log(np.diag(root)).sum())


def with_column(surrogate: Surrogate, column: int, values: Floats, scale: float) -> Surrogate:
    """Returns the surrogate with other values and another length scale in one column."""
    x_nc, scales_c = surrogate.x_nc.copy(), surrogate.scales_c.copy()
    x_nc[:, column], scales_c[column] = values, scale
    return dataclasses.replace(surrogate, x_nc=x_nc, scales_c=scales_c)
