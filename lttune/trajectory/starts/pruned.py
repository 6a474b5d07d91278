"""The mask-0 action of Zhou et al. (2019): what pruned weights hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lttune.models.masks import Weights
from lttune.trajectory.starts.junction import Junction
from lttune.trajectory.starts.kept import shrunk_weights, unless_shrunk


def zero(at: Junction) -> Weights:
    """Pruned weights are zero."""
    return {name: torch.zeros_like(at.initial[name]) for name in at.mask}


def freeze(at: Junction) -> Weights:
    """Pruned weights stay at their initial value (Zhou et al. 2019, section 4.2)."""
    return {name: at.initial[name] for name in at.mask}


def zero_if_shrinking(at: Junction) -> Weights:
    """Zero for weights that training moved towards zero, else their initial value.

    Zhou et al. (2019), section 4.2; see ``kept.shrunk_weights``.
    """
    return unless_shrunk(at, freeze(at))


def zero_if_growing(at: Junction) -> Weights:
    """The other way round: zero for weights that did not move towards zero, else initial."""
    return {n: v.masked_fill(~shrunk_weights(at, n), 0.0) for n, v in freeze(at).items()}


def zero_shuffled(at: Junction) -> Weights:
    """As many zeros in each layer as ``zero_if_shrinking`` has, at random places, else initial."""

    def held(name: str, value: Tensor) -> Tensor:
        places = np.flatnonzero(~at.mask[name].numpy())
        zeros = np.count_nonzero(shrunk_weights(at, name).numpy().ravel()[places])
        flat = value.numpy().flatten()
        flat[at.rng.permutation(places)[:zeros]] = 0.0
        return torch.from_numpy(flat).view_as(value)

    return {name: held(name, value) for name, value in freeze(at).items()}


HOLDS: dict[str, Callable[[Junction], Weights]] = {
    "zero": zero,
    "freeze": freeze,
    "zero_if_shrinking": zero_if_shrinking,
    "zero_if_growing": zero_if_growing,
    "zero_shuffled": zero_shuffled,
    "trainable": zero,
}
"""Value of ``pruned`` -> what pruned weights hold; survivors' values are not read."""

RELEASED = "trainable"
"""Value of ``pruned`` whose weights are held nowhere: they are trained from zero on."""
