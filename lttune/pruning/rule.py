"""Pruning: which surviving weights go next.

A *criterion* scores the prunable weights, a *scope* says which of them compete, and ``prune`` keeps
the highest scores (Frankle & Carbin 2019, section 2: layerwise; section 4: global). What is removed
are single weights or, with ``structure`` "channel", whole rows of a weight tensor: all that leads
into one output channel or unit.

Shape suffixes: P prunable weights of a group, U units that compete (weights or channels), S <= U of
them alive.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from lttune.config import PruneConfig
from lttune.errors import ConfigError, unknown
from lttune.models.layers import weight_name
from lttune.models.masks import Mask, apply
from lttune.pruning.criteria import Evidence
from lttune.pruning.criteria.own import criterion_of
from lttune.pruning.ranks import of_ranks

SCOPES = ("layer", "kind", "global")
"""Values of ``prune.scope``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group:
    """Weight tensors whose units compete, and the share of the alive ones that goes per level."""

    names: list[str]
    fraction: float


def layer_fractions(config: PruneConfig, kinds: Mapping[str, str]) -> dict[str, float]:
    """Returns the share of survivors that each layer loses: by its name, else kind, else overall.

    Args:
        config: the fractions; they hold for layer and kind scope only.
        kinds: layer name -> kind, e.g. ``{"fc1": "fc", "out": "out"}``.

    Raises:
        ConfigError: if ``fractions`` names neither a layer nor a kind of this network.
    """
    for name in config.fractions:
        # What is excluded needs no fraction, but the default names the layer of the logits.
        if name not in {*kinds, *kinds.values(), *config.exclude}:
            raise unknown("prune.fractions", name, {*kinds, *kinds.values()})
    default = config.fraction
    by = config.fractions
    return {layer: by.get(layer, by.get(kind, default)) for layer, kind in kinds.items()}


def competing_groups(config: PruneConfig, kinds: Mapping[str, str]) -> list[Group]:
    """Returns the groups whose units compete; their fractions are those of one round of a level.

    Raises:
        ConfigError: if there is no such scope, or ``fractions`` names neither a layer nor a kind,
            or in kind scope a layer.
    """
    if config.scope not in SCOPES:
        raise unknown("prune.scope", config.scope, SCOPES)
    if config.scope == "global":
        return [Group(names=[weight_name(layer) for layer in kinds], fraction=config.fraction)]
    fractions = layer_fractions(config, kinds)
    if config.scope == "layer":
        whole = {la for la, k in kinds.items() if config.structure == "channel" and k == "out"}
        return [
            Group(names=[weight_name(layer)], fraction=0.0 if layer in whole else fraction)
            for layer, fraction in fractions.items()
        ]
    for name in config.fractions:
        if name not in {*kinds.values(), *config.exclude}:
            raise unknown("prune.fractions", name, set(kinds.values()))
    return [
        Group(
            names=[weight_name(layer) for layer in kinds if kinds[layer] == kind],
            fraction=config.fractions.get(kind, config.fraction),
        )
        for kind in dict.fromkeys(kinds.values())
    ]


def removed(fraction: float, survivors: int) -> int:
    """Returns floor(fraction * survivors), of the fraction as it is written in decimals.

    In binary, 0.29 * 100 is below 29.
    """
    return math.floor(Fraction(str(fraction)) * survivors)


def planned_removals(
    config: PruneConfig, groups: Sequence[Group], alive: Sequence[int], sizes: Sequence[int]
) -> list[int]:
    """Returns how many units each group loses in one level.

    Args:
        config: ``one_shot`` raises the groups' fractions; otherwise each loses
            ``floor(fraction * alive)``.
        groups: the competing groups.
        alive: units alive in each.
        sizes: weights of one unit of each: 1, or the fan-in of a channel.
    """
    if config.one_shot is None:
        return [removed(group.fraction, count) for group, count in zip(groups, alive, strict=True)]
    total = sum(count * size for count, size in zip(alive, sizes, strict=True))
    wanted = math.floor(Fraction(str(config.one_shot)) * total)
    return _one_shot([group.fraction for group in groups], alive, sizes, wanted)


