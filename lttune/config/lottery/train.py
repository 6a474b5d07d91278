"""How one network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lttune.config.fields import is_int, is_number
from lttune.config.lottery.length import check_epochs
from lttune.config.own import OWN_FORM, is_own_code, require_row_or_own
from lttune.config.rules import (
    MOST_EXAMPLES,
    MOST_STEPS,
    WHY_EXAMPLES,
    WHY_STEPS,
    Rules,
    every_rule,
)
from lttune.errors import quoted

ScheduleName = Literal["milestones", "cosine"]
OptimizerName = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"]
PrecisionName = Literal["float32", "tf32", "bfloat16"]
KindName = Literal["fc", "conv", "shortcut", "out", "norm", "bias"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How one network is trained. Every level starts with fresh optimizer state."""

    optimizer: OptimizerName = "adam"
    """Update rule: sgd, momentum (SGD with momentum), nesterov, adam, adamw (decoupled weight
    decay), or rmsprop."""
    lr: float = 1.2e-3
    """Learning rate, > 0."""
    momentum: float = 0.9
    """Momentum of the rules 'momentum' and 'nesterov', in [0, 1). The others do not read it."""
    weight_decay: float = 0.0
    """L2 penalty (decoupled for adamw), >= 0."""
    schedule: ScheduleName | str = "milestones"
    """What the learning rate is at a step: as warmup_steps, milestones and decay say (milestones),
    half a cosine down to 0 after warmup_steps (cosine), or your own: ./FILE.py:FUNCTION or
    PACKAGE.MODULE:FUNCTION, a function of these settings and the step, from 0
    (docs/your-own-parts.md)."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from 0."""
    milestones: tuple[int, ...] = ()
    """Steps from which on the learning rate is multiplied by ``decay`` once more."""
    decay: float = 0.1
    """Factor of the learning rate at each milestone, in (0, 1]."""
    batch_size: int = 60
    """Examples per step. The last batch of an epoch holds what is left."""
    steps: int = 50_000
    """Optimizer steps from initialisation to the end of training. With ``epochs`` they are counted,
    whatever stands here."""
    epochs: float | None = None
    """Passes over the training examples, validation's not among them, instead of ``steps``: as many
    steps as they have batches, rounded down. None is a length in steps."""
    eval_every: int = 100
    """Steps between evaluations. The early-stopping step is found among them afterwards; training
    is never stopped by it."""
    eval_test: bool = True
    """Whether the test set is measured at every evaluation, as in the paper's Figure 3. If not, it
    is measured at the early-stopping step and at the end only."""
    measure: tuple[str, ...] = ()
    """Functions of your own, each ./FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, that see copies of
    the network at every evaluation and give numbers for the records (docs/your-own-parts.md)."""
    eval_train: int = 10_000
    """Training examples, the first of a random order, on which training accuracy is measured at
    the early-stopping step and at the end. 0 measures none."""
    precision: PrecisionName = "float32"
    """Arithmetic of products and convolutions: float32, tf32 (CUDA only: float32 with 10 bits of
    mantissa in the factors), or bfloat16 (mixed: weights and their updates stay float32)."""
    frozen: tuple[KindName, ...] = ()
    """Kinds of parameters that keep their initial values: fc, conv, shortcut, out, norm, bias."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "train.")
            rules.choice("train.optimizer", self.optimizer, OptimizerName)
            require_row_or_own(rules, "train.schedule", self.schedule, ScheduleName)
            rules.choice("train.precision", self.precision, PrecisionName)
            ok = is_number(self.lr) and self.lr > 0
            rules.require(ok, "train.lr", "a finite number > 0", self.lr)
            ok = is_number(self.momentum) and 0 <= self.momentum < 1
            rules.require(ok, "train.momentum", "in [0, 1)", self.momentum)
            ok = is_number(self.weight_decay) and self.weight_decay >= 0
            rules.require(ok, "train.weight_decay", "a finite number >= 0", self.weight_decay)
            ok = is_number(self.decay) and 0 < self.decay <= 1
            rules.require(ok, "train.decay", "in (0, 1]", self.decay)
            for name, least, most, why in (
                ("batch_size", 1, MOST_EXAMPLES, WHY_EXAMPLES),
                ("steps", 1, MOST_STEPS, WHY_STEPS),
                ("eval_every", 1, MOST_STEPS, WHY_STEPS),
                ("eval_train", 0, MOST_EXAMPLES, WHY_EXAMPLES),
            ):
                rules.whole(f"train.{name}", getattr(self, name), least, most, why)
            # What is no tuple, or not of texts, is told as that.
            for kind in self.frozen if isinstance(self.frozen, tuple) else ():
                if isinstance(kind, str):
                    rules.choice("train.frozen", kind, KindName)
            if isinstance(asked := self.measure, tuple):
                ok = all(map(is_own_code, asked)) and len({*asked}) == len(asked)
                rule = f"functions, each once: {OWN_FORM} or PACKAGE.MODULE:FUNCTION"
                rules.require(ok, "train.measure", rule, asked)
            if isinstance(stones := self.milestones, tuple):
                ok = all(is_int(s) and 1 <= s <= MOST_STEPS for s in stones)
                ok = ok and list(stones) == sorted(set(stones))
                rule = f"rising whole numbers >= 1, at most {MOST_STEPS}"
                rules.require(ok, "train.milestones", rule, stones)
                ok = not stones or self.schedule != "cosine"
                rule = "left out where train.schedule is 'cosine'"
                rules.require(ok, "train.milestones", rule, stones, ("train.schedule",))
            check_epochs(rules, "train", self)
            if self.epochs is None:
                self._check_steps(rules)
            else:  # How many there are is not known yet.
                why = WHY_STEPS
                rules.whole("train.warmup_steps", self.warmup_steps, 0, MOST_STEPS, why)

    def _check_steps(self, rules: Rules) -> None:
        """Notes what goes by the number of steps."""
        given = ("train.steps", "train.eval_every")
        ok = is_int(self.warmup_steps) and 0 <= self.warmup_steps <= self.steps
        rule = f"a whole number from 0 to train.steps ({quoted(self.steps)})"
        rules.require(ok, "train.warmup_steps", rule, self.warmup_steps, given[:1])
        rule = f"at most train.steps ({quoted(self.steps)})"
        rules.require(
            self.eval_every <= self.steps, "train.eval_every", rule, self.eval_every, given
        )
