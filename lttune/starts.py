"""What the weights of a level start from: the survivors' values, and what pruned weights hold.

The words are Zhou et al.'s (2019): the *mask-1 action* sets surviving weights, the *mask-0 action*
pruned ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.config import LotteryConfig, TrainConfig
from lttune.masks import Mask, Weights, apply
from lttune.models import Network
from lttune.schedule import rate


@dataclass(frozen=True, kw_only=True)
class Junction:
    """A place of a trajectory: a mask, and all weights that a start can be made from."""

    mask: Mask
    initial: Weights
    """Dense weights at initialisation."""
    rewound: Weights
    """Dense weights at ``rewind_step``; ``initial`` if that is 0."""
    trained: Weights
    """Weights at the end of the training that the mask was pruned from."""
    dense: Weights
    """Weights at the end of the dense training."""
    network: Network
    config: LotteryConfig
    rng: np.random.Generator


def rewind(at: Junction) -> Weights:
    """Survivors return to ``rewind_step``: Frankle & Carbin (2019); Frankle et al. (2020)."""
    return at.rewound


def reinit(at: Junction) -> Weights:
    """All weights are newly drawn: Frankle & Carbin (2019), sections 2 and 3."""
    return at.network.initial_weights(at.rng)


def permute(at: Junction) -> Weights:
    """The survivors' initial values change places within their layer (Zhou et al. 2019)."""

    def permuted(value: Tensor, keep: Tensor) -> Tensor:
        values = value[keep]
        moved = value.clone()
        moved[keep] = values[torch.from_numpy(at.rng.permutation(len(values)))]
        return moved

    return {n: permuted(v, at.mask[n]) if n in at.mask else v for n, v in at.rewound.items()}


def keep_sign(at: Junction) -> Weights:
    """Newly drawn weights take the initial ones' signs (Zhou et al. 2019, section 4)."""
    drawn = at.network.initial_weights(at.rng)
    return {n: drawn[n].abs() * v.sign() if n in at.mask else v for n, v in at.rewound.items()}


def signed_constant(at: Junction) -> Weights:
    """The initial signs times the deviation of the layer's initial weights (Zhou et al. 2019)."""
    return {
        n: v.sign() * at.initial[n].std(correction=0) if n in at.mask else v
        for n, v in at.rewound.items()
    }


def trained(at: Junction) -> Weights:
    """Training goes on from the trained weights: Han et al. (2015), Renda et al. (2020)."""
    return at.trained


STARTS: dict[str, Callable[[Junction], Weights]] = {
    "rewind": rewind,
    "reinit": reinit,
    "permute": permute,
    "keep_sign": keep_sign,
    "signed_constant": signed_constant,
    "continue": trained,
    "lr_rewind": trained,
}
"""Value of ``kept`` -> the survivors' values; those elsewhere in a masked tensor are not read."""


def zero(at: Junction) -> Weights:
    """Pruned weights are zero."""
    return {name: torch.zeros_like(at.initial[name]) for name in at.mask}


def freeze(at: Junction) -> Weights:
    """Pruned weights stay at their initial value (Zhou et al. 2019, section 4.2)."""
    return {name: at.initial[name] for name in at.mask}


def zero_if_shrinking(at: Junction) -> Weights:
    """Zero for weights that the dense training moved towards zero, else their initial value."""
    return {
        name: torch.where(
            at.dense[name].abs() < at.initial[name].abs(),
            torch.zeros_like(at.initial[name]),
            at.initial[name],
        )
        for name in at.mask
    }


HOLDS: dict[str, Callable[[Junction], Weights]] = {
    "zero": zero,
    "freeze": freeze,
    "zero_if_shrinking": zero_if_shrinking,
}
"""Value of ``pruned`` -> what pruned weights hold; survivors' values are not read."""


def start(at: Junction, kept: str, pruned: str) -> Weights:
    """Returns the weights that training starts from, those that it holds fixed included."""
    weights, held = apply(STARTS[kept](at), at.mask), HOLDS[pruned](at)
    return {
        n: torch.where(at.mask[n], v, held[n]) if n in at.mask else v for n, v in weights.items()
    }


def course(config: LotteryConfig, kept: str) -> tuple[TrainConfig, int]:
    """Returns how a level above 0 is trained, and from which step of the schedule on.

    ``continue`` trains all steps at the last learning rate of the schedule; all others enter the
    schedule at ``rewind_step``.
    """
    train = config.train
    if kept != "continue":
        return train, config.rewind_step
    last = rate(train, train.steps - 1)
    return dataclasses.replace(train, lr=last, warmup_steps=0, milestones=()), 0
