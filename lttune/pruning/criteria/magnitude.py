"""Criteria of weight magnitude, after and before training."""

from __future__ import annotations

from torch import Tensor

from lttune.pruning.criteria.evidence import Evidence


def large_final(evidence: Evidence) -> dict[str, Tensor]:
    """|w| at the end of training: Han et al. (2015); Frankle & Carbin (2019), section 2."""
    return {name: evidence.trained[name].abs() for name in evidence.mask}


def small_final(evidence: Evidence) -> dict[str, Tensor]:
    """-|w| at the end of training, a control: Zhou et al. (2019), section 3."""
    return {name: -score for name, score in large_final(evidence).items()}


def large_init(evidence: Evidence) -> dict[str, Tensor]:
    """|w| at initialisation, which needs no training: Zhou et al. (2019), section 3."""
    return {name: evidence.initial[name].abs() for name in evidence.mask}


def small_init(evidence: Evidence) -> dict[str, Tensor]:
    """-|w| at initialisation, a control: Zhou et al. (2019), section 3."""
    return {name: -score for name, score in large_init(evidence).items()}
