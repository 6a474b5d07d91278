"""What the weights are trained on before a trajectory begins."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lttune.config.fields import is_number
from lttune.config.lottery.data import DataConfig, TaskName, require_dataset
from lttune.config.lottery.length import check_epochs
from lttune.config.lottery.train import TrainConfig
from lttune.config.rules import MOST_STEPS, WHY_STEPS, every_rule


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Pretraining of the initial weights on other examples, or on a task without labels."""

    steps: int = 0
    """Optimizer steps; 0 is no pretraining. With ``epochs`` they are counted."""
    epochs: float | None = None
    """Passes over the pretraining's examples instead of ``steps``, as ``train.epochs``."""
    data: str | None = None
    """Dataset, of pictures of the same shape. None is the trajectory's own."""
    task: TaskName = "classes"
    """classes, or rotation, which needs no labels."""
    lr: float | None = None
    """Learning rate, constant, > 0. None is ``train.lr``."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "pretrain.")
            rules.whole("pretrain.steps", self.steps, least=0, most=MOST_STEPS, why=WHY_STEPS)
            check_epochs(rules, "pretrain", self)
            if self.data is not None:
                rules.attempt(lambda: require_dataset("pretrain.data", self.data))
            rules.choice("pretrain.task", self.task, TaskName)
            ok = self.lr is None or (is_number(self.lr) and self.lr > 0)
            rules.require(ok, "pretrain.lr", "a finite number > 0", self.lr)

    def dataset(self, data: DataConfig) -> DataConfig:
        """Returns the examples of the pretraining, given the trajectory's."""
        return dataclasses.replace(data, name=self.data or data.name, task=self.task)

    def training(self, train: TrainConfig) -> TrainConfig:
        """Returns the pretraining's training, given the trajectory's.

        It is evaluated before and after, and measured by no function of one's own.
        """
        return dataclasses.replace(
            train,
            lr=self.lr or train.lr,
            steps=self.steps,
            epochs=None,
            eval_every=self.steps,
            eval_test=False,
            eval_train=0,
            warmup_steps=0,
            milestones=(),
            schedule="milestones",
            measure=(),
        )
