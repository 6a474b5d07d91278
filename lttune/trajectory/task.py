"""A network that is to be trained, how its weights lie in a cell, and what it is once trained."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from lttune.config import LotteryConfig, TrainConfig
from lttune.errors import legible
from lttune.models import Network
from lttune.models.masks import Mask, Weights, from_bits, spread, survivors, to_bits
from lttune.store.cells import Cell
from lttune.store.store import Stored
from lttune.training.protocol import Trained
from lttune.trajectory.starts import Junction

REWIND, SCORED = "rewind", "scored"
"""Groups of a cell's tensors: dense weights at ``rewind_step``, weights at ``prune.step``."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A mask, and the weights that its survivors start from."""

    mask: Mask
    start: Weights
    """Weights outside the mask are held as they are, unless they are ``released``."""
    released: bool = False
    """Whether weights outside the mask are trained too."""

    @property
    def moving(self) -> Mask:
        """Which weights training may move."""
        if not self.released:
            return self.mask
        return {name: torch.ones_like(keep) for name, keep in self.mask.items()}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One network that is to be trained, or taken from the store."""

    identity: dict[str, Any]
    """The inputs of its cell."""
    network: Network
    config: LotteryConfig
    """Which examples."""
    replicate: int
    """Which repetition: its split and data order."""
    level: int
    """Pruning round; names the data order's stream."""
    ticket: Ticket
    """The mask, and the weights at ``first_step``."""
    train: TrainConfig
    first_step: int
    order: str = "order"
    """Purpose of the data order's stream."""
    snapshots: Mapping[str, int] = field(default_factory=dict)
    """Group of the cell's tensors -> the step whose weights it keeps."""
    supermask: bool = False
    """Whether the mask is trained and the weights stay."""
    keep: bool
    """Whether the cell carries the trained weights, for the next level."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One trained network of a trajectory; level 0 is dense."""

    level: int
    replicate: int
    ticket: Ticket
    stored: Stored
    """Its cell."""
    junction: Junction
    """Where its branches leave."""
    last: bool
    """True if no level of the trunk follows."""


def cell_of(task: Task, trained: Trained) -> Cell:
    """Returns what is stored of a training: its record and, if asked for, its weights."""
    mask = task.ticket.mask
    tensors = packed("weights", trained.weights, mask) if task.keep else {}
    for group, step in task.snapshots.items():
        if step in trained.snapshots:  # Not where the training diverged before.
            # Copies, as two groups may be of one step, and a file holds no tensor twice.
            copies = {name: value.clone() for name, value in trained.snapshots[step].items()}
            tensors |= packed(group, copies, mask)
    record = {"measures": trained.measures, "history": trained.history}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    here = {"trained": now, "host": legible(socket.gethostname())}
    return Cell(record=record, tensors=tensors, times={**trained.times, **here})


def packed(group: str, weights: Mapping[str, Tensor], mask: Mask) -> dict[str, Tensor]:
    """Returns weights and the mask's bits under names that ``weights_of`` reads.

    Of a masked tensor only the survivors, unless pruned weights hold something.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in weights.items():
        kept = value
        if name in mask:
            tensors[f"mask/{name}"] = to_bits(mask[name])
            held = (value.bool() & ~mask[name]).any()
            kept = value if held else survivors(value, mask[name])
        tensors[f"{group}/{name}"] = kept.contiguous()
    return tensors


def require_bits(cell: Cell, network: Network) -> None:
    """Checks that a cell has as many bits of each mask as a network's tensor has weights.

    Raises:
        ValueError: if it has not, or lacks a tensor.
    """
    for name, shape in (network.shapes | network.buffers).items():
        bits = cell.tensors.get(f"mask/{name}")
        found, count = cell.tensors[f"weights/{name}"], math.prod(shape)
        fits = tuple(found.shape) == shape if bits is None else len(bits) == -(-count // 8)
        if not fits:
            raise ValueError(f"{name} must be of shape {shape}, got {tuple(found.shape)}")


def weights_of(cell: Cell, network: Network, group: str = "weights") -> Weights:
    """Returns a cell's weights, zero where pruned; another group is a snapshot."""
    weights: Weights = {}
    for name, shape in (network.shapes | network.buffers).items():
        value, bits = cell.tensors[f"{group}/{name}"], cell.tensors.get(f"mask/{name}")
        if bits is not None and value.shape != shape:
            value = spread(value, from_bits(bits, shape))
        weights[name] = value
    return weights


def mask_of(cell: Cell, network: Network) -> Mask:
    """Returns the mask that a cell was trained under.

    A dense cell may come from a study in which fewer layers were prunable: they are whole there.
    """
    found: Mask = {}
    for name in network.prunable:
        bits, shape = cell.tensors.get(f"mask/{name}"), network.shapes[name]
        found[name] = (
            torch.ones(shape, dtype=torch.bool) if bits is None else from_bits(bits, shape)
        )
    return found
