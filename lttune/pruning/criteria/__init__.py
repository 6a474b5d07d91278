"""Criteria: how a weight is scored; the lowest scores are pruned first."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lttune.pruning.criteria.chance import random
from lttune.pruning.criteria.evidence import Evidence, evidence_of
from lttune.pruning.criteria.gradient import gradient, grasp, snip
from lttune.pruning.criteria.magnitude import large_final, large_init, small_final, small_init
from lttune.pruning.criteria.movement import (
    large_final_diff_sign,
    large_final_same_sign,
    magnitude_increase,
    magnitude_increase_diff_sign,
    magnitude_increase_same_sign,
    movement,
)
from lttune.pruning.criteria.quadrants import large_init_large_final, small_init_small_final
from lttune.pruning.criteria.synflow import synflow

Criterion = Callable[[Evidence], dict[str, Tensor]]
"""Evidence -> prunable tensor's name -> score of each weight, float32, of the weight's shape. The
scores of weights that are pruned already are not read."""

CRITERIA: dict[str, Criterion] = {
    "magnitude": large_final,
    "large_final": large_final,
    "small_final": small_final,
    "large_init": large_init,
    "small_init": small_init,
    "large_init_large_final": large_init_large_final,
    "small_init_small_final": small_init_small_final,
    "magnitude_increase": magnitude_increase,
    "movement": movement,
    "large_final_same_sign": large_final_same_sign,
    "large_final_diff_sign": large_final_diff_sign,
    "magnitude_increase_same_sign": magnitude_increase_same_sign,
    "magnitude_increase_diff_sign": magnitude_increase_diff_sign,
    "random": random,
    "gradient": gradient,
    "snip": snip,
    "grasp": grasp,
    "synflow": synflow,
}

MEASURED = ("gradient", "snip", "grasp")
"""Criteria that read examples."""

__all__ = ["CRITERIA", "MEASURED", "Criterion", "Evidence", "evidence_of"]
