"""Branches: controls that leave the trunk at a level, each a function of where they leave it.

A branch trains with the trunk's data order of that level unless it says otherwise, so that ticket
and control are paired. Those of one's own are in ``lttune.trajectory.branches.own``, which finds
both kinds by name.
"""

from __future__ import annotations

from collections.abc import Callable

from lttune.trajectory.branches import other_masks, other_values
from lttune.trajectory.branches.departure import Departure, ticket_of
from lttune.trajectory.branches.other_orders import sibling
from lttune.trajectory.branches.other_targets import transfer, transfer_random, transfer_reinit
from lttune.trajectory.starts import Junction

Branch = Callable[[Junction], Departure]

BRANCHES: dict[str, Branch] = {
    "reinit": other_values.starting("reinit"),
    "reinit_scaled": other_values.starting("reinit_scaled"),
    "random": other_masks.random_mask,
    "random_scaled": other_masks.random_scaled,
    "random_global": other_masks.random_global,
    "random_even": other_masks.random_even,
    "random_erk": other_masks.random_erk,
    "shuffle": other_masks.shuffle,
    "one_shot": other_masks.one_shot,
    "finetune": other_values.starting("continue"),
    "lr_rewind": other_values.starting("lr_rewind"),
    "reset": other_values.starting("rewind"),
    "permute": other_values.starting("permute"),
    "keep_sign": other_values.starting("keep_sign"),
    "permute_magnitudes": other_values.starting("permute_magnitudes"),
    "signed_constant": other_values.starting("signed_constant"),
    "rescale": other_values.rescale,
    "freeze": other_values.holder("freeze"),
    "zero_if_shrinking": other_values.holder("zero_if_shrinking"),
    "zero_if_growing": other_values.holder("zero_if_growing"),
    "zero_shuffled": other_values.holder("zero_shuffled"),
    "zero_all_if_shrinking": other_values.zero_all_if_shrinking,
    "trainable": other_values.holder("trainable"),
    "noise_0.5": other_values.noisy(0.5),
    "noise_1": other_values.noisy(1.0),
    "noise_2": other_values.noisy(2.0),
    "noise_3": other_values.noisy(3.0),
    "flip_0.05": other_values.flipped(0.05),
    "flip_0.2": other_values.flipped(0.2),
    "flip_0.5": other_values.flipped(0.5),
    "trained_sign": other_values.trained_sign,
    "trained_magnitude": other_values.trained_magnitude,
    "sibling": sibling,
    "transfer": transfer,
    "transfer_random": transfer_random,
    "transfer_reinit": transfer_reinit,
}
"""Name of a control -> what it trains."""

HOLDING = frozenset(
    {"freeze", "zero_if_shrinking", "zero_if_growing", "zero_shuffled", "zero_all_if_shrinking"}
)
"""Controls that hold pruned weights at a value other than zero, which few engines can."""

FROM_DENSE = frozenset({"sibling", "transfer"})
"""Controls that leave the dense network too, at level 0."""

FROM_END = frozenset({"trained_sign", "trained_magnitude"})
"""Controls that are made of what the trunk's training of their level ended with."""

WITH_BARRIER = frozenset({"sibling"})
"""Controls whose end weights are kept, to be compared with the trunk's."""

TRANSFERS = frozenset({"transfer", "transfer_random", "transfer_reinit"})
"""Controls that need a target."""

ANYWHERE = frozenset({"random_global", "random_even", "random_erk"})
"""Controls whose layers have counts of their own, which whole channels cannot have."""

__all__ = [
    "ANYWHERE",
    "BRANCHES",
    "FROM_DENSE",
    "FROM_END",
    "HOLDING",
    "TRANSFERS",
    "WITH_BARRIER",
    "Branch",
    "Departure",
    "ticket_of",
]
