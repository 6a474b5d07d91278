"""Criteria of what training did to a weight: Zhou et al. (2019), section 3 and supplement.

The variants by sign score zero where the sign is not the wanted one.
"""

from __future__ import annotations

from torch import Tensor

from lttune.pruning.criteria.evidence import Evidence
from lttune.pruning.criteria.magnitude import large_final


def movement(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final - w_initial|."""
    return {n: (evidence.trained[n] - evidence.initial[n]).abs() for n in evidence.mask}


def magnitude_increase(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final| - |w_initial|."""
    return {n: evidence.trained[n].abs() - evidence.initial[n].abs() for n in evidence.mask}


def large_final_same_sign(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final| where training kept the sign."""
    return _where_sign(evidence, large_final(evidence), same=True)


def large_final_diff_sign(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final| where training changed the sign."""
    return _where_sign(evidence, large_final(evidence), same=False)


def magnitude_increase_same_sign(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final| - |w_initial| where training kept the sign."""
    return _where_sign(evidence, magnitude_increase(evidence), same=True)


def magnitude_increase_diff_sign(evidence: Evidence) -> dict[str, Tensor]:
    """|w_final| - |w_initial| where training changed the sign."""
    return _where_sign(evidence, magnitude_increase(evidence), same=False)


def _where_sign(evidence: Evidence, scores: dict[str, Tensor], *, same: bool) -> dict[str, Tensor]:
    kept = {n: evidence.initial[n].sign() == evidence.trained[n].sign() for n in scores}
    return {name: score * (kept[name] == same) for name, score in scores.items()}
