"""Values that settings take."""

from __future__ import annotations

from lttune.config import LotteryConfig
from lttune.errors import ConfigError


def accepting(value: object) -> set[str]:
    """Returns the settings of a trajectory that take a value."""
    base, found = LotteryConfig(), set[str]()
    for path in base.flat():
        try:
            base.override({path: value})
        except ConfigError:
            continue
        found.add(path)
    return found
