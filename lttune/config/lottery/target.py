"""Where a ticket is taken to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lttune.config.fields import is_number
from lttune.config.lottery.data import DataConfig, require_dataset
from lttune.config.lottery.length import check_epochs
from lttune.config.lottery.train import OptimizerName, TrainConfig
from lttune.config.rules import (
    MOST_EXAMPLES,
    MOST_STEPS,
    WHY_EXAMPLES,
    WHY_STEPS,
    every_rule,
)


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """What a ticket is transferred to; a field that is None is as where the ticket was found."""

    data: str | None = None
    """Dataset of the target, of pictures of the same shape and at most as many classes."""
    optimizer: OptimizerName | None = None
    """Update rule on the target."""
    lr: float | None = None
    """Learning rate on the target, > 0."""
    batch_size: int | None = None
    """Examples per step on the target."""
    steps: int | None = None
    """Optimizer steps on the target. None is as many as where the ticket was found."""
    epochs: float | None = None
    """Passes over the target's examples instead of ``steps``, as ``train.epochs``."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "target.")
            if self.data is not None:
                rules.attempt(lambda: require_dataset("target.data", self.data))
            if self.optimizer is not None:
                rules.choice("target.optimizer", self.optimizer, OptimizerName)
            ok = self.lr is None or (is_number(self.lr) and self.lr > 0)
            rules.require(ok, "target.lr", "a finite number > 0", self.lr)
            check_epochs(rules, "target", self)
            for name, most, why in (
                ("batch_size", MOST_EXAMPLES, WHY_EXAMPLES),
                ("steps", MOST_STEPS, WHY_STEPS),
            ):
                if (value := getattr(self, name)) is not None:
                    rules.whole(f"target.{name}", value, least=1, most=most, why=why)

    def dataset(self, data: DataConfig) -> DataConfig:
        """Returns the target's examples, given those where the ticket was found."""
        return data if self.data is None else dataclasses.replace(data, name=self.data)

    def training(self, train: TrainConfig) -> TrainConfig:
        """Returns the target's training, given the one that found the ticket.

        Raises:
            ConfigError: if the two together break a rule.
        """
        names = ("optimizer", "lr", "batch_size", "steps")
        given = {name: getattr(self, name) for name in names}
        changed = {name: value for name, value in given.items() if value is not None}
        steps = changed.get("steps", train.steps)
        every = min(train.eval_every, steps)
        return dataclasses.replace(train, **changed, eval_every=every, epochs=None)
