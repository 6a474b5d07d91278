"""The sparse engine: a step costs the less, the fewer weights survive.

This package can be imported without numba. ``lttune.training.engines.sparse.engine`` cannot: ask
``obstacle()`` first, and ``supports(network)`` before a network is opened.
"""

from lttune.training.engines.sparse.obstacle import obstacle
from lttune.training.engines.sparse.support import supports

__all__ = ["obstacle", "supports"]
