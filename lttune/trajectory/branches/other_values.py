"""Controls in the ticket's mask whose weights start from, or are held at, other values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lttune.models.masks import Weights
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
        return _from(at, {n: added(n, v) if n in at.mask else v for n, v in ticket.items()})

    return noise


def flipped(share: float) -> Callable[[Junction], Departure]:
    """Returns the branch that turns the signs of a share of the ticket's weights, at random.

    It goes on as the trunk does, from trained weights too: Gadhikar & Burkholz (2024).
    """

    def flip(at: Junction) -> Departure:
        """The ticket with some signs of its survivors turned, in each layer the same share."""

        def turned(name: str, value: Tensor) -> Tensor:
            places = np.flatnonzero(at.mask[name].numpy())
            flat = value.numpy().flatten()
            flat[at.rng.permutation(places)[: round(share * len(places))]] *= -1
            return torch.from_numpy(flat).view_as(value)

        start = {n: turned(n, v) if n in at.mask else v.clone() for n, v in at.start.items()}
        return Departure(mask=at.mask, start=start, train=at.train, first_step=at.first_step)

    return flip


def trained_sign(at: Junction) -> Departure:
    """New weights with the signs that the level's own training ended with: Gadhikar et al. (2025).

    A survivor that ended at zero counts as positive.
    """
    drawn = at.network.initial_weights(at.rng)
    signed = {n: drawn[n].abs().copysign(at.end[n]) for n in at.mask}
    return _from(at, at.rewound | signed)


def trained_magnitude(at: Junction) -> Departure:
    """The magnitudes that the level's own training ended with, signs drawn: as ``trained_sign``."""

    def signed(value: Tensor) -> Tensor:
        signs = at.rng.integers(0, 2, tuple(value.shape), dtype="int8") * 2 - 1
        return value.abs() * torch.from_numpy(signs)

    return _from(at, at.rewound | {name: signed(at.end[name]) for name in at.mask})


def _from(at: Junction, weights: Weights) -> Departure:
    """Returns the ticket's mask with these weights, trained as a ticket that was rewound."""
    train, first_step = training_of(at.config, "rewind")
    start = holding(at, weights, at.config.pruned)
    return Departure(mask=at.mask, start=start, train=train, first_step=first_step)
