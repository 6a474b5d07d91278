"""The laboratory: where cells are trained, once each.

It joins what a study holds fixed (datasets, engine, store, seed) and gives every cell its identity:
the inputs that determine its bytes. Level 0 has no pruning field among them, so trials with equal
training hyperparameters and replicate share one dense network. ``rewind_step`` is among them,
because that network's cell holds the weights of that step: trials with another one train it again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch

from lttune.config import DataConfig, LotteryConfig
from lttune.config.seeding import stream
from lttune.data import Dataset, split
from lttune.data.dataset import validation_size
from lttune.data.drawn import mislabelled, subsample
from lttune.data.epochs import in_steps
from lttune.data.resident import Examples, resident
from lttune.data.transforms import as_asked, shape_and_classes
from lttune.errors import StorageError
from lttune.models import Network, build
from lttune.models.masks import Mask, Weights
from lttune.pruning.criteria import Evidence
from lttune.pruning.criteria.own import reads_examples
from lttune.store.cells import Cell
from lttune.store.store import Store, Stored
from lttune.training.protocol import Engine, Material, Member, ObserveFunction
from lttune.trajectory import identity
from lttune.trajectory.measurements.own import own_measures
from lttune.trajectory.task import Task, cell_of, mask_of

Observer = Callable[[Task, Material], ObserveFunction | None]
"""Task, its examples -> what is called at its evaluations (``Member.observe``)."""


@dataclass(frozen=True, eq=False)
class Lab:
    """Where one study's networks are trained.

    Args:
        datasets: by name, as loaded: the base configuration's and those of a transfer or a search.
        engine: trains the networks.
        store: keeps them.
        seed: root of the random streams.
        device: where the examples live.
        observer: returns what the training of a task calls at its evaluations, and None if nothing;
            without it they call what ``train.measure`` names.
    """

    datasets: Mapping[str, Dataset]
    engine: Engine
    store: Store
    seed: int = 0
    device: str = "cpu"
    observer: Observer | None = None
    _networks: dict[tuple[Any, ...], Network] = field(default_factory=dict, init=False, repr=False)
    _prepared: dict[tuple[Any, ...], _UsedDataset] = field(
        default_factory=dict, init=False, repr=False
    )
    _materials: dict[tuple[Any, ...], Material] = field(
        default_factory=dict, init=False, repr=False
    )

    def examples(self, data: DataConfig) -> Dataset:
        """Returns the dataset that a configuration learns from, pooled and turned as it says."""
        return self._prepare(data).dataset

    def by_steps(self, config: LotteryConfig) -> LotteryConfig:
        """Returns a configuration without lengths in epochs: counted, of what is trained here.

        Raises:
            ConfigError: if a rule that goes by the number of steps is broken.
        """
        return in_steps(config, self.datasets).by_steps()

    def network(self, config: LotteryConfig) -> Network:
        """Returns the configuration's architecture for its dataset, with what may be pruned."""
        key = (*source_of(config.data), config.model, config.prune.exclude)
        if key not in self._networks:
            network = network_of(config, self.datasets[config.data.name])
            if network.source and network.left:
                network = dataclasses.replace(network, kept=self._kept(config, network))
            self._networks[key] = network
        return self._networks[key]

    def identity(self, config: LotteryConfig, replicate: int) -> dict[str, Any]:
        """Returns the inputs of a replicate's dense cell."""
        found, network = self._prepare(config.data), self.network(config)
        # Every prune.exclude has the same dense network, but who measures sees the mask's names.
        named = config.train.measure and config.prune.exclude
        return {
            "dataset": found.digest,
            "validation": validation_size(found.dataset, config.data.validation),
            "model": identity.of_network(config.model, network.source),
            "train": identity.of_training(config.train),
            "rewind_step": config.rewind_step,
            "seed": self.seed,
            "replicate": replicate,
            "numerics": self.engine.numerics,
            **identity.of_draws(config.data),
            **({"measured": sorted(network.prunable)} if named else {}),
        }

    def _kept(self, config: LotteryConfig, network: Network) -> Callable[[int], Weights]:
        """Returns what draws by a network's own code and keeps what was drawn in cells.

        So who reads a study need not run the code.
        """
        pictures = shape_and_classes(self.datasets[config.data.name], config.data)
        shapes = network.shapes | network.buffers
        wanted = {name: shapes[name] for name in network.left}

        def kept(seed: int) -> Weights:
            inputs = {
                "constructed": identity.of_network(config.model, network.source),
                "pictures": pictures,
                "draw": seed,
                "numerics": self.engine.numerics,
            }

            def compute(missing: list[int]) -> list[Cell]:
                return [Cell(record={"constructed": wanted}, tensors=network.constructed(seed))]

            stored = self.store.obtain([inputs], compute)[0]
            if {n: tuple(v.shape) for n, v in stored.cell.tensors.items()} != wanted:
                where = self.store.path(stored.key)
                raise StorageError(f"{where} is not of the network {config.model.name}")
            return stored.cell.tensors

        return kept

    def evidence(
        self,
        config: LotteryConfig,
        replicate: int,
        level: int,
        initial: Weights,
        trained: Weights,
        mask: Mask,
    ) -> Evidence:
        """Returns what the criterion of a level may look at."""
        material = self.material(config, replicate)
        prune = config.prune
        chosen = np.empty(0, np.int64)
        if reads_examples(prune.criterion):
            order = stream(self.seed, replicate, "scoring", level).permutation(material.train)
            chosen = order[: prune.scoring_examples]
        inputs, labels = material.pool.batch(torch.from_numpy(chosen))
        return Evidence(
            initial=initial,
            trained=trained,
            mask=mask,
            network=self.network(config),
            inputs=inputs.cpu(),
            labels=labels.cpu(),
            rng=stream(self.seed, replicate, "criterion", level),
        )

    def stored_mask(self, inputs: Mapping[str, Any], network: Network) -> Mask:
        """Returns the mask of a network that was trained: who has no criterion finds it there.

        Args:
            inputs: of its cell.
            network: its architecture.

        Raises:
            StorageError: if the store lacks it.
        """
        return mask_of(self.store.obtain([inputs], _lacking)[0].cell, network)

    def material(self, config: LotteryConfig, replicate: int) -> Material:
        """Returns the examples of a replicate."""
        key = (*dataclasses.astuple(config.data), config.train.eval_train, replicate)
        if key not in self._materials:
            self._materials[key] = self._draw(config.data, config.train.eval_train, replicate)
        return self._materials[key]

    def train(self, tasks: Sequence[Task]) -> list[Stored]:
        """Returns the cell of every task; those that the store lacks are trained.

        The engine says which members it trains best in one call; each such group is sealed while
        the next is in training, so that a kill loses no more than these two.
        """
        members = [self._member(task) for task in tasks]
        stored: dict[int, Stored] = {}
        for group in self.engine.groups(members):

            def compute(missing: list[int], group: list[int] = group) -> list[Cell]:
                at = [group[index] for index in missing]
                trained = self.engine.train([members[index] for index in at])
                return [cell_of(tasks[i], t) for i, t in zip(at, trained, strict=True)]

            found = self.store.obtain([tasks[index].identity for index in group], compute)
            stored |= dict(zip(group, found, strict=True))
        return [stored[index] for index in range(len(tasks))]

    def _member(self, task: Task) -> Member:
        config = task.config
        material = self.material(config, task.replicate)
        return Member(
            network=task.network,
            start=task.ticket.start,
            mask=task.ticket.moving,
            config=task.train,
            material=material,
            order=stream(self.seed, task.replicate, task.order, task.level),
            noise=stream(self.seed, task.replicate, f"{task.order}-noise", task.level),
            supermask=config.supermask if task.supermask else None,
            first_step=task.first_step,
            snapshot_steps=tuple(sorted(set(task.snapshots.values()))),
            observe=self._observe(task, material),
        )

    def _observe(self, task: Task, material: Material) -> ObserveFunction | None:
        if self.observer is not None:
            return self.observer(task, material)
        return own_measures(task, material, self.seed)

    def _prepare(self, data: DataConfig) -> _UsedDataset:
        key = source_of(data)
        if key not in self._prepared:
            dataset = as_asked(self.datasets[data.name], data)
            self._prepared[key] = _UsedDataset(
                dataset=dataset, digest=dataset.digest(), resident=resident(dataset, self.device)
            )
        return self._prepared[key]

    def _draw(self, data: DataConfig, sample: int, replicate: int) -> Material:
        found = self._prepare(data)
        dataset, (pool, test) = found.dataset, found.resident
        train, validation = split(dataset, data.validation, self.seed, replicate)
        train = subsample(train, data.subsample, stream(self.seed, replicate, "subsample"))
        rng = stream(self.seed, replicate, "label-noise")
        labels = mislabelled(dataset.train_y, train, data.label_noise, dataset.classes, rng)
        test_labels = dataset.test_y
        if data.permute_labels:
            renamed = stream(self.seed, replicate, "permute-labels").permutation(dataset.classes)
            labels, test_labels = renamed[labels], renamed[test_labels]
        if data.label_noise > 0 or data.permute_labels:
            pool, test = pool.relabelled(labels), test.relabelled(test_labels)
        order = stream(self.seed, replicate, "train-sample").permutation(train)
        return Material(
            pool=dataclasses.replace(pool, augment=data.augment),
            train=train,
            validation=pool.take(validation),
            test=test,
            train_sample=pool.take(order[:sample]),
            classes=dataset.classes,
        )


def _lacking(missing: list[int]) -> NoReturn:
    raise StorageError("the store lacks a network on the way to this level; run the study again")


def network_of(config: LotteryConfig, dataset: Dataset) -> Network:
    """Returns the configuration's architecture for a dataset, with what may be pruned.

    Raises:
        ConfigError: if network, pictures and ``prune.exclude`` do not fit together.
    """
    shape, classes = shape_and_classes(dataset, config.data)
    return build(config.model, shape, classes).excluding(config.prune.exclude)


def network_key(config: LotteryConfig, dataset: Dataset) -> Hashable:
    """Returns what ``network_of`` goes by: configurations of one key have one architecture."""
    return config.model, config.prune.exclude, shape_and_classes(dataset, config.data)


def source_of(data: DataConfig) -> tuple[Any, ...]:
    """Returns what decides about the pictures before they are drawn for a replicate."""
    return (data.name, data.pool, data.blur, data.task)


@dataclass(frozen=True, kw_only=True)
class _UsedDataset:
    """A dataset as one configuration uses it."""

    dataset: Dataset
    digest: str
    resident: tuple[Examples, Examples]
