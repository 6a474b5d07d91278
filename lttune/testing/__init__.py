"""Checks of parts of one's own: one line of a test runs all that lttune asks of such a part.

The project's own tests call the same checks. A check that fails raises ``AssertionError`` with what
was asked and what was found; code that cannot be used at all raises ``lttune.errors.ConfigError``,
as a study would.
"""

from lttune.testing.controls import check_control
from lttune.testing.criteria import check_criterion
from lttune.testing.datasets import check_dataset
from lttune.testing.measures import check_measure
from lttune.testing.networks import check_network
from lttune.testing.objectives import check_objective
from lttune.testing.schedules import check_schedule

__all__ = [
    "check_control",
    "check_criterion",
    "check_dataset",
    "check_measure",
    "check_network",
    "check_objective",
    "check_schedule",
]
