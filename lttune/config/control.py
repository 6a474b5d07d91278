"""The controls of a trajectory, in one table: what each one is, for settings and for readers.

What a control trains is a function in ``lttune.trajectory.branches.BRANCHES``, or one's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lttune.config.own import is_own_code
from lttune.config.rules import Rules

ControlName = Literal[
    "reinit",
    "reinit_scaled",
    "random",
    "random_scaled",
    "random_global",
    "random_even",
    "random_erk",
    "shuffle",
    "one_shot",
    "finetune",
    "lr_rewind",
    "reset",
    "permute",
    "keep_sign",
    "permute_magnitudes",
    "signed_constant",
    "rescale",
    "freeze",
    "zero_if_shrinking",
    "zero_if_growing",
    "zero_shuffled",
    "zero_all_if_shrinking",
    "trainable",
    "noise_0.5",
    "noise_1",
    "noise_2",
    "noise_3",
    "flip_0.05",
    "flip_0.2",
    "flip_0.5",
    "trained_sign",
    "trained_magnitude",
    "sibling",
    "transfer",
    "transfer_random",
    "transfer_reinit",
]
"""The names of ``CONTROLS``, in its order."""

TRUNK = "trunk"
"""What the branch of the trajectory itself is called, beside which controls are trained."""

Family = Literal[
    "Other weights in the ticket's mask",
    "Other masks",
    "Other ways to train on",
    "Pruned weights not at zero",
    "On the target",
]
"""What a group of controls changes: the title of their panel in the report."""

OTHER_WEIGHTS: Family = "Other weights in the ticket's mask"
OTHER_MASKS: Family = "Other masks"
WAYS: Family = "Other ways to train on"
HELD: Family = "Pruned weights not at zero"
ON_TARGET: Family = "On the target"


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control."""

    family: Family
    told: str
    """What a person reads of it in ``--help``."""
    label: str = ""
    """Its name for readers of a report; empty on the target, where it has that of its part."""
    plays: Literal["trunk", "reinit", "random"] | None = None
    """On the target, the branch whose part it plays there; None at home."""