def _one_shot(
    fractions: Sequence[float], alive: Sequence[int], sizes: Sequence[int], wanted: int
) -> list[int]:
    """Returns removals that leave at most ``wanted`` weights, as so many rounds of the fractions.

    After r rounds a group keeps the share (1 - fraction)^r. The smallest real r that is enough is
    found by bisection; what rounding then removes too much is given back, one unit at a time, to
    the groups that lost the largest part of a unit.
    """

    def kept(rounds: float) -> list[float]:
        return [c * (1 - f) ** rounds for c, f in zip(alive, fractions, strict=True)]

    def weights(counts: Sequence[int]) -> int:
        return sum(c * s for c, s in zip(counts, sizes, strict=True))

    low, high = 0.0, 1.0
    while weights([math.floor(k) for k in kept(high)]) > wanted and high < 1e6:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        enough = weights([math.floor(k) for k in kept(middle)]) <= wanted
        low, high = (low, middle) if enough else (middle, high)
    exact = kept(high)
    counts = [math.floor(k) for k in exact]
    for at in sorted(range(len(counts)), key=lambda i: counts[i] - exact[i]):
        if counts[at] < alive[at] and weights(counts) + sizes[at] <= wanted:
            counts[at] += 1
    return [c - k for c, k in zip(alive, counts, strict=True)]


def prune(evidence: Evidence, config: PruneConfig, like: Mask | None = None) -> Mask:
    """Returns the next level's mask, a subset of ``evidence.mask``.

    Each competing group loses exactly its ``planned_removals``, or as many as leave it with the
    units that ``like`` has there; the units with the lowest scores go. A channel's score is the
    mean of its weights'. Ties go by position, the first is removed, so equal inputs always give
    equal masks. With ``rounds`` above 1 the removals are spread over them in equal ratios, and the
    survivors are scored anew in each.

    Raises:
        ConfigError: if ``config.fractions`` names an unknown layer or kind, or a weight or its
            score is NaN.
        StorageError: if the criterion is one's own and its code is not here.
    """
    for name, keep in evidence.mask.items():
        # Comparisons would hide it in some scores.
        nan = np.isnan((evidence.initial[name] + evidence.trained[name]).numpy())
        if (nan & keep.numpy()).any():
            raise ConfigError(f"prune.criterion must be given numbers, got NaN in {name}")
    groups = competing_groups(config, evidence.network.kinds)
    channel = config.structure == "channel"
    mask = {name: keep.clone() for name, keep in evidence.mask.items()}
    alive = [_alive(mask, group, channel) for group in groups]
    sizes = [mask[group.names[0]][0].numel() if channel else 1 for group in groups]
    if like is None:
        removals = planned_removals(config, groups, alive, sizes)
    else:
        removals = [a - _alive(like, g, channel) for a, g in zip(alive, groups, strict=True)]
    for done in range(1, config.rounds + 1):
        scored = dataclasses.replace(evidence, mask=mask, trained=apply(evidence.trained, mask))
        scores = criterion_of(config.criterion)(scored)
        after: Mask = {}
        for group, count, gone in zip(groups, alive, removals, strict=True):
            left = count - gone
            if done < config.rounds and left > 0:
                left = math.ceil(count * (left / count) ** (done / config.rounds))
            after |= _keep_highest(scores, mask, group.names, left, channel)
        mask = after
    return {name: mask[name] for name in evidence.mask}


def lowest(scores: np.ndarray, count: int) -> np.ndarray:
    """Returns the positions of the ``count`` lowest scores; of equal ones the first."""
    if count == 0:
        return np.empty(0, np.int64)
    threshold = of_ranks(scores, [count - 1])[0]
    below, ties = np.flatnonzero(scores < threshold), np.flatnonzero(scores == threshold)
    return np.concatenate([below, ties[: count - len(below)]])


def _alive(mask: Mask, group: Group, channel: bool) -> int:
    """Returns how many units of a group are alive."""
    return sum(int(_units(mask[name], channel).sum()) for name in group.names)


def _units(values: Tensor, channel: bool) -> Tensor:
    """Returns one value a unit: a weight's own, or whether any of a channel is alive."""
    return values.flatten(1).any(1) if channel else values.flatten()


def _keep_highest(
    scores: Mapping[str, Tensor], mask: Mask, names: Sequence[str], left: int, channel: bool
) -> Mask:
    """Returns the group's mask with the ``left`` units of the highest scores alive."""
    keep_U = torch.cat([_units(mask[name], channel) for name in names])
    parts = [scores[n].flatten(1).mean(1) if channel else scores[n].flatten() for n in names]
    alive_S = np.flatnonzero(keep_U.numpy())
    score_S = torch.cat(parts).numpy()[alive_S]
    if np.isnan(score_S).any():
        raise ConfigError(f"prune.criterion must score every weight, got NaN in {names[0]}")
    keep_U.numpy()[alive_S[lowest(score_S, len(score_S) - left)]] = False
    sizes = [len(part) for part in parts]
    kept: Mask = {}
    for name, keep in zip(names, keep_U.split(sizes), strict=True):
        shape = mask[name].shape
        full = keep.view(-1, *[1] * (len(shape) - 1)).expand(shape) if channel else keep.view(shape)
        kept[name] = full & mask[name]
    return kept
