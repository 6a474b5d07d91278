"""Parts of one's own: run and tried before a study starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import numpy as np
import torch

from lttune.config import LotteryConfig, TrainConfig
from lttune.config.control import TRUNK
from lttune.config.own import is_own_code
from lttune.config.rules import every_rule
from lttune.config.seeding import stream
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.files import npz
from lttune.data.resident import Examples, resident
from lttune.data.transforms import as_asked, shape_and_classes
from lttune.models import Network
from lttune.models.masks import Mask, Weights, ones
from lttune.pruning.criteria import Evidence, evidence_of
from lttune.pruning.criteria.own import criterion_of
from lttune.records.own import OBJECTIVE, known_part, own_objective
from lttune.training.schedule import SCHEDULE, rate
from lttune.trajectory.branches import Departure
from lttune.trajectory.branches.own import CONTROL_SETTING, control_of
from lttune.trajectory.checks.made_up import TrunkRows, trajectories_made_up, with_other_tests
from lttune.trajectory.lab import network_of, source_of
from lttune.trajectory.measurements.observed import ObservedNetwork
from lttune.trajectory.measurements.own import MEASURE, OwnMeasures
from lttune.trajectory.starts import Junction, start_weights

EXAMPLES_TRIED = 8
"""Pictures that a criterion is tried on."""
STEPS_TRIED = 200
"""Steps at most at which a schedule is tried, from the first to the last."""


def check_own_parts(
    reached: Sequence[LotteryConfig],
    datasets: Mapping[str, Dataset],
    controls: Collection[str],
    objective: str | None = None,
) -> None:
    """Checks that what is of one's own gives what is asked of it, networks and pictures aside.

    Args:
        reached: all configurations that the study can come to, the base first, their lengths
            counted.
        datasets: by name.
        controls: names of all that are trained beside.
        objective: the name of a study's.

    Raises:
        ConfigError: with a line for each that does not.
    """
    tried, measured = set[Hashable](), set[str]()
    own_controls = [name for name in controls if is_own_code(name)]
    with every_rule() as rules:
        for config in (one.by_steps() for one in reached):
            where = config.model, config.prune.exclude, *source_of(config.data)
            key = config.prune.criterion, *where
            if is_own_code(config.prune.criterion) and key not in tried:
                tried.add(key)
                rules.attempt(lambda config=config: _try_criterion(config, datasets))
            for name in own_controls:
                key = name, config.prune.structure, config.kept, config.pruned, *where
                if key not in tried:
                    tried.add(key)
                    rules.attempt(lambda n=name, c=config: _try_control(n, c, datasets))
            key = config.train.measure, config.data.validation, *where
            if config.train.measure and key not in tried:
                tried.add(key)
                names = rules.attempt(lambda config=config: _try_measures(config, datasets))
                measured.update(names or ())
            for train in {config.train, config.target.training(config.train)}:
                continues = config.kept == "continue" or "finetune" in controls
                if is_own_code(train.schedule) and (train, continues) not in tried:
                    tried.add((train, continues))
                    rules.attempt(lambda t=train, c=continues: _try_schedule(t, c))
        if objective is not None and is_own_code(objective):
            base = reached[0]
            rows = trajectories_made_up(base, datasets[base.data.name], sorted(measured))
            classes = shape_and_classes(datasets[base.data.name], base.data)[1]
            rules.attempt(lambda: _try_objective(objective, rows.values(), classes))


def _try_criterion(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Scores the dense network of a configuration, as if it had been trained."""
    network = network_of(config, datasets[config.data.name])
    pictures = _first_pictures(config, datasets, EXAMPLES_TRIED)
    inputs, labels = pictures.batch(torch.arange(len(pictures)))
    initial, trained = _weights(network)
    evidence = Evidence(
        initial=initial,
        trained=trained,
        mask=ones(initial, network.prunable),
        network=network,
        inputs=inputs,
        labels=labels,
        rng=stream(0, 0, "criterion"),
    )
    criterion_of(config.prune.criterion)(evidence)


