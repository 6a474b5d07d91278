"""Engines: how a masked network is trained. ``torch`` is the reference."""

from lttune.training.engines.choice import ENGINES, choose, make, warm

__all__ = ["ENGINES", "choose", "make", "warm"]
