"""What a study needs of the engine that trains its networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lttune.config import LotteryConfig
from lttune.data import Dataset
from lttune.models import Network


@dataclass(frozen=True, kw_only=True)
class Needs:
    """All that a study can come to; an engine trains all of it or none."""

    device: str
    """cpu or cuda."""
    networks: Collection[Network]
    """The architectures."""
    configs: Sequence[LotteryConfig]
    """The configurations, the base first."""
    datasets: Collection[Dataset] = ()
    """The examples."""
    holds: bool = False
    """Whether a control holds pruned weights at a value."""
