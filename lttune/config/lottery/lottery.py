"""One trajectory, and how dotted paths change it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lttune.config.fields import SYNONYMS, flatten, is_int, is_number, require
from lttune.config.lottery.data import DATASET_SETTINGS, DataConfig
from lttune.config.lottery.length import STEPS_OF, in_last_unit
from lttune.config.lottery.model import ModelConfig
from lttune.config.lottery.pretrain import PretrainConfig
from lttune.config.lottery.prune import PruneConfig
from lttune.config.lottery.supermask import SupermaskConfig
from lttune.config.lottery.target import TargetConfig
from lttune.config.lottery.train import TrainConfig
from lttune.config.rules import MOST_LEVELS, MOST_STEPS, WHY_STEPS, Rules, every_rule
from lttune.errors import ConfigError, quoted, unknown

MethodName = Literal["prune", "supermask"]
KeptName = Literal[
    "rewind",
    "reinit",
    "reinit_scaled",
    "permute",
    "keep_sign",
    "permute_magnitudes",
    "signed_constant",
    "zero_if_shrinking",
    "continue",
    "lr_rewind",
]
PrunedName = Literal[
    "zero", "freeze", "zero_if_shrinking", "zero_if_growing", "zero_shuffled", "trainable"
]

DEPTH = ("levels", "min_density")
"""Fields that say how deep a trajectory goes and change none of its networks: what a point may set
beside the space that it is one of."""


@dataclass(frozen=True, kw_only=True)
class LotteryConfig:
    """One trajectory: train, prune, rewind, and again (Frankle & Carbin 2019, section 2)."""

    levels: int = 20
    """Times to prune, fewer where ``min_density`` is reached before. Level 0 is dense, so
    ``levels + 1`` networks are trained."""
    min_density: float = 0.0
    """A trajectory also ends after the first level of at most this density, in [0, 1)."""
    rewind_step: int = 0
    """Step of the dense training whose weights the survivors return to; 0 is initialisation. A
    level above 0 then trains from that step to ``train.steps``."""
    method: MethodName = "prune"
    """prune: the paper's loop; supermask: level 1 is a mask learned on weights that stay at their
    initial values (Zhou et al. 2019, section 5)."""
    kept: KeptName = "rewind"
    """What surviving weights start a level from: rewind (the weights at ``rewind_step``), reinit
    (newly drawn), reinit_scaled (newly drawn, each layer's divided by the root of its density),
    permute (the survivors' initial values in another order), keep_sign (newly drawn with the
    initial sign), permute_magnitudes (as permute, but every place keeps its sign), signed_constant
    (the initial sign times the layer's deviation), zero_if_shrinking (as rewind, but zero if
    training moved them towards zero), continue (trained weights, at the schedule's last learning
    rate) or lr_rewind (trained weights, with the schedule from ``rewind_step`` on; Renda et al.
    2020)."""
    pruned: PrunedName = "zero"
    """What pruned weights hold: zero, freeze (their initial value), zero_if_shrinking (zero if
    training moved them towards zero, else their initial value; Zhou et al. 2019), zero_if_growing
    (zero if it did not), zero_shuffled (as many zeros in each layer, at random places), or
    trainable (nothing: they start from zero and are trained, so that the network is dense)."""
    rescale: bool = False
    """Whether a layer's surviving weights, as ``kept`` has them, are divided by its density (the
    dynamic weight rescaling of Zhou et al. 2019). Trained weights are not: see ``kept``."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    """What the initial weights are trained on before."""
    supermask: SupermaskConfig = field(default_factory=SupermaskConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    """What the branches transfer* train the ticket on."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self)
            ok = is_int(self.levels) and 0 <= self.levels <= MOST_LEVELS
            rule = f"a whole number from 0 to {MOST_LEVELS}"
            rules.require(ok, "levels", rule, self.levels)
            ok = is_number(self.min_density) and 0 <= self.min_density < 1
            rules.require(ok, "min_density", "in [0, 1)", self.min_density)
            rules.choice("method", self.method, MethodName)
            rules.choice("kept", self.kept, KeptName)
            rules.choice("pruned", self.pruned, PrunedName)
            late = self.method == "supermask" and self.rewind_step != 0
            rule = "0 where method is 'supermask'"
            rules.require(not late, "rewind_step", rule, self.rewind_step)
            ok = self.method == "prune" or not self.train.measure
            rule = "left out where method is 'supermask'"
            rules.require(ok, "train.measure", rule, self.train.measure, ("method",))
            single = self.prune.one_shot is not None or self.method == "supermask"
            rule = "at most 1 where prune.one_shot is given or method is 'supermask'"
            ok = not single or (is_int(self.levels) and self.levels <= 1)
            rules.require(ok, "levels", rule, self.levels, ("levels", "prune.one_shot", "method"))
            ok = not self.rescale or self.kept not in ("continue", "lr_rewind")
            rule = "False where kept is 'continue' or 'lr_rewind'"
            rules.require(ok, "rescale", rule, self.rescale, ("kept",))
            self._check_steps(rules)

    def _check_steps(self, rules: Rules) -> None:
        """Notes what goes by the number of steps, as far as that is known."""
        first, last, step = self.rewind_step, self.train.steps, self.prune.step
        if self.train.epochs is not None:
            rules.whole("rewind_step", first, least=0, most=MOST_STEPS, why=WHY_STEPS)
            return
        given = ("train.steps", "rewind_step")
        ok = is_int(first) and 0 <= first < last
        rule = f"a whole number from 0 to below train.steps ({quoted(last)})"
        rules.require(ok, "rewind_step", rule, first, given)
        # What is no whole number has had its line.
        ok = step is None or not all(map(is_int, (first, last, step))) or first <= step < last
        rule = f"from rewind_step ({quoted(first)}) to below train.steps ({quoted(last)})"
        rules.require(ok, "prune.step", rule, step, (*given, "prune.step"))

    def override(self, hparams: Mapping[str, Any]) -> LotteryConfig:
        """Returns a copy with dotted paths replaced, e.g. ``{"train.lr": 0.1}``.

        A length in steps takes the place of one in epochs, and the other way about.

        Raises:
            ConfigError: if a path names no field, a length is given in both, or a value breaks its
                field's rule; with a line for each.
        """
        rule = "dotted paths and their values"
        require(isinstance(hparams, Mapping), "hyperparameters", rule, hparams)
        with every_rule(part=False) as rules:
            values = rules.attempt(lambda: in_last_unit(hparams))
            return _changed(self, hparams if values is None else values)

    @property
    def dataset_names(self) -> list[str]:
        """The names of all datasets that it has, its own first, each once."""
        values = self.flat()
        return list(dict.fromkeys(filter(None, (values[path] for path in DATASET_SETTINGS))))

    @property
    def has_epochs(self) -> bool:
        """Whether a length is given in epochs."""
        return (self.train.epochs, self.pretrain.epochs, self.target.epochs) != (None,) * 3

    def by_steps(self) -> LotteryConfig:
        """Returns a copy without lengths in epochs: of what is trained, the steps say all.

        Raises:
            ConfigError: if a rule that goes by the number of steps is broken.
        """
        return _changed(self, dict.fromkeys(STEPS_OF)) if self.has_epochs else self

    def trained_by(self, train: TrainConfig, **changes: Any) -> LotteryConfig:
        """Returns a copy with another training, of which no step is one to rewind to or prune at.

        Args:
            train: may have fewer steps.
            changes: of other fields.
        """
        prune = dataclasses.replace(self.prune, step=None)
        return dataclasses.replace(self, train=train, prune=prune, rewind_step=0, **changes)

    def nested(self) -> dict[str, Any]:
        """Returns every field as JSON would give it back; ``from_dict`` reads them."""
        return _plain(self)

    def flat(self) -> dict[str, Any]:
        """Returns every field by its dotted path, per-layer fractions one entry each.

        Lists are text: for tables and trackers, whose cells are scalars.
        """
        return {
            path: " ".join(map(str, value)) if isinstance(value, list) else value
            for path, value in flatten(self.nested()).items()
        }

    def paths(self) -> list[str]:
        """Returns the dotted paths of all fields, with the fractions that are set."""
        return [*self.flat(), "prune.fractions"]


