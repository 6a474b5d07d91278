"""Which networks the sparse engine can train."""

from __future__ import annotations

from lttune.models import Network
from lttune.training.engines import plain

MOST_INPUTS = 1 << 16
"""A lit pixel's place is a uint16."""


def beyond_kernels(network: Network) -> str:
    """Returns what of a network is not for this engine, as a predicate, "" if nothing."""
    if not plain.fully_connected(network):
        return plain.NETWORKS
    _, inputs = next(iter(network.shapes.values()))
    return "" if inputs <= MOST_INPUTS else f"reads pictures of at most {MOST_INPUTS:,} pixels"
