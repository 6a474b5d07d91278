"""Engines: how a masked network is trained. ``torch`` is the reference."""

from lttune.training.engines.choice import (
    ENGINES,
    FALLBACK,
    choose,
    lack_here,
    make,
    warm,
    working_here,
)
from lttune.training.engines.needs import Needs

__all__ = [
    "ENGINES",
    "FALLBACK",
    "Needs",
    "choose",
    "lack_here",
    "make",
    "warm",
    "working_here",
]
