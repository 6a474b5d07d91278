"""Parts of one's own: run and tried before a study starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
import torch

from lttune.config import LotteryConfig, TrainConfig
from lttune.config.own import is_own_code
from lttune.config.rules import every_rule
from lttune.config.seeding import stream
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.resident import resident
from lttune.data.transforms import as_asked
from lttune.models.masks import Weights, ones
from lttune.pruning.criteria import Evidence
from lttune.pruning.criteria.own import criterion_of
from lttune.records.own import known_part
from lttune.training.schedule import SCHEDULE, rate
from lttune.trajectory.lab import network_of
from lttune.trajectory.measurements.observed import ObservedNetwork
from lttune.trajectory.measurements.own import MEASURE, OwnMeasures

EXAMPLES_TRIED = 8
"""Pictures that a criterion is tried on."""
STEPS_TRIED = 200
"""Steps at most at which a schedule is tried, from the first to the last."""


def check_own_parts(
    reached: Sequence[LotteryConfig], datasets: Mapping[str, Dataset], controls: Collection[str]
) -> None:
    """Checks that criteria, schedules and measurements of one's own give what is asked of them.

    Args:
        reached: all configurations that the study can come to.
        datasets: by name.
        controls: names of all that are trained beside.

    Raises:
        ConfigError: with a line for each that does not.
    """
    tried = set[Hashable]()
    with every_rule() as rules:
        for config in reached:
            key = config.prune.criterion, config.model, config.prune.exclude, config.data
            if is_own_code(config.prune.criterion) and key not in tried:
                tried.add(key)
                rules.attempt(lambda config=config: _try_criterion(config, datasets))
            key = config.train.measure, config.model, config.prune.exclude, config.data
            if config.train.measure and key not in tried:
                tried.add(key)
                rules.attempt(lambda config=config: _try_measures(config, datasets))
            for train in {config.train, config.target.training(config.train)}:
                continues = config.kept == "continue" or "finetune" in controls
                if is_own_code(train.schedule) and (train, continues) not in tried:
                    tried.add((train, continues))
                    rules.attempt(lambda t=train, c=continues: _try_schedule(t, c))


def _try_criterion(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Scores the dense network of a configuration, as if it had been trained."""
    dataset = datasets[config.data.name]
    network = network_of(config, dataset)
    few = dataset.train_x[:EXAMPLES_TRIED], dataset.train_y[:EXAMPLES_TRIED]
    few_examples = dataclasses.replace(dataset, train_x=few[0], train_y=few[1])
    pictures = resident(as_asked(few_examples, config.data))[0]
    inputs, labels = pictures.batch(torch.arange(len(few[0])))
    initial, other = (network.initial_weights(stream(0, 0, what)) for what in ("init", "other"))
    evidence = Evidence(
        initial=initial,
        trained={name: 0.5 * initial[name] + 0.7 * other[name] for name in initial},
        mask=ones(initial, network.prunable),
        network=network,
        inputs=inputs,
        labels=labels,
        rng=stream(0, 0, "criterion"),
    )
    criterion_of(config.prune.criterion)(evidence)


def _try_measures(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Measures the untrained network of a configuration, twice."""
    dataset = as_asked(datasets[config.data.name], config.data)
    network = network_of(config, datasets[config.data.name])
    count = validation_size(dataset, config.data.validation)
    initial = network.initial_weights(stream(0, 0, "init"))
    validation = resident(dataset)[0].take(np.arange(count))

    def untrained(weights: Weights) -> ObservedNetwork:
        return ObservedNetwork(
            branch="trunk",
            level=0,
            weights={name: value.clone() for name, value in weights.items()},
            mask=ones(weights, network.prunable),
            _network=network,
            _validation=validation,
        )

    for name in config.train.measure:
        measure = OwnMeasures([name], untrained, lambda step: step)
        if measure(0, initial) != measure(0, initial):
            known_part(MEASURE, name).refuse("must give the same numbers of the same network again")
    OwnMeasures(config.train.measure, untrained, lambda step: step)(0, initial)


def _try_schedule(train: TrainConfig, continues: bool) -> None:
    """Asks for the learning rate of steps from the first to the last.

    Args:
        train: how is trained.
        continues: whether something is trained on at the last rate, which is then above 0.
    """
    every = -(-train.steps // STEPS_TRIED)
    for step in (*range(0, train.steps, every), train.steps - 1):
        found = rate(train, step)
        if rate(train, step) != found:
            known_part(SCHEDULE, train.schedule).refuse(
                f"must return the same rate whenever it is asked for step {step}"
            )
    if continues and rate(train, train.steps - 1) == 0:
        known_part(SCHEDULE, train.schedule).refuse(
            "must end above 0 where training goes on at its last rate ('continue', 'finetune')"
        )
