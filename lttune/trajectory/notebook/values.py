"""What a trajectory gives back: trained networks as frozen values, tensors as copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from lttune.config import LotteryConfig
from lttune.errors import ConfigError
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.store.cells import Cell
from lttune.store.store import Stored
from lttune.trajectory.lab import Lab
from lttune.trajectory.measurements.of_layers import of_level
from lttune.trajectory.task import Level, Ticket, mask_of, packed, weights_of
from lttune.trajectory.trial import Branched, trunk_row

Evaluation = Mapping[str, float | int | None]
"""Column -> value at an evaluation: ``step``, ``val_loss``, ``val_accuracy``, ``test_*`` if they
were measured, and measurements of one's own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """One trained network: a ticket, or a control beside it."""

    row: Mapping[str, Any] = field(repr=False)
    """Its row of the records, but for study and phase."""
    evaluations: tuple[Evaluation, ...] = field(repr=False)
    """What was measured on the way, by step."""
    _network: Network = field(repr=False)
    _cell: Cell = field(repr=False)

    @property
    def branch(self) -> str:
        """trunk, or the name of the control."""
        return self.row["branch"]

    @property
    def level(self) -> int:
        """Pruning round; 0 is dense."""
        return self.row["level"]

    @property
    def density(self) -> float:
        """Share of prunable weights that survive, in (0, 1]."""
        return self.row["density"]

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy at the early-stopping step, in [0, 1]."""
        return self.row["val_accuracy"]

    @property
    def test_accuracy(self) -> float:
        """Test accuracy at the early-stopping step, in [0, 1]."""
        return self.row["test_accuracy"]

    @property
    def early_stop_step(self) -> int:
        """Step of minimum validation loss, the first if tied."""
        return self.row["early_stop_step"]

    @property
    def steps(self) -> int:
        """Optimizer steps that this network was trained for."""
        return self.row["steps_trained"]

    @property
    def diverged(self) -> bool:
        """True if the validation loss was not finite; training ended there."""
        return self.row["diverged"]

    @property
    def mask(self) -> Mask:
        """Which weights survive: bool tensors by the names of the weights that can be pruned."""
        with torch.device("cpu"):
            return mask_of(self._cell, self._network)

    @property
    def start(self) -> Weights:
        """What training started from, by name; pruned weights hold what they are held at."""
        return self._held("start")

    @property
    def weights(self) -> Weights:
        """The weights and running moments after the last step, by name.

        Raises:
            ConfigError: if they were not kept: of most controls of the table only what was measured
                is.
        """
        if not any(name.startswith("weights/") for name in self._cell.tensors):
            raise ConfigError(f"the weights of the control {self.branch!r} are not kept")
        return self._held("weights")

    def _held(self, group: str) -> Weights:
        # Where a notebook makes its tensors by default is no matter of ours.
        with torch.device("cpu"):
            found = weights_of(self._cell, self._network, group)
            return {name: value.clone() for name, value in found.items()}

    def __str__(self) -> str:
        """Returns the accuracy in one line."""
        if self.diverged:
            return f"{self.branch} diverged"
        return f"{self.branch} {self.test_accuracy:.2%} at step {self.early_stop_step}"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedLevel(TrainedNetwork):
    """A level of a trajectory: the ticket, and the controls that leave there."""

    branches: Mapping[str, TrainedNetwork] = field(repr=False)
    """The controls by name."""
    layers: tuple[Mapping[str, Any], ...] = field(repr=False)
    """The ticket's rows of the layers: what its weights are like."""

    @property
    def networks(self) -> tuple[TrainedNetwork, ...]:
        """The ticket, then its controls."""
        return (self, *self.branches.values())

    def __str__(self) -> str:
        """Returns the level in one line: density, test accuracy of the ticket and its controls."""
        found = ", ".join(map(TrainedNetwork.__str__, self.networks))
        return f"level {self.level}, density {self.density:.1%}: {found}"


def trained_level(
    level: Level,
    branched: list[Branched],
    config: LotteryConfig,
    lab: Lab,
    observed: Mapping[str, Mapping[int, Mapping[str, float]]],
) -> TrainedLevel:
    """Returns a level of the trunk and its controls as values.

    Args:
        level: of the trunk.
        branched: the controls that left there.
        config: of the trunk.
        lab: where they were trained.
        observed: measurements of one's own by cell and step.
    """
    trunk = _values(trunk_row(level, config, lab), level.ticket, level.stored, observed)
    if level.level == 1 and config.method == "supermask":
        # The cell holds the logits of the mask; the weights stayed.
        trunk["_cell"].tensors.update(packed("weights", level.ticket.start, level.ticket.mask))
    network = level.junction.network
    branches = {
        one.name: TrainedNetwork(
            **_values(one.row, one.task.ticket, one.stored, observed), _network=network
        )
        for one in branched
    }
    return TrainedLevel(
        **trunk,
        _network=network,
        branches=MappingProxyType(branches),
        layers=tuple(MappingProxyType(row) for row in of_level(level)),
    )


def _flat(entry: Mapping[str, Any]) -> dict[str, float | int | None]:
    """Returns an evaluation of a cell's history, with measurements of one's own among the rest."""
    own = entry.get("measured", {})
    return {**{name: value for name, value in entry.items() if name != "measured"}, **own}


def _values(
    row: dict[str, Any],
    ticket: Ticket,
    stored: Stored,
    observed: Mapping[str, Mapping[int, Mapping[str, float]]],
) -> dict[str, Any]:
    """Returns what a ticket and a control have in common; only survivors' values take room."""
    own = observed.get(stored.key, {})
    ends = {n: v for n, v in stored.cell.tensors.items() if n.startswith("weights/")}
    return {
        "row": MappingProxyType(row),
        "evaluations": tuple(
            MappingProxyType({**_flat(entry), **own.get(entry["step"], {})})
            for entry in stored.cell.record["history"]
        ),
        "_cell": Cell(record={}, tensors=ends | packed("start", ticket.start, ticket.mask)),
    }
