"""What the weights of a level start from: the survivors' values, and what pruned weights hold.

The words are Zhou et al.'s (2019): the *mask-1 action* sets surviving weights, the *mask-0 action*
pruned ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lttune.config import LotteryConfig, TrainConfig
from lttune.errors import unknown
from lttune.models import Network
from lttune.models.masks import Mask, Weights, mixed
from lttune.pruning.criteria import Evidence
from lttune.training.schedule import held_at_last


@dataclass(frozen=True, kw_only=True)
class Junction:
    """A place of a trajectory: a mask, all weights that a start can be made from, the trunk's way.

    At level 0 nothing is trained yet: all weights are the initial ones.
    """

    mask: Mask
    evidence: Evidence
    """What the mask was pruned from."""
    rewound: Weights
    """Dense weights at ``rewind_step``; ``initial`` if that is 0."""
    dense: Weights
    """Weights at the end of the dense training."""
    final: Weights
    """Each weight at the end of the last training that it survived to."""
    config: LotteryConfig
    rng: np.random.Generator
    start: Weights = field(default_factory=dict)
    """What the trunk itself starts from, once it is settled."""
    train: TrainConfig
    """How the trunk goes on."""
    first_step: int
    """From which step of the schedule on."""

    @property
    def initial(self) -> Weights:
        """Dense weights at initialisation."""
        return self.evidence.initial

    @property
    def trained(self) -> Weights:
        """Weights at the end of the training that the mask was pruned from."""
        return self.evidence.trained

    @property
    def network(self) -> Network:
        """The architecture."""
        return self.evidence.network


def rewind(at: Junction) -> Weights:
    """Survivors return to ``rewind_step``: Frankle & Carbin (2019); Frankle et al. (2020)."""
    return at.rewound


def reinit(at: Junction) -> Weights:
    """All weights are newly drawn: Frankle & Carbin (2019), sections 2 and 3."""
    return at.network.initial_weights(at.rng)


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
    """Zero for weights that training moved towards zero, else their initial value.

    Zhou et al. (2019), section 4.2, who compare the values that the pruning looked at: a weight's
    movement is that of the last training that it survived to, not of the dense one.
    """
    return {
        name: torch.where(
            at.final[name].abs() < at.initial[name].abs(),
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


def start_weights(at: Junction, kept: str, pruned: str) -> Weights:
    """Returns the weights that training starts from, those that it holds fixed included."""
    return holding(at, STARTS[kept](at), pruned)


def holding(at: Junction, weights: Weights, pruned: str) -> Weights:
    """Returns copies of the weights in which those outside the mask are what ``pruned`` says."""
    held = HOLDS[pruned](at)
    return {
        name: mixed(at.mask[name], value, held[name]) if name in at.mask else value.clone()
        for name, value in weights.items()
    }


def training_of(config: LotteryConfig, kept: str) -> tuple[TrainConfig, int]:
    """Returns how a level above 0 is trained, and from which step of the schedule on.

    ``continue`` trains all steps at the last learning rate of the schedule; all others enter the
    schedule at ``rewind_step``.

    Raises:
        ConfigError: if ``kept`` is no name of ``STARTS``.
    """
    if kept not in STARTS:
        raise unknown("kept", kept, STARTS)
    train = config.train
    if kept != "continue":
        return train, config.rewind_step
    return held_at_last(train), 0
