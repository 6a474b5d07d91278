"""Controls in the ticket's mask whose weights start from, or are held at, other values."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lttune.trajectory.branches.departure import Departure, departure
from lttune.trajectory.starts import Junction, course, holding


def reinit(at: Junction) -> Departure:
    """Newly drawn weights: Frankle & Carbin (2019), sections 2 and 3."""
    return departure(at, "reinit")


def finetune(at: Junction) -> Departure:
    """Training goes on at the last learning rate: Han et al. (2015)."""
    return departure(at, "continue")


def lr_rewind(at: Junction) -> Departure:
    """Training goes on with the schedule rewound: Renda et al. (2020)."""
    return departure(at, "lr_rewind")


def reset(at: Junction) -> Departure:
    """Rewound, where the trunk itself goes on training: Frankle & Carbin (2019), App. B."""
    return departure(at, "rewind")


def permute(at: Junction) -> Departure:
    """The survivors' values in another order: Zhou et al. (2019), section 4."""
    return departure(at, "permute")


def keep_sign(at: Junction) -> Departure:
    """Newly drawn weights with the ticket's signs: Zhou et al. (2019), section 4."""
    return departure(at, "keep_sign")


def signed_constant(at: Junction) -> Departure:
    """The ticket's signs times the layer's deviation: Zhou et al. (2019), section 4."""
    return departure(at, "signed_constant")


def holder(pruned: str) -> Callable[[Junction], Departure]:
    """Returns the branch that starts as the trunk does and holds pruned weights as it is told."""

    def held(at: Junction) -> Departure:
        """The ticket with pruned weights at a value: Zhou et al. (2019), section 4.2."""
        return Departure(
            mask=at.mask,
            start=holding(at, at.start, pruned),
            train=at.train,
            first_step=at.first_step,
        )

    return held


def noisy(deviations: float) -> Callable[[Junction], Departure]:
    """Returns the branch that adds Gaussian noise to the ticket's weights.

    Args:
        deviations: standard deviation of the noise, in those of the layer's initial weights.
    """

    def noise(at: Junction) -> Departure:
        """The rewound ticket with noise on its weights: Frankle & Carbin (2019), App. F.7."""

        def added(name: str, value: Tensor) -> Tensor:
            drawn = torch.from_numpy(at.rng.standard_normal(value.shape, dtype="float32"))
            return value + deviations * at.initial[name].std(correction=0) * drawn

        weights = {n: added(n, v) if n in at.mask else v for n, v in at.rewound.items()}
        train, first_step = course(at.config, "rewind")
        return Departure(
            mask=at.mask,
            start=holding(at, weights, at.config.pruned),
            train=train,
            first_step=first_step,
        )

    return noise
