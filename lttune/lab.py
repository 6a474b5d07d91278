"""The laboratory: where cells are trained, once each.

It joins what a study holds fixed (dataset, engine, store, seed) and gives every cell its identity:
the inputs that determine its bytes. Level 0 has no pruning field among them, so trials with equal
training hyperparameters and replicate share one dense network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from lttune.config import LotteryConfig
from lttune.data import Dataset, split
from lttune.data.resident import Examples, resident
from lttune.masks import Mask, Weights, pack, unpack
from lttune.models import Network, build
from lttune.seeding import stream
from lttune.store import Cell, Store, Stored
from lttune.training import Engine, Material, Member, Trained


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A mask, and the weights that its survivors start from."""

    mask: Mask
    start: Weights


@dataclass(frozen=True, kw_only=True)
class Task:
    """One network that is to be trained, or taken from the store."""

    identity: dict[str, Any]
    """The inputs of its cell."""
    config: LotteryConfig
    replicate: int
    """Which repetition: its split and data order."""
    level: int
    """Pruning round; names the data order's stream."""
    ticket: Ticket
    """The mask, and the weights at ``rewind_step``, or at initialisation for level 0."""
    keep: bool
    """Whether the cell carries the trained weights, for the next level."""


@dataclass(frozen=True, eq=False)
class Lab:
    """Where one study's networks are trained."""

    dataset: Dataset
    engine: Engine
    store: Store
    seed: int = 0
    device: str = "cpu"
    _materials: dict[tuple[int | None, int, int], Material] = field(
        default_factory=dict, init=False, repr=False
    )

    def network(self, config: LotteryConfig) -> Network:
        """Returns the configuration's architecture for this dataset."""
        return build(config.model, self.dataset.shape, self.dataset.classes)

    def identity(self, config: LotteryConfig, replicate: int) -> dict[str, Any]:
        """Returns the inputs of a replicate's dense cell."""
        training = dataclasses.asdict(config.train)
        if config.train.optimizer != "momentum":
            del training["momentum"]
        return {
            "dataset": self._digest,
            "validation": config.data.validation or self.dataset.validation,
            "model": dataclasses.asdict(config.model),
            "train": training,
            "rewind_step": config.rewind_step,
            "seed": self.seed,
            "replicate": replicate,
            "numerics": self.engine.numerics,
        }

    def train(self, tasks: Sequence[Task]) -> list[Stored]:
        """Returns the cell of every task; those that the store lacks are trained.

        The engine says which members it trains best in one call; each such group is sealed before
        the next begins, so that a kill loses no more than the group in training.
        """
        members = [self._member(task) for task in tasks]
        stored: dict[int, Stored] = {}
        for group in self.engine.groups(members):

            def compute(missing: list[int], group: list[int] = group) -> list[Cell]:
                at = [group[index] for index in missing]
                trained = self.engine.train([members[index] for index in at])
                return [_cell(tasks[i], t) for i, t in zip(at, trained, strict=True)]

            found = self.store.obtain([tasks[index].identity for index in group], compute)
            stored |= dict(zip(group, found, strict=True))
        return [stored[index] for index in range(len(tasks))]

    def _member(self, task: Task) -> Member:
        config, rewound = task.config, task.level > 0
        return Member(
            network=self.network(config),
            start=task.ticket.start,
            mask=task.ticket.mask,
            config=config.train,
            material=self._material(config, task.replicate),
            order=stream(self.seed, task.replicate, "order", task.level),
            first_step=config.rewind_step if rewound else 0,
            snapshot_step=config.rewind_step if config.rewind_step and not rewound else None,
        )

    @cached_property
    def _digest(self) -> str:
        return self.dataset.digest()

    @cached_property
    def _resident(self) -> tuple[Examples, Examples]:
        return resident(self.dataset, self.device)

    def _material(self, config: LotteryConfig, replicate: int) -> Material:
        key = (config.data.validation, config.train.eval_train, replicate)
        if key not in self._materials:
            self._materials[key] = self._draw_material(*key)
        return self._materials[key]

    def _draw_material(self, validation: int | None, sample: int, replicate: int) -> Material:
        pool, test = self._resident
        train_index, validation_index = split(self.dataset, validation, self.seed, replicate)
        order = stream(self.seed, replicate, "train-sample").permutation(train_index)
        return Material(
            pool=pool,
            train=train_index,
            validation=pool.take(validation_index),
            test=test,
            train_sample=pool.take(order[:sample]),
            classes=self.dataset.classes,
        )


def _cell(task: Task, trained: Trained) -> Cell:
    mask = task.ticket.mask
    tensors = _packed("weights", trained.weights, mask) if task.keep else {}
    if trained.snapshot is not None:
        tensors |= _packed("rewind", trained.snapshot, mask)
    record = {"measures": trained.measures, "history": trained.history}
    return Cell(record=record, tensors=tensors, times=trained.times)


def _packed(group: str, weights: Mapping[str, Tensor], mask: Mask) -> dict[str, Tensor]:
    """Returns survivors' values and the mask's bits under names that ``weights_of`` reads."""
    tensors: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name in mask:
            tensors[f"mask/{name}"] = pack(mask[name])
        tensors[f"{group}/{name}"] = value[mask[name]] if name in mask else value.contiguous()
    return tensors


def weights_of(cell: Cell, network: Network, group: str = "weights") -> Weights:
    """Returns a cell's weights, zero where pruned; ``group`` "rewind" gives the snapshot."""
    weights: Weights = {}
    for name, shape in network.shapes.items():
        value = cell.tensors[f"{group}/{name}"]
        if name in network.prunable:
            keep = unpack(cell.tensors[f"mask/{name}"], shape)
            full = value.new_zeros(shape)
            full[keep] = value
            value = full
        weights[name] = value
    return weights
