"""The laboratory: where cells are trained, once each.

It joins what a study holds fixed (dataset, engine, store, seed) and gives every cell its identity:
the inputs that determine its bytes. Level 0 has no pruning field among them, so trials with equal
training hyperparameters and replicate share one dense network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
from lttune.store import Cell, Store
from lttune.training import Engine, Material, train


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A mask, and the weights that its survivors start from."""

    mask: Mask
    start: Weights


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

    def train(
        self,
        inputs: Mapping[str, Any],
        config: LotteryConfig,
        replicate: int,
        level: int,
        ticket: Ticket,
        *,
        keep: bool,
    ) -> tuple[str, Cell, bool]:
        """Returns (key, cell, whether it was in the store) of one masked network.

        Args:
            inputs: the cell's identity.
            config: the trial's configuration.
            replicate: which repetition: its split and data order.
            level: pruning round; names the data order's stream.
            ticket: the mask, and weights at ``rewind_step``, or at initialisation for level 0.
            keep: whether the cell carries the trained weights, for the next level.
        """
        start, mask = ticket.start, ticket.mask

        def compute() -> Cell:
            rewound = level > 0
            trained = train(
                self.engine,
                self.network(config),
                start,
                mask,
                config.train,
                self._material(config, replicate),
                stream(self.seed, replicate, "order", level),
                first_step=config.rewind_step if rewound else 0,
                snapshot_step=config.rewind_step if config.rewind_step and not rewound else None,
            )
            tensors = _packed("weights", trained.weights, mask) if keep else {}
            if trained.snapshot is not None:
                tensors |= _packed("rewind", trained.snapshot, mask)
            record = {"measures": trained.measures, "history": trained.history}
            return Cell(record=record, tensors=tensors, times=trained.times)

        return self.store.obtain(inputs, compute)

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
