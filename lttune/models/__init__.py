"""Networks, which of their weights can be pruned, and how they are initialised."""

from lttune.models.network import Network, build

__all__ = ["Network", "build"]
