"""Criteria: how a weight is scored; the lowest scores are pruned first."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lttune.criteria.evidence import Evidence, evidence_of
from lttune.criteria.magnitude import large_final, small_final

Criterion = Callable[[Evidence], dict[str, Tensor]]
"""Evidence -> prunable tensor's name -> score of each weight, float32, of the weight's shape. The
scores of weights that are pruned already are not read."""

CRITERIA: dict[str, Criterion] = {
    "magnitude": large_final,
    "large_final": large_final,
    "small_final": small_final,
}

MEASURED = ("gradient", "snip", "grasp")
"""Criteria that read examples."""

__all__ = ["CRITERIA", "MEASURED", "Criterion", "Evidence", "evidence_of"]
