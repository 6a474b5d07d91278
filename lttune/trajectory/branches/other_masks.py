"""Controls whose survivors are elsewhere: as many as the ticket has, other ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from lttune.models import masks
from lttune.models.masks import Mask
from lttune.pruning.rule import prune
from lttune.trajectory.branches.departure import Departure, departure
from lttune.trajectory.starts import Junction


def random_mask(at: Junction) -> Departure:
    """As many survivors in each layer at random places, with newly drawn weights (Figure 1).

    The weights are new because this is the paper's control of both; ``shuffle`` keeps them.
    """
    return departure(dataclasses.replace(at, mask=shuffled(at)), "reinit")


def random_scaled(at: Junction) -> Departure:
    """As ``random_mask``, the new weights at a variance over the density: Dey et al. (2024)."""
    return departure(dataclasses.replace(at, mask=shuffled(at)), "reinit_scaled")


def shuffle(at: Junction) -> Departure:
    """As many survivors in each layer at random places, rewound: Frankle et al. (2021)."""
    return departure(dataclasses.replace(at, mask=shuffled(at)), "rewind")


def random_global(at: Junction) -> Departure:
    """As many survivors, anywhere in the network, with newly drawn weights."""
    alive = np.zeros(masks.prunable(at.mask), bool)
    alive[: masks.surviving(at.mask)] = True
    parts = torch.from_numpy(at.rng.permutation(alive)).split([k.numel() for k in at.mask.values()])
    mask = {n: p.view_as(k) for (n, k), p in zip(at.mask.items(), parts, strict=True)}
    return departure(dataclasses.replace(at, mask=mask), "reinit")


def random_even(at: Junction) -> Departure:
    """As many survivors, every layer at the same density, with newly drawn weights."""
    return _spread(at, lambda shape: Fraction(1))


def random_erk(at: Junction) -> Departure:
    """As many survivors, with newly drawn weights, at Erdos-Renyi-Kernel densities.

    A layer's density is in proportion to the sum of its dimensions over their product, and at most
    1: Evci et al. (2020), section 3.
    """
    return _spread(at, lambda shape: Fraction(sum(shape), math.prod(shape)))


def one_shot(at: Junction) -> Departure:
    """Pruned from the dense weights at once, to the ticket's own counts, and rewound.

    Frankle & Carbin (2019), section 2 and Figure 4.
    """
    whole = masks.ones(at.initial, list(at.mask))
    dense = dataclasses.replace(at.evidence, trained=at.dense_scored, mask=whole, rng=at.rng)
    mask = prune(dense, at.config.prune, like=at.mask)
    return departure(dataclasses.replace(at, mask=mask), "rewind")


def shuffled(at: Junction) -> Mask:
    """Returns a mask with as many survivors in each tensor, at random places.

    Where channels are pruned, whole channels change places.
    """

    def moved(keep: Tensor) -> Tensor:
        if at.config.prune.structure == "channel":
            return torch.from_numpy(at.rng.permutation(keep.numpy()))
        return torch.from_numpy(at.rng.permutation(keep.numpy().ravel())).view_as(keep)

    return {name: moved(keep) for name, keep in at.mask.items()}


def _spread(at: Junction, density: Callable[[Sequence[int]], Fraction]) -> Departure:
    """Newly drawn weights under a random mask whose layers have densities in these proportions."""
    sizes = [keep.numel() for keep in at.mask.values()]
    shares = [density(keep.shape) for keep in at.mask.values()]
    counts = apportioned(masks.surviving(at.mask), sizes, shares)
    mask: Mask = {}
    for (name, keep), count in zip(at.mask.items(), counts, strict=True):
        alive = np.arange(keep.numel()) < count
        mask[name] = torch.from_numpy(at.rng.permutation(alive)).view_as(keep)
    return departure(dataclasses.replace(at, mask=mask), "reinit")


def apportioned(total: int, sizes: Sequence[int], shares: Sequence[Fraction]) -> list[int]:
    """Returns how many weights of each layer survive; they add up to ``total``.

    Args:
        total: survivors in all, at most the sum of the sizes.
        sizes: weights of each layer.
        shares: densities of the layers up to a common factor; a layer that would come above 1 is
            whole, and the others share the rest. What rounding leaves over goes, one each, to the
            layers that lost the largest part of a weight, the first if tied.
    """
    partial, left = list(range(len(sizes))), total
    exact = [Fraction(size) for size in sizes]
    while partial:
        factor = left / sum((shares[i] * sizes[i] for i in partial), Fraction(0))
        whole = [i for i in partial if factor * shares[i] >= 1]
        if not whole:
            for i in partial:
                exact[i] = factor * shares[i] * sizes[i]
            break
        left -= sum(sizes[i] for i in whole)
        partial = [i for i in partial if i not in whole]
    counts = [math.floor(value) for value in exact]
    for i in sorted(partial, key=lambda i: counts[i] - exact[i])[: total - sum(counts)]:
        counts[i] += 1
    return counts
