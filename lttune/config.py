"""What one trajectory is: frozen, keyword-only values, each checked where it is declared.

The defaults are LeNet-300-100 on MNIST as in Frankle & Carbin (2019), Figure 2. A dotted path such
as ``train.lr`` names a field everywhere: in a search space, on the command line, as an MLflow
parameter and as a column of the records.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lttune.errors import ConfigError, unknown

DatasetName = Literal["mnist", "digits"]
OptimizerName = Literal["sgd", "momentum", "adam", "adamw"]
InitName = Literal["glorot_normal"]
CriterionName = Literal["magnitude"]
ScopeName = Literal["layer", "global"]


def require(ok: bool, path: str, rule: str, value: object) -> None:
    """Raises ``ConfigError`` naming the field, its rule and its value unless ``ok``."""
    if not ok:
        raise ConfigError(f"{path} must be {rule}, got {value!r}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choice(path: str, value: object, choices: Any) -> None:
    if value not in get_args(choices):
        raise unknown(path, value, get_args(choices))


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which examples are learned from."""

    name: DatasetName = "mnist"
    """Dataset: mnist (60,000 + 10,000 pictures), or digits (scikit-learn's 1,797, for trials)."""
    validation: int | None = None
    """Training examples set aside for validation, at random per replicate. None is the dataset's
    custom: 5,000 of MNIST as in the paper, 237 of digits."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        _choice("data.name", self.name, DatasetName)
        ok = self.validation is None or (_is_int(self.validation) and self.validation >= 1)
        require(ok, "data.validation", "a whole number >= 1 or None", self.validation)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network is trained and how its weights are drawn."""

    name: str = "lenet-300-100"
    """Network: lenet-H1-H2-... is a fully connected ReLU network with those hidden widths; its
    layers are fc1, fc2, ..., out."""
    init: InitName = "glorot_normal"
    """Initialisation: glorot_normal draws N(0, 2 / (fan_in + fan_out)); biases are zero."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        ok = isinstance(self.name, str) and re.fullmatch(r"lenet(-[1-9]\d{0,3}){1,8}", self.name)
        require(bool(ok), "model.name", "lenet-H1-H2-..., widths up to 9999", self.name)
        _choice("model.init", self.init, InitName)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How one network is trained. Every level starts with fresh optimizer state."""

    optimizer: OptimizerName = "adam"
    """Update rule: sgd, momentum (SGD with momentum), adam, or adamw (decoupled weight decay)."""
    lr: float = 1.2e-3
    """Learning rate, > 0."""
    momentum: float = 0.9
    """Momentum of the rule 'momentum', in [0, 1). The other rules do not read it."""
    weight_decay: float = 0.0
    """L2 penalty (decoupled for adamw), >= 0."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from 0."""
    batch_size: int = 60
    """Examples per step. The last batch of an epoch holds what is left."""
    steps: int = 50_000
    """Optimizer steps from initialisation to the end of training."""
    eval_every: int = 100
    """Steps between evaluations. The early-stopping step is found among them afterwards; training
    is never stopped by it."""
    eval_test: bool = True
    """Whether the test set is measured at every evaluation, as in the paper's Figure 3. If not, it
    is measured at the early-stopping step and at the end only."""
    eval_train: int = 10_000
    """Training examples, the first of a random order, on which training accuracy is measured at
    the early-stopping step and at the end. 0 measures none."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        _choice("train.optimizer", self.optimizer, OptimizerName)
        require(_is_number(self.lr) and self.lr > 0, "train.lr", "a finite number > 0", self.lr)
        ok = _is_number(self.momentum) and 0 <= self.momentum < 1
        require(ok, "train.momentum", "in [0, 1)", self.momentum)
        ok = _is_number(self.weight_decay) and self.weight_decay >= 0
        require(ok, "train.weight_decay", "a finite number >= 0", self.weight_decay)
        for name, least in (("batch_size", 1), ("steps", 1), ("eval_every", 1), ("eval_train", 0)):
            value = getattr(self, name)
            ok = _is_int(value) and value >= least
            require(ok, f"train.{name}", f"a whole number >= {least}", value)
        ok = _is_int(self.warmup_steps) and 0 <= self.warmup_steps <= self.steps
        rule = f"a whole number from 0 to train.steps ({self.steps})"
        require(ok, "train.warmup_steps", rule, self.warmup_steps)
        require(isinstance(self.eval_test, bool), "train.eval_test", "a bool", self.eval_test)
        rule = f"at most train.steps ({self.steps})"
        require(self.eval_every <= self.steps, "train.eval_every", rule, self.eval_every)


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """How the mask of the next level is found."""

    criterion: CriterionName = "magnitude"
    """How a weight is scored; the lowest scores go first."""
    scope: ScopeName = "layer"
    """Which weights compete: those of one layer, or all of them."""
    fraction: float = 0.2
    """Share of the *surviving* weights that each competing group loses per level, in (0, 1)."""
    fractions: dict[str, float] = field(default_factory=lambda: {"out": 0.1})
    """Exceptions to ``fraction`` by layer name, else by kind (fc, out), each in [0, 1); 0 leaves a
    layer whole. They hold for layer scope only: in global scope all layers are one group."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        _choice("prune.criterion", self.criterion, CriterionName)
        _choice("prune.scope", self.scope, ScopeName)
        ok = _is_number(self.fraction) and 0 < self.fraction < 1
        require(ok, "prune.fraction", "in (0, 1)", self.fraction)
        for name, value in self.fractions.items():
            ok = _is_number(value) and 0 <= value < 1
            require(ok, f"prune.fractions.{name}", "in [0, 1)", value)


