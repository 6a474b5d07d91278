"""lttune: which hyperparameters decide whether a network has winning tickets?

From Python: ``trajectory`` trains one trajectory in this process, ``run`` runs a whole study. Both
load what they need when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lttune.config import LotteryConfig
    from lttune.study import FinishedStudy, Study, StudyConfig, run
    from lttune.trajectory.notebook import trajectory

__all__ = ["FinishedStudy", "LotteryConfig", "Study", "StudyConfig", "run", "trajectory"]

__version__ = "0.1.0"

_HOMES = {"LotteryConfig": "lttune.config"}
"""Name -> its module, if that is not ``lttune.study``."""


def __getattr__(name: str) -> object:
    """Returns a name of ``__all__``, imported now: what stands behind it is large."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "trajectory":
        return import_module("lttune.trajectory")
    return getattr(import_module(_HOMES.get(name, "lttune.study")), name)


def __dir__() -> list[str]:
    """Returns the names that can be had."""
    return sorted({*globals(), *__all__})
