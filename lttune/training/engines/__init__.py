"""Engines: how a masked network is trained. ``torch`` is the reference."""

from lttune.training.engines.choice import ENGINES, choose, make, warm
from lttune.training.engines.needs import Needs

__all__ = ["ENGINES", "Needs", "choose", "make", "warm"]
