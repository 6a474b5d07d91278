"""Claims of the literature about lottery tickets, and what the records of studies say about them.

``claims.yaml`` is the source of truth: a claim is data, not code.
"""

from __future__ import annotations

from analysis.claims.file.arm import Arm
from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry, as_registry, read
from analysis.claims.lock import Lock
from analysis.claims.of_studies import grounds, is_any_tested, of_studies
from analysis.claims.pilot import pilot_spreads
from analysis.claims.power import power_table
from analysis.claims.verdicts import sensitivity, verdicts

__all__ = [
    "Arm",
    "Claim",
    "Lock",
    "Question",
    "Registry",
    "as_registry",
    "grounds",
    "is_any_tested",
    "of_studies",
    "pilot_spreads",
    "power_table",
    "read",
    "sensitivity",
    "verdicts",
]
