"""An arm: a set of networks that a question reads, one of its ``cells`` in the file.

It is a branch of all trajectories whose configuration is the claim's setting with some
hyperparameters at other values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.claims.file.fields import require, require_number, require_text
from lttune.config.control import TRUNK


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A branch of the trajectories of one configuration."""

    name: str
    """Its name for people; unique in a question."""
    branch: str = TRUNK
    """trunk, or the name of a control."""
    at: Mapping[str, Any] = field(default_factory=dict)
    """Dotted hyperparameter -> value, where it differs from the claim's setting."""
    weight: float = 1.0
    """Its weight in a contrast."""

    def check(self, where: str) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        require_text(f"{where}.name", self.name)
        require_text(f"{where}.branch", self.branch)
        require(isinstance(self.at, Mapping), f"{where}.at", "path: value", self.at)
        require_number(f"{where}.weight", self.weight, "a number other than 0")
        require(self.weight != 0, f"{where}.weight", "a number other than 0", self.weight)
