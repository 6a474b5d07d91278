"""Hyperparameters that are varied and read by nothing: what is found of one would be of chance."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

from lttune.config import LotteryConfig, TargetConfig
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.errors import ConfigError
from lttune.pruning.rule import competing_groups
from lttune.trajectory.checks.fitting import READ_BY_FEW
from lttune.trajectory.identity import of_model, of_training
from lttune.trajectory.lab import network_key, network_of

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
    reader = _Reader(datasets)
    with every_rule() as rules:
        for path, *others in dict.fromkeys(map(tuple, varied)):
            values = _different(_value(config, path) for config in reached)
            # Steps of what is given in epochs are counted by now.
            if len(values) < 2 or path in STEPS_OF:
                continue
            if not any(reader.reads(one, reached) for one in (path, *others)):
                why = told.get(path, "nothing that is trained depends on it")
                rules.require(False, path, f"no factor here, since {why}", tuple(values[:2]))


def _different(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _value(config: LotteryConfig, path: str) -> Any:
    """Returns the value at a path; None of a layer that has no fraction of its own."""
    group, _, name = path.partition(".")
    if path.startswith("prune.fractions."):
        return config.prune.fractions.get(path.removeprefix("prune.fractions."))
    return getattr(getattr(config, group), name) if name else getattr(config, group)


class _Reader:
    """Says what configurations read; networks of one key are made once.

    Args:
        datasets: by name.
    """

    def __init__(self, datasets: Mapping[str, Dataset]) -> None:
        self._datasets = datasets
        self._kinds: dict[Hashable, Mapping[str, str]] = {}

    def reads(self, path: str, reached: Collection[LotteryConfig]) -> bool:
        """Returns whether one of them makes something else of another of a path's values."""
        values = _different(_value(config, path) for config in reached)
        for config in reached:
            mine = self._read(config)
            for value in values:
                if value == _value(config, path):
                    continue
                try:
                    other = self._read(config.override({path: value}))
                except ConfigError:
                    continue  # They do not go together, and no trial has both.
                if other != mine:
                    return True
                break  # What does not tell two values apart tells none.
        return False

    def _read(self, config: LotteryConfig) -> dict[str, Any]:
        """Returns what training and pruning read of a configuration.

        More where that is not known of a setting: then it is taken to be read.
        """
        dataset = self._datasets[config.data.name]
        key = network_key(config, dataset)
        if key not in self._kinds:
            self._kinds[key] = network_of(config, dataset).kinds
        groups = competing_groups(config.prune, self._kinds[key])
        is_pruned = config.levels > 0 and config.method == "prune"
        values = config.flat()
        rest = {path: value for path, value in values.items() if not path.startswith(_READ_THROUGH)}
        named = {path: values[path] for path in ("model.name", "train.schedule")}
        after = config.target.training(config.train) if config.target != TargetConfig() else None
        return {
            **rest,
            **named,
            "training": of_training(config.train),
            "training on the target": after and of_training(after),
            "model": of_model(config.model),
            "fractions": [(group.names, group.fraction) for group in groups] if is_pruned else [],
        }