def _plain(value: Any) -> Any:
    """Returns a value as JSON would give it back, in a tenth of the time of dataclasses' own."""
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [*map(_plain, value)] if isinstance(value, tuple | list) else value


def _changed(config: LotteryConfig, hparams: Mapping[str, Any]) -> LotteryConfig:
    """Returns a copy with dotted paths replaced, as they are.

    Raises:
        ConfigError: if a path names no field, or a value breaks its field's rule; with a line for
            each.
    """
    known = config.paths()
    groups: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    with every_rule(part=False) as rules:
        for path, value in hparams.items():
            if broken := _no_path(path, known):
                rules.note(broken)
                continue
            head, _, rest = path.partition(".")
            if rest:
                groups.setdefault(head, {})[rest] = value
            else:
                own[head] = value
        for head, values in groups.items():
            own[head] = _replaced(getattr(config, head), values)
        return dataclasses.replace(config, **own)


def require_path(path: object) -> None:
    """Raises ``ConfigError`` unless a path names a field of a configuration, or a layer's fraction.

    The error has the fields beside it, and the one that is meant.
    """
    if broken := _no_path(path, _usual_paths()):
        raise broken


@functools.cache
def _usual_paths() -> tuple[str, ...]:
    return tuple(LotteryConfig().paths())


def _no_path(path: object, known: Sequence[str]) -> ConfigError | None:
    if not isinstance(path, str):
        return unknown("hyperparameter", path, _beside("", known))
    if path in known or path.startswith("prune.fractions."):
        return None
    return unknown("hyperparameter", path, _beside(path, known), known, _meant_by(path, known))


def _beside(path: str, known: Sequence[str]) -> list[str]:
    """Returns the paths of a path's group; if there is no such group, those of none, and groups."""
    group = path.partition(".")[0]
    names = [name for name in known if name.startswith(f"{group}.")]
    heads = [name.partition(".")[:2] for name in known]
    return names or sorted({f"{head}.*" if dot else head for head, dot in heads})


def _meant_by(path: str, known: Sequence[str]) -> str | None:
    """Returns the path that people call so; a name without its group is of the training."""
    group, dot, name = path.rpartition(".")
    asked = f"{group}{dot}{SYNONYMS.get(name, name)}"
    return next((p for p in (asked, f"train.{asked}", f"{asked}.name") if p in known), None)


def _replaced(group: Any, values: Mapping[str, Any]) -> Any:
    """Returns a part of a configuration with fields replaced; "fractions.fc1" is one of a layer."""
    plain = {name: value for name, value in values.items() if "." not in name}
    layers = {n.partition(".")[2]: value for n, value in values.items() if "." in n}
    if layers:
        others = plain.get("fractions", group.fractions)
        # Where they are none, the group refuses them.
        plain["fractions"] = {**others, **layers} if isinstance(others, Mapping) else others
    return dataclasses.replace(group, **plain)


def from_dict(values: Mapping[str, Any]) -> LotteryConfig:
    """Returns the configuration whose ``nested`` values these are.

    Steps that stand beside epochs were counted.

    Raises:
        ConfigError: if a field is unknown or breaks its rule.
    """
    base = LotteryConfig(prune=PruneConfig(fractions={}))
    return _changed(base, flatten(values))