def _first_pictures(config: LotteryConfig, datasets: Mapping[str, Dataset], count: int) -> Examples:
    """Returns the first training pictures, as the configuration has them turned and pooled.

    Of fewer than ``count`` it returns all.
    """
    dataset = datasets[config.data.name]
    first = {name: getattr(dataset, name)[:count] for name in npz.ARRAYS}
    found = resident(as_asked(dataclasses.replace(dataset, **first), config.data))[0]
    return found.take(np.arange(min(count, len(found))))


def _try_control(name: str, config: LotteryConfig, datasets: Mapping[str, Dataset]) -> None:
    """Has a control leave a half pruned network of a configuration, twice with equal draws."""
    network = network_of(config, datasets[config.data.name])
    initial, trained = _weights(network)
    mask = _half(network, by_channel=config.prune.structure == "channel")
    at = Junction(
        mask=mask,
        evidence=dataclasses.replace(evidence_of(trained, mask, network), initial=initial),
        rewound=initial,
        dense=trained,
        dense_scored=trained,
        final=trained,
        config=config,
        rng=stream(0, 0, "start"),
        train=config.train,
        first_step=config.rewind_step,
    )
    at = dataclasses.replace(at, start=start_weights(at, config.kept, config.pruned))

    def departure() -> Departure:
        return control_of(name)(dataclasses.replace(at, rng=stream(0, 0, CONTROL_SETTING)))

    one, other = departure(), departure()
    if not (_equal(one.mask, other.mask) and _equal(one.start, other.start)):
        part = known_part(CONTROL_SETTING, name)
        part.refuse("must give the same whenever it is asked with equal draws")


def _weights(network: Network) -> tuple[Weights, Weights]:
    """Returns initial weights, and as many that moved away from them."""
    initial, other = (network.initial_weights(stream(0, 0, what)) for what in ("init", "other"))
    return initial, {name: 0.5 * initial[name] + 0.7 * other[name] for name in initial}


def _half(network: Network, by_channel: bool) -> Mask:
    """Returns a mask in which about half of the weights survive, whole output channels if asked."""
    rng, mask = stream(0, 0, "mask"), Mask()
    for name in network.prunable:
        shape = network.shapes[name]
        drawn = rng.random((shape[0], *(1 for _ in shape[1:])) if by_channel else shape) < 0.5
        # One survives in any case.
        drawn.flat[0] = True
        mask[name] = torch.from_numpy(drawn).expand(shape).clone()
    return mask


def _equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def _try_measures(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> list[str]:
    """Measures the untrained network of a configuration, twice; returns the numbers' names."""
    network = network_of(config, datasets[config.data.name])
    initial = network.initial_weights(stream(0, 0, "init"))
    size = validation_size(datasets[config.data.name], config.data.validation)
    validation = _first_pictures(config, datasets, size)

    def untrained(weights: Weights) -> ObservedNetwork:
        return ObservedNetwork(
            branch=TRUNK,
            level=0,
            weights={name: value.clone() for name, value in weights.items()},
            mask=ones(weights, network.prunable),
            _network=network,
            _validation=validation,
        )

    def steady(names: Sequence[str]) -> dict[str, float | None] | None:
        """Returns the numbers of some functions, None if they are others when asked again."""
        measure = OwnMeasures(names, untrained, lambda step: step)
        found = measure(0, initial)
        return found if measure(0, initial) == found else None

    names = config.train.measure
    if (found := steady(names)) is None:
        part = next((name for name in names if steady([name]) is None), names[0])
        known_part(MEASURE, part).refuse("must give the same numbers of the same network again")
    return [*found]


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


def _try_objective(name: str, trajectories: Iterable[TrunkRows], classes: int) -> None:
    """Asks for the number of whatever can come of a trial."""
    part = known_part(OBJECTIVE, name)
    for rows in trajectories:
        found = own_objective(name, rows, classes)
        if own_objective(name, rows, classes) != found:
            part.refuse("must return the same number whenever it is asked")
        if any(own_objective(name, other, classes) != found for other in with_other_tests(rows)):
            part.refuse("must not go by test examples, which a search would then be fitted to")
