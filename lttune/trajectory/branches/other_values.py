"""Controls in the ticket's mask whose weights start from, or are held at, other values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from lttune.trajectory.branches.departure import Departure, departure
from lttune.trajectory.starts import Junction, holding, rescaled, training_of, unless_shrunk


def starting(kept: str) -> Callable[[Junction], Departure]:
    """Returns the branch whose survivors start as a value of ``kept`` says: see ``starts.STARTS``.

    "rewind" is the control of a trunk that goes on training: Frankle & Carbin (2019), App. B.
    """

    def started(at: Junction) -> Departure:
        """The ticket's mask with survivors of other values."""
        return departure(at, kept)

    return started


def holder(pruned: str) -> Callable[[Junction], Departure]:
    """Returns the branch that starts as the trunk does and has pruned weights hold a value."""

    def held(at: Junction) -> Departure:
        """The ticket with pruned weights at a value: Zhou et al. (2019), section 4.2."""
        return Departure(
            mask=at.mask,
            start=holding(at, at.start, pruned),
            train=at.train,
            first_step=at.first_step,
            pruned=pruned,
        )

    return held


def zero_all_if_shrinking(at: Junction) -> Departure:
    """As ``zero_if_shrinking``, and what survives starts from zero where it moved towards it.

    Zhou et al. (2019), section 4.2.
    """
    start = unless_shrunk(at, at.start)
    return holder("zero_if_shrinking")(dataclasses.replace(at, start=start))


def rescale(at: Junction) -> Departure:
    """The ticket with each layer's rewound weights over its density: Zhou et al. (2019), sec. 5."""
    config = dataclasses.replace(at.config, rescale=True, kept="rewind")
    return departure(dataclasses.replace(at, config=config), "rewind")


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

        ticket = rescaled(at, at.rewound) if at.config.rescale else at.rewound
        weights = {n: added(n, v) if n in at.mask else v for n, v in ticket.items()}
        train, first_step = training_of(at.config, "rewind")
        return Departure(
            mask=at.mask,
            start=holding(at, weights, at.config.pruned),
            train=train,
            first_step=first_step,
        )

    return noise
