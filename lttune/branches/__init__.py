"""Branches: controls that leave the trunk at a level, each a function of where they leave it.

A branch trains with the trunk's data order of that level unless it says otherwise, so that ticket
and control are paired.
"""

from __future__ import annotations

from collections.abc import Callable

from lttune.branches import places, values
from lttune.branches.departure import Departure
from lttune.branches.orders import sibling
from lttune.branches.transfers import transfer, transfer_random, transfer_reinit
from lttune.starts import Junction

Branch = Callable[[Junction], Departure]

BRANCHES: dict[str, Branch] = {
    "reinit": values.reinit,
    "random": places.random_mask,
    "random_global": places.random_global,
    "random_even": places.random_even,
    "random_erk": places.random_erk,
    "shuffle": places.shuffle,
    "one_shot": places.one_shot,
    "finetune": values.finetune,
    "lr_rewind": values.lr_rewind,
    "reset": values.reset,
    "permute": values.permute,
    "keep_sign": values.keep_sign,
    "signed_constant": values.signed_constant,
    "freeze": values.holder("freeze"),
    "zero_if_shrinking": values.holder("zero_if_shrinking"),
    "noise_0.5": values.noisy(0.5),
    "noise_1": values.noisy(1.0),
    "noise_2": values.noisy(2.0),
    "noise_3": values.noisy(3.0),
    "sibling": sibling,
    "transfer": transfer,
    "transfer_random": transfer_random,
    "transfer_reinit": transfer_reinit,
}
"""Name of a control -> what it trains."""

HOLDING = frozenset({"freeze", "zero_if_shrinking"})
"""Controls that hold pruned weights at a value other than zero, which few engines can."""

FROM_DENSE = frozenset({"sibling", "transfer"})
"""Controls that leave the dense network too, at level 0."""

TRANSFERS = frozenset({"transfer", "transfer_random", "transfer_reinit"})
"""Controls that need a target."""

ANYWHERE = frozenset({"random_global", "random_even", "random_erk"})
"""Controls whose layers have counts of their own, which whole channels cannot have."""

__all__ = ["ANYWHERE", "BRANCHES", "FROM_DENSE", "HOLDING", "TRANSFERS", "Branch", "Departure"]
