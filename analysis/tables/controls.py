"""The controls for readers: their names, what they have in common, and whose ticket they answer.

A study may train any of them. ``transfer`` and its own controls are trained on the target, so they
are never compared with the ticket at home but among themselves.
"""

from __future__ import annotations

import pandas as pd

LABELS = {
    "trunk": "ticket",
    "dense": "dense",
    "reinit": "reinitialised ticket",
    "random": "random mask",
    "random_global": "random mask over all layers",
    "random_even": "random mask, layers alike",
    "random_erk": "random mask, ERK layers",
    "shuffle": "shuffled mask",
    "one_shot": "pruned at once",
    "finetune": "fine-tuned",
    "lr_rewind": "learning rate rewound",
    "reset": "rewound each level",
    "permute": "permuted weights",
    "keep_sign": "new weights, same signs",
    "signed_constant": "signed constants",
    "noise_0.5": "noise of 0.5 deviations",
    "noise_1": "noise of 1 deviation",
    "noise_2": "noise of 2 deviations",
    "noise_3": "noise of 3 deviations",
    "freeze": "pruned weights frozen",
    "zero_if_shrinking": "frozen unless shrinking",
    "sibling": "another data order",
}
"""Branch -> its name for readers."""

MAIN = ("trunk", "reinit", "random")
"""Branches of the paper's own figures, drawn in the first one."""

FAMILIES = {
    "Other weights in the ticket's mask": (
        "reinit",
        "permute",
        "keep_sign",
        "signed_constant",
        "noise_0.5",
        "noise_1",
        "noise_2",
        "noise_3",
    ),
    "Other masks": ("random", "random_global", "random_even", "random_erk", "shuffle", "one_shot"),
    "Other ways to train on": ("finetune", "lr_rewind", "reset", "sibling"),
    "Pruned weights not at zero": ("freeze", "zero_if_shrinking"),
}
"""What a group of controls changes -> the controls."""

TARGET = {"transfer": "trunk", "transfer_reinit": "reinit", "transfer_random": "random"}
"""Branch on the target -> the branch whose part it plays there."""


def at_home(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks that were trained on the study's own task; level 0 is the trunk's."""
    rows = records[~records["branch"].isin(list(TARGET))]
    return rows[(rows["branch"] == "trunk") | (rows["level"] > 0)]


def on_target(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks trained on the target, each under the name whose part it plays."""
    rows = records[records["branch"].isin(list(TARGET))]
    return rows.assign(branch=rows["branch"].map(TARGET))


def families(branches: set[str]) -> dict[str, list[str]]:
    """Returns the families with a branch that is none of ``MAIN``, and all of their branches.

    Unknown branches, of other versions, come last.
    """
    found = {
        title: [name for name in names if name in branches] for title, names in FAMILIES.items()
    }
    known = {name for names in FAMILIES.values() for name in names} | {"trunk", *TARGET}
    found["Others"] = sorted(branches - known)
    return {title: names for title, names in found.items() if set(names) - set(MAIN)}
