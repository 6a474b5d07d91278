"""The mask-1 action of Zhou et al. (2019): what surviving weights start from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lttune.models.masks import Weights, density
from lttune.trajectory.starts.junction import Junction


def rewind(at: Junction) -> Weights:
    """Survivors return to ``rewind_step``: Frankle & Carbin (2019); Frankle et al. (2020)."""
    return at.rewound


def reinit(at: Junction) -> Weights:
    """All weights are newly drawn: Frankle & Carbin (2019), sections 2 and 3."""
    return at.network.initial_weights(at.rng)


def reinit_scaled(at: Junction) -> Weights:
    """All weights are newly drawn, at a variance over the layer's density.

    Dey et al. (2024), Table 1: a unit's inputs then vary as before pruning.
    """
    return scaled(at, reinit(at), 0.5)


def permute(at: Junction) -> Weights:
    """The survivors' rewound values change places within their layer (Zhou et al. 2019)."""

    def permuted(value: Tensor, keep: Tensor) -> Tensor:
        values = value[keep]
        moved = value.clone()
        moved[keep] = values[torch.from_numpy(at.rng.permutation(len(values)))]
        return moved

    return {n: permuted(v, at.mask[n]) if n in at.mask else v for n, v in at.rewound.items()}


def keep_sign(at: Junction) -> Weights:
    """Newly drawn weights take the rewound ones' signs (Zhou et al. 2019, section 4)."""
    drawn = at.network.initial_weights(at.rng)
    return {n: drawn[n].abs() * v.sign() if n in at.mask else v for n, v in at.rewound.items()}


def signed_constant(at: Junction) -> Weights:
    """The rewound signs times the deviation of the layer's initial weights (Zhou et al. 2019)."""
    return {
        n: v.sign() * at.initial[n].std(correction=0) if n in at.mask else v
        for n, v in at.rewound.items()
    }


def permute_magnitudes(at: Junction) -> Weights:
    """The survivors' rewound magnitudes change places within their layer, the signs stay.

    Zhou et al. (2019), section 4.1.
    """
    moved = permute(at)
    return {n: moved[n].copysign(v) if n in at.mask else v for n, v in at.rewound.items()}


def shrunk_weights(at: Junction, name: str) -> Tensor:
    """Returns which weights of a tensor training moved towards zero (bool, of its shape).

    Zhou et al. (2019), section 4.2, compare the values that the pruning looked at: a weight's
    movement is that of the last training that it survived to, not of the dense one.
    """
    return at.final[name].abs() < at.initial[name].abs()


def unless_shrunk(at: Junction, weights: Weights) -> Weights:
    """Returns weights of which those of masked tensors are zero that moved towards it."""
    return {
        n: v.masked_fill(shrunk_weights(at, n), 0.0) if n in at.mask else v
        for n, v in weights.items()
    }


def rewind_grown(at: Junction) -> Weights:
    """Survivors return to ``rewind_step``, but to zero if they moved towards it.

    With ``pruned`` "zero_if_shrinking" it is the mask-0 action of Zhou et al. (2019), section 4.2,
    on all weights.
    """
    return unless_shrunk(at, at.rewound)


def trained(at: Junction) -> Weights:
    """Training goes on from the trained weights: Han et al. (2015), Renda et al. (2020)."""
    return at.final


STARTS: dict[str, Callable[[Junction], Weights]] = {
    "rewind": rewind,
    "reinit": reinit,
    "reinit_scaled": reinit_scaled,
    "permute": permute,
    "keep_sign": keep_sign,
    "permute_magnitudes": permute_magnitudes,
    "signed_constant": signed_constant,
    "zero_if_shrinking": rewind_grown,
    "continue": trained,
    "lr_rewind": trained,
}
"""Value of ``kept`` -> the survivors' values; those elsewhere in a masked tensor are not read."""

TRAINED_ON = ("continue", "lr_rewind")
"""Values of ``kept`` that go on from trained weights."""


def rescaled(at: Junction, weights: Weights) -> Weights:
    """Returns weights of which each masked tensor is divided by its mask's density.

    The sum of a unit's inputs then varies as that of the dense network: the dynamic weight
    rescaling of Zhou et al. (2019), section 5.
    """
    return scaled(at, weights, 1)


def scaled(at: Junction, weights: Weights, power: float) -> Weights:
    """Returns weights of which each masked tensor is divided by a power of its mask's density."""
    shares = {name: density({name: keep}) ** power for name, keep in at.mask.items()}
    # Of a layer without survivors nothing is read.
    return {n: v / shares[n] if shares.get(n) else v for n, v in weights.items()}
