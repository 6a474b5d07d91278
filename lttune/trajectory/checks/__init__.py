"""Whether a trajectory can be trained as it is asked for; all is told before it begins."""

from lttune.trajectory.checks.fitting import (
    READ_BY_FEW,
    ReadByFew,
    check_controls,
    check_fit,
    check_idle,
)
from lttune.trajectory.checks.own_parts import check_own_parts
from lttune.trajectory.checks.unread import check_varied

__all__ = [
    "READ_BY_FEW",
    "ReadByFew",
    "check_controls",
    "check_fit",
    "check_idle",
    "check_own_parts",
    "check_varied",
]
