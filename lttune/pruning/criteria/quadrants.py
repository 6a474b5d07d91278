"""Criteria of a quadrant: magnitude before and after training (Zhou et al. 2019, section 3).

A weight is kept if both its magnitudes lie beyond thresholds at one common percentile of its layer,
which is chosen so that the count is right. That is to rank the layer's alive weights twice and to
score each by the worse of its two ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lttune.pruning.criteria.evidence import Evidence


def large_init_large_final(evidence: Evidence) -> dict[str, Tensor]:
    """The smaller of the two ranks: large before and after."""
    return {name: torch.minimum(*_ranks(evidence, name)) for name in evidence.mask}


def small_init_small_final(evidence: Evidence) -> dict[str, Tensor]:
    """Minus the larger of the two ranks: small before and after, a control."""
    return {name: -torch.maximum(*_ranks(evidence, name)) for name in evidence.mask}


def _ranks(evidence: Evidence, name: str) -> tuple[Tensor, Tensor]:
    keep = evidence.mask[name]
    return _rank(evidence.initial[name], keep), _rank(evidence.trained[name], keep)


def _rank(values: Tensor, keep: Tensor) -> Tensor:
    """Returns the share of the alive weights that are not above each of them, in (0, 1].

    A share, so that layers of different sizes can compete.
    """
    rising_S, order_S = values[keep].abs().sort()
    rank_S = torch.empty(len(order_S))
    # Equal weights have equal ranks. Looking up in sorted order stays in the cache.
    rank_S[order_S] = torch.searchsorted(rising_S, rising_S, right=True) / len(order_S)
    return torch.zeros(keep.shape).masked_scatter(keep, rank_S)
