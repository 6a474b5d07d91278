"""Made-up trajectories, on which an objective of one's own is tried.

They have the columns of real ones, and plausible values: tickets that gain a little over their
dense network, and lose more and more at low densities.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from lttune.config import LotteryConfig
from lttune.config.control import TRUNK
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.transforms import shape_and_classes
from lttune.pruning.densities import planned_densities
from lttune.records.schema import OWN_MEASURES
from lttune.trajectory.connectivity import NONE
from lttune.trajectory.lab import network_of

DEEP = 0.01
"""Density at which a made-up ticket has lost half of what its dense network knew."""

OF_TESTS = ("test_", "end_test_", "barrier_test_")
"""How columns of the records begin that are measured on test examples."""

TrunkRows = list[dict[str, Any]]
"""The rows of one replicate's trunk, a row a level."""


def trajectories_made_up(
    config: LotteryConfig, dataset: Dataset, measured: Collection[str] = ()
) -> dict[str, TrunkRows]:
    """Returns what can come of a configuration: its name -> the rows of one replicate's trunk.

    That is all levels, the dense network alone, and each of the first two levels diverged, after
    which a trajectory ends.

    Args:
        config: of the trajectory.
        dataset: its own.
        measured: names of measurements of one's own.
    """
    classes = shape_and_classes(dataset, config.data)[1]
    own = {f"{prefix}{name}": 0.5 for prefix in OWN_MEASURES for name in measured}
    whole = [row | own for row in _whole(config, dataset, classes)]
    found = {"whole": whole, "dense alone": whole[:1]}
    found["dense diverged"] = [_diverged(whole[0], classes, at_once=True)]
    if len(whole) > 1:
        found["ticket diverged"] = [whole[0], _diverged(whole[1], classes, at_once=False)]
    return found


def with_other_tests(rows: TrunkRows) -> list[TrunkRows]:
    """Returns rows with other measures on test examples: once rising with the level, once falling.

    What was not measured is not measured in them either.
    """
    shares = [(place + 1) / (len(rows) + 2) for place in range(len(rows))]
    return [
        [
            {name: _other(name, value, share) for name, value in row.items()}
            for row, share in zip(rows, order, strict=True)
        ]
        for order in (shares, shares[::-1])
    ]


def _other(name: str, value: object, share: float) -> object:
    return share if name.startswith(OF_TESTS) and value is not None else value


def _whole(config: LotteryConfig, dataset: Dataset, classes: int) -> TrunkRows:
    network = network_of(config, dataset)
    prunable = sum(math.prod(network.shapes[name]) for name in network.prunable)
    return [
        {
            "replicate": 0,
            "branch": TRUNK,
            "level": level,
            "density": density,
            "surviving": round(density * prunable),
            "prunable": prunable,
            **NONE,
            **_measures(config, density, 1 / classes),
            "train_time_s": 1.0,
            "eval_time_s": 0.1,
            "trained": "2026-01-01T00:00:00+00:00",
            "host": "made-up",
            "reused": False,
            "seed": 0,
            "numerics": "made up",
            "cell": f"{level:064x}",
            **{f"density.{layer}": density for layer in network.kinds},
            **config.flat(),
            "data.validation": validation_size(dataset, config.data.validation),
        }
        for level, density in enumerate(planned_densities(config, network))
    ]


def _measures(config: LotteryConfig, density: float, chance: float) -> dict[str, Any]:
    """Returns the measures of a training as it could have been."""
    deep, train = math.log(density) / math.log(DEEP), config.train
    known = max(0.0, 0.9 + 0.05 * deep - 0.5 * deep**4)
    stop = max(1, train.steps // train.eval_every // 2) * train.eval_every
    early, end = (_accuracies(chance + (1 - chance) * one) for one in (known, 0.98 * known))
    if not train.eval_train:
        early["train_accuracy"] = end["train_accuracy"] = None
    return {
        "early_stop_step": stop,
        "early_stop_at_end": stop == train.steps,
        "start_val_accuracy": chance,
        **early,
        **{f"end_{name}": value for name, value in end.items()},
        "steps_trained": train.steps,
        "diverged": False,
    }


def _accuracies(accuracy: float) -> dict[str, float | None]:
    return {
        "val_accuracy": accuracy,
        "val_loss": 2 * (1 - accuracy),
        "test_accuracy": 0.99 * accuracy,
        "test_loss": 2 * (1 - 0.99 * accuracy),
        "train_accuracy": 0.5 + 0.5 * accuracy,
    }


def _diverged(row: Mapping[str, Any], classes: int, *, at_once: bool) -> dict[str, Any]:
    """Returns the row of a network that diverged before it had learned anything.

    Args:
        row: of one that did not.
        classes: that are told apart.
        at_once: whether no loss was finite, the untrained network's neither.
    """
    own = [name for name in row if name.startswith(OWN_MEASURES)]
    known = {name: value for name, value in row.items() if value is not None and name not in own}
    accuracies = dict.fromkeys((name for name in known if name.endswith("_accuracy")), 1 / classes)
    losses = {
        name: None if at_once or name.startswith("end_") else math.log(classes)
        for name in known
        if name.endswith("_loss")
    }
    stop = {"early_stop_step": 0, "early_stop_at_end": at_once, "steps_trained": 0}
    if not at_once:
        stop["steps_trained"] = row["train.eval_every"]
    measured = {} if at_once else {n: None if n.startswith("end_") else row[n] for n in own}
    rest = {name: value for name, value in row.items() if name not in own}
    return {**rest, **measured, **accuracies, **losses, **stop, "diverged": True}