@dataclass(frozen=True, kw_only=True)
class LotteryConfig:
    """One trajectory: train, prune, rewind, and again (Frankle & Carbin 2019, section 2)."""

    levels: int = 20
    """Times to prune. Level 0 is dense, so ``levels + 1`` networks are trained."""
    min_density: float = 0.0
    """A trajectory also ends after the first level of at most this density, in [0, 1)."""
    rewind_step: int = 0
    """Step of the dense training whose weights the survivors return to; 0 is initialisation. A
    level above 0 then trains from that step to ``train.steps``."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        ok = _is_int(self.levels) and 0 <= self.levels <= 200
        require(ok, "levels", "a whole number from 0 to 200", self.levels)
        ok = _is_number(self.min_density) and 0 <= self.min_density < 1
        require(ok, "min_density", "in [0, 1)", self.min_density)
        ok = _is_int(self.rewind_step) and 0 <= self.rewind_step < self.train.steps
        rule = f"a whole number from 0 to below train.steps ({self.train.steps})"
        require(ok, "rewind_step", rule, self.rewind_step)

    def override(self, hparams: Mapping[str, Any]) -> LotteryConfig:
        """Returns a copy with dotted paths replaced, e.g. ``{"train.lr": 0.1}``.

        Raises:
            ConfigError: if a path names no field, or a value breaks its field's rule.
        """
        groups: dict[str, dict[str, Any]] = {}
        own: dict[str, Any] = {}
        for path, value in hparams.items():
            head, _, rest = path.partition(".")
            if path not in self.paths() and not path.startswith("prune.fractions."):
                raise unknown("hyperparameter", path, self.paths())
            if rest:
                groups.setdefault(head, {})[rest] = value
            else:
                own[head] = value
        for head, values in groups.items():
            plain = {k: v for k, v in values.items() if "." not in k}
            layers = {k.partition(".")[2]: v for k, v in values.items() if "." in k}
            group = getattr(self, head)
            if layers:
                plain["fractions"] = {**plain.get("fractions", group.fractions), **layers}
            own[head] = dataclasses.replace(group, **plain)
        return dataclasses.replace(self, **own)

    def nested(self) -> dict[str, Any]:
        """Returns every field as plain nested values; ``from_dict`` reads them back."""
        return dataclasses.asdict(self)

    def flat(self) -> dict[str, Any]:
        """Returns every field by its dotted path, per-layer fractions one entry each."""
        return flatten(self.nested())

    def paths(self) -> list[str]:
        """Returns the dotted paths of all fields, with the fractions that are set."""
        return [*self.flat(), "prune.fractions"]

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the values: equal configurations have equal fingerprints."""
        return digest(self.nested())


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested values by their dotted paths, each after ``prefix``."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def digest(values: Any) -> str:
    """Returns the SHA-256 of plain values in canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def from_dict(values: Mapping[str, Any]) -> LotteryConfig:
    """Returns the configuration whose ``nested`` values these are.

    Raises:
        ConfigError: if a field is unknown or breaks its rule.
    """
    base = LotteryConfig(prune=PruneConfig(fractions={}))
    return base.override(flatten(values))
