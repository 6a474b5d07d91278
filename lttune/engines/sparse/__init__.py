"""The sparse engine: a step costs the less, the fewer weights survive.

This package can be imported without numba. ``lttune.engines.sparse.engine`` cannot: ask
``obstacle()`` first, and ``supports(network)`` before a network is opened.
"""

from lttune.engines.sparse.support import obstacle, supports

__all__ = ["obstacle", "supports"]
