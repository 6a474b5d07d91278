"""How the mask of the next level is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lttune.config.fields import is_number
from lttune.config.own import require_row_or_own
from lttune.config.rules import (
    MOST_EXAMPLES,
    MOST_PASSES,
    MOST_STEPS,
    WHY_EXAMPLES,
    WHY_PASSES,
    WHY_STEPS,
    every_rule,
)

CriterionName = Literal[
    "magnitude",
    "large_final",
    "small_final",
    "large_init",
    "small_init",
    "large_init_large_final",
    "small_init_small_final",
    "magnitude_increase",
    "movement",
    "large_final_same_sign",
    "large_final_diff_sign",
    "magnitude_increase_same_sign",
    "magnitude_increase_diff_sign",
    "random",
    "gradient",
    "snip",
    "grasp",
    "synflow",
]
ScopeName = Literal["layer", "kind", "global"]
StructureName = Literal["weight", "channel"]


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """How the mask of the next level is found."""

    criterion: CriterionName | str = "magnitude"
    """How a weight is scored; the lowest scores go first: see ``lttune.pruning.criteria``. Your
    own: ./FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION (docs/your-own-parts.md)."""
    scope: ScopeName = "layer"
    """Which weights compete: those of one layer, those of all layers of one kind, or all."""
    fraction: float = 0.2
    """Share of the *surviving* weights that each competing group loses per level, in (0, 1)."""
    fractions: dict[str, float] = field(default_factory=lambda: {"out": 0.1})
    """Exceptions to ``fraction`` by layer name, else by kind (fc, conv, shortcut, out), each in
    [0, 1); 0 leaves a layer whole. Layer scope reads both, kind scope kinds only; in global scope
    all layers are one group."""
    exclude: tuple[str, ...] = ()
    """Layers or kinds that are not prunable: they are in no mask and do not count in densities."""
    structure: StructureName = "weight"
    """What is removed: single weights, or whole output channels (units), in layer scope. The layer
    of the logits then stays whole."""
    rounds: int = 1
    """Times that the weights are scored and removed within one level, as SynFlow's 100."""
    one_shot: float | None = None
    """Density in (0, 1) to reach in a single level, the fractions raised in proportion to their
    rounds. None prunes level by level."""
    scoring_examples: int = 256
    """Training examples on which snip, grasp and gradient are measured, and which a criterion of
    your own gets."""
    step: int | None = None
    """Step of the level's training whose weights the criterion sees, while the training goes on.
    Counted as ``rewind_step`` is, and not before it; None is the end."""
    share: float = 1.0
    """Share of the way from the initial weights to those at ``step`` at which the criterion sees
    them, in [0, 1]; 1 is at its end."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "prune.")
            require_row_or_own(rules, "prune.criterion", self.criterion, CriterionName)
            rules.choice("prune.scope", self.scope, ScopeName)
            rules.choice("prune.structure", self.structure, StructureName)
            ok = is_number(self.fraction) and 0 < self.fraction < 1
            rules.require(ok, "prune.fraction", "in (0, 1)", self.fraction)
            named = isinstance(self.fractions, Mapping)
            rule = "a dict of layers or kinds to fractions"
            rules.require(named, "prune.fractions", rule, self.fractions)
            for name, value in self.fractions.items() if named else ():
                ok = is_number(value) and 0 <= value < 1
                rules.require(ok, f"prune.fractions.{name}", "in [0, 1)", value)
            rules.whole("prune.rounds", self.rounds, least=1, most=MOST_PASSES, why=WHY_PASSES)
            what = "prune.scoring_examples", self.scoring_examples
            rules.whole(*what, least=1, most=MOST_EXAMPLES, why=WHY_EXAMPLES)
            ok = self.one_shot is None or (is_number(self.one_shot) and 0 < self.one_shot < 1)
            rules.require(ok, "prune.one_shot", "in (0, 1) or None", self.one_shot)
            if self.step is not None:
                what = "prune.step", self.step
                rules.whole(*what, least=0, most=MOST_STEPS, why=WHY_STEPS)
            ok = is_number(self.share) and 0 <= self.share <= 1
            rules.require(ok, "prune.share", "in [0, 1]", self.share)
            ok = self.structure == "weight" or self.scope == "layer"
            rule = "'layer' where prune.structure is 'channel'"
            given = ("prune.scope", "prune.structure")
            rules.require(ok, "prune.scope", rule, self.scope, given)