CONTROLS: dict[str, Control] = {
    "reinit": Control(family=OTHER_WEIGHTS, label="reinitialised ticket", told="new weights"),
    "reinit_scaled": Control(
        family=OTHER_WEIGHTS,
        label="reinitialised, scaled",
        told="new weights, each layer's divided by the root of its density",
    ),
    "random": Control(
        family=OTHER_MASKS,
        label="random mask",
        told="new weights at random places, of the ticket's density in each layer",
    ),
    "random_scaled": Control(
        family=OTHER_MASKS, label="random mask, scaled", told="as random and as reinit_scaled"
    ),
    "random_global": Control(
        family=OTHER_MASKS,
        label="random mask over all layers",
        told="as random, of its density over all, layers as chance has it",
    ),
    "random_even": Control(
        family=OTHER_MASKS,
        label="random mask, layers alike",
        told="likewise, layers of equal density",
    ),
    "random_erk": Control(
        family=OTHER_MASKS,
        label="random mask, ERK layers",
        told="likewise, layers of Erdos-Renyi-Kernel densities",
    ),
    "shuffle": Control(
        family=OTHER_MASKS, label="shuffled mask", told="as random, with their initial weights"
    ),
    "one_shot": Control(
        family=OTHER_MASKS, label="pruned at once", told="the dense network pruned at once"
    ),
    "finetune": Control(
        family=WAYS, label="fine-tuned", told="the trained weights, at the last learning rate"
    ),
    "lr_rewind": Control(
        family=WAYS,
        label="learning rate rewound",
        told="the trained weights, at the learning rates of the start",
    ),
    "reset": Control(
        family=WAYS, label="rewound each level", told="rewound where the trunk goes on"
    ),
    "permute": Control(
        family=OTHER_WEIGHTS, label="permuted weights", told="the ticket's own in another order"
    ),
    "keep_sign": Control(
        family=OTHER_WEIGHTS, label="new weights, same signs", told="new weights of the same signs"
    ),
    "permute_magnitudes": Control(
        family=OTHER_WEIGHTS,
        label="permuted magnitudes, same signs",
        told="the ticket's own sizes in another order, each place with its sign",
    ),
    "signed_constant": Control(
        family=OTHER_WEIGHTS, label="signed constants", told="one size for all, the same signs"
    ),
    "rescale": Control(
        family=OTHER_WEIGHTS,
        label="weights over the density",
        told="the ticket's own, each layer's divided by its density",
    ),
    "freeze": Control(family=HELD, label="pruned weights frozen", told="held where they started"),
    "zero_if_shrinking": Control(
        family=HELD,
        label="frozen unless shrinking",
        told="as freeze, but for those that training made smaller",
    ),
    "zero_if_growing": Control(
        family=HELD, label="frozen if shrinking", told="as freeze, but for those it did not"
    ),
    "zero_shuffled": Control(
        family=HELD,
        label="frozen but for random ones",
        told="as freeze, but for as many at random places",
    ),
    "zero_all_if_shrinking": Control(
        family=HELD,
        label="all zero if shrinking",
        told="as zero_if_shrinking, and so the weights of the ticket at its start",
    ),
    "trainable": Control(
        family=HELD, label="pruned weights trained", told="trained, from zero on, as all others"
    ),
    "noise_0.5": Control(
        family=OTHER_WEIGHTS,
        label="noise of 0.5 deviations",
        told="noise of half a standard deviation of the layer's initial weights added",
    ),
    "noise_1": Control(family=OTHER_WEIGHTS, label="noise of 1 deviation", told="of one"),
    "noise_2": Control(family=OTHER_WEIGHTS, label="noise of 2 deviations", told="of two"),
    "noise_3": Control(family=OTHER_WEIGHTS, label="noise of 3 deviations", told="of three"),
    "flip_0.05": Control(
        family=OTHER_WEIGHTS,
        label="5 % of signs turned",
        told="the trunk's own start with the signs of a twentieth of each layer turned",
    ),
    "flip_0.2": Control(family=OTHER_WEIGHTS, label="20 % of signs turned", told="of a fifth"),
    "flip_0.5": Control(family=OTHER_WEIGHTS, label="half of signs turned", told="of half"),
    "trained_sign": Control(
        family=OTHER_WEIGHTS,
        label="new weights, trained signs",
        told="new weights of the signs that the ticket's own training ended with",
    ),
    "trained_magnitude": Control(
        family=OTHER_WEIGHTS,
        label="trained magnitudes, new signs",
        told="the sizes that it ended with, of random signs",
    ),
    "sibling": Control(
        family=WAYS,
        label="another data order",
        told="the ticket in another data order, with the error barrier to the trunk",
    ),
    "transfer": Control(family=ON_TARGET, told="the ticket", plays="trunk"),
    "transfer_random": Control(family=ON_TARGET, told="as random", plays="random"),
    "transfer_reinit": Control(family=ON_TARGET, told="as reinit", plays="reinit"),
}
"""Name -> control."""


def families() -> dict[str, list[str]]:
    """Returns family -> its controls, both in the order of the table."""
    found: dict[str, list[str]] = {}
    for name, control in CONTROLS.items():
        found.setdefault(control.family, []).append(name)
    return found


def controls_told() -> str:
    """Returns what a person reads of all controls, in one line."""
    return ". ".join(
        f"{family}: " + ", ".join(f"{name} ({CONTROLS[name].told})" for name in names)
        for family, names in families().items()
    )


LONGEST_BRANCH = 100
"""Characters of the name of a branch: MLflow takes no metric of more than 250."""


def branch_name(control: str) -> str:
    """Returns what the branch of a control is called in records, reports and MLflow.

    That of the table is called as it is. One's own is called by the file, without its folder, or
    by the module, then a dot and the function: letters, digits, "_" and dots, whatever else stands
    in the name of a file.
    """
    if not is_own_code(control):
        return control
    place, _, function = control.rpartition(":")
    if place.endswith(".py"):
        stem = re.split(r"[/\\]", place.removesuffix(".py"))[-1]
        place = re.sub(r"\W", "_", stem) or "_"
    return f"{place}.{function}"


def require_branches(rules: Rules, controls: Iterable[object]) -> None:
    """Notes controls of one's own whose branches are called as others are, or by too long a name.

    Args:
        rules: of the settings.
        controls: all that one study trains, each once; what is no text is not looked at.
    """
    known: dict[str, str] = {}
    for control in controls:
        if not isinstance(control, str):
            continue
        branch = branch_name(control)
        rule = f"of a file and a function with at most {LONGEST_BRANCH} characters together"
        rules.require(len(branch) <= LONGEST_BRANCH, "controls", rule, control)
        other = known.setdefault(branch, control)
        rule = f"another than {other!r}, which records call {branch!r} too"
        rules.require(other == control, "controls", rule, control)
