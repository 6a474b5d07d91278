"""Hyperparameters that are varied and read by nothing: what is found of one would be of chance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lttune.config import LotteryConfig
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.errors import ConfigError
from lttune.pruning.rule import competing_groups
from lttune.trajectory.checks.fitting import READ_BY_FEW
from lttune.trajectory.identity import of_model, of_training
from lttune.trajectory.lab import network_of

_READ_THROUGH = ("train.", "model.", "prune.fraction")
"""Beginnings of paths of which ``_read`` has what is read, and not the values themselves."""


def check_varied(
    varied: Iterable[Sequence[str]],
    reached: Collection[LotteryConfig],
    datasets: Mapping[str, Dataset],
) -> None:
    """Checks that of each varied hyperparameter one configuration at least reads the value.

    Args:
        varied: the path of each, and of those that follow it: one of them that is read is enough.
        reached: all configurations that a study can come to.
        datasets: by name.

    Raises:
        ConfigError: naming each that changes nothing, and who would read it.
    """
    told = {option.path: f"only {option.readers} it" for option in READ_BY_FEW}
    told["prune.fraction"] = "prune.fractions gives each layer its own, or nothing is pruned by it"
    flat = [config.flat() for config in reached]
    with every_rule() as rules:
        for path, *others in dict.fromkeys(map(tuple, varied)):
            values = _different(one.get(path) for one in flat)
            is_read = any(
                _reads(config, one, _different(f.get(one) for f in flat), datasets)
                for one in (path, *others)
                for config in reached
            )
            # Steps of what is given in epochs are counted by now.
            if len(values) > 1 and path not in STEPS_OF and not is_read:
                why = told.get(path, "nothing that is trained depends on it")
                rules.require(False, path, f"no factor here, since {why}", tuple(values[:2]))


def _different(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _reads(
    config: LotteryConfig, path: str, values: Iterable[Any], datasets: Mapping[str, Dataset]
) -> bool:
    """Returns whether another of the values of a path makes anything else of a configuration."""
    mine = _read(config, datasets)
    for value in values:
        if value == config.flat().get(path):
            continue
        try:
            if _read(config.override({path: value}), datasets) != mine:
                return True
        except ConfigError:
            continue  # They do not go together, and no trial has both.
    return False


def _read(config: LotteryConfig, datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    """Returns what training and pruning read of a configuration.

    More where that is not known of a setting: then it is taken to be read.
    """
    network = network_of(config, datasets[config.data.name])
    groups = competing_groups(config.prune, network.kinds)
    is_pruned = config.levels > 0 and config.method == "prune"
    values = config.flat()
    rest = {path: value for path, value in values.items() if not path.startswith(_READ_THROUGH)}
    named = {path: values[path] for path in ("model.name", "train.schedule")}
    return {
        **rest,
        **named,
        "training": of_training(config.train),
        "model": of_model(config.model),
        "fractions": [(group.names, group.fraction) for group in groups] if is_pruned else [],
    }
