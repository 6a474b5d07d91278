"""Pruning: which surviving weights go next.

A *criterion* scores the prunable weights, a *scope* says which of them compete, and ``prune`` keeps
the highest scores (Frankle & Carbin 2019, section 2: layerwise; section 4: global).

Shape suffixes: P prunable weights of a group, S <= P of them surviving.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from lttune.config import PruneConfig
from lttune.criteria import CRITERIA
from lttune.errors import unknown
from lttune.masks import Mask


def layer_fractions(config: PruneConfig, kinds: Mapping[str, str]) -> dict[str, float]:
    """Returns the share of survivors that each layer loses: by its name, else kind, else overall.

    Args:
        config: the fractions; they hold for layer scope only.
        kinds: layer name -> kind, e.g. ``{"fc1": "fc", "out": "out"}``.

    Raises:
        ConfigError: if ``fractions`` names neither a layer nor a kind of this network.
    """
    for name in config.fractions:
        if name not in kinds and name not in kinds.values():
            raise unknown("prune.fractions", name, {*kinds, *kinds.values()})
    default = config.fraction
    by = config.fractions
    return {layer: by.get(layer, by.get(kind, default)) for layer, kind in kinds.items()}


def competing_groups(
    config: PruneConfig, kinds: Mapping[str, str]
) -> list[tuple[list[str], float]]:
    """Returns the groups whose weights compete, as (names of weight tensors, fraction)."""
    if config.scope == "global":
        return [([f"{layer}.weight" for layer in kinds], config.fraction)]
    return [([f"{la}.weight"], f) for la, f in layer_fractions(config, kinds).items()]


def removed(fraction: float, survivors: int) -> int:
    """Returns floor(fraction * survivors), of the fraction as it is written in decimals.

    In binary, 0.29 * 100 is below 29.
    """
    return math.floor(Fraction(str(fraction)) * survivors)


def prune(
    weights: Mapping[str, Tensor], mask: Mask, config: PruneConfig, kinds: Mapping[str, str]
) -> Mask:
    """Returns the next level's mask, a subset of ``mask``.

    Exactly ``floor(fraction * S)`` of the S survivors of each competing group are removed, those
    with the lowest scores of the *current* weights. Ties go by position, the first is removed, so
    equal inputs always give equal masks.

    Raises:
        ConfigError: if ``config.fractions`` names an unknown layer.
    """
    scores = CRITERIA[config.criterion]({name: weights[name] for name in mask})
    pruned: Mask = {}
    for names, fraction in competing_groups(config, kinds):
        keep_P = torch.cat([mask[name].flatten() for name in names])
        score_P = torch.cat([scores[name].flatten() for name in names])
        alive_S = keep_P.nonzero().squeeze(1)
        order_S = score_P[alive_S].argsort(stable=True)
        keep_P[alive_S[order_S[: removed(fraction, len(alive_S))]]] = False
        parts = keep_P.split([mask[name].numel() for name in names])
        pruned |= {n: p.view_as(mask[n]) for n, p in zip(names, parts, strict=True)}
    return {name: pruned[name] for name in mask}
