"""Where a trajectory stands when a level begins: all that its start can be made from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lttune.config import LotteryConfig, TrainConfig
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.pruning.criteria import Evidence


@dataclass(frozen=True, kw_only=True)
class Junction:
    """A place of a trajectory: a mask, all weights that a start can be made from, the trunk's way.

    At level 0 nothing is trained yet: all weights are the initial ones.
    """

    mask: Mask
    evidence: Evidence
    """What the mask was pruned from."""
    rewound: Weights
    """Dense weights at ``rewind_step``; ``initial`` if that is 0."""
    dense: Weights
    """Weights at the end of the dense training."""
    dense_scored: Weights
    """What the first pruning looks at: ``dense``, unless ``prune.step`` or ``prune.share`` has it
    see earlier weights."""
    final: Weights
    """Each weight at the end of the last training that it survived to."""
    config: LotteryConfig
    rng: np.random.Generator
    start: Weights = field(default_factory=dict)
    """What the trunk itself starts from, once it is settled."""
    end: Weights = field(default_factory=dict)
    """What the trunk ended the level's own training with; given to controls of ``FROM_END``."""
    train: TrainConfig
    """How the trunk goes on."""
    first_step: int
    """From which step of the schedule on."""

    @property
    def initial(self) -> Weights:
        """Dense weights at initialisation."""
        return self.evidence.initial

    @property
    def network(self) -> Network:
        """The architecture."""
        return self.evidence.network
