"""The phases that a study goes through."""

from __future__ import annotations

from typing import Literal, get_args

Phase = Literal["anchor", "sweep", "design", "tune", "search", "random", "confirm"]

PHASES: tuple[Phase, ...] = get_args(Phase)
"""In the order in which a study goes through them."""
SEARCHING: tuple[Phase, ...] = ("search", "random", "confirm")
"""The phases that come to points of the space."""

ORIGINS: tuple[Phase, ...] = ("tune", "search", "random")
"""The phases whose best trials are confirmed."""
