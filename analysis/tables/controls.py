"""The controls for readers: their names, what they have in common, and whose ticket they answer.

A study may train any of them. ``transfer`` and its own controls are trained on the target, so they
are never compared with the ticket at home but among themselves.
"""

from __future__ import annotations

import pandas as pd

from lttune.config.control import CONTROLS, TRUNK, families

LABELS = {
    TRUNK: "ticket",
    "dense": "dense",
    **{name: control.label for name, control in CONTROLS.items() if not control.plays},
}
"""Branch -> its name for readers."""

MAIN = (TRUNK, "reinit", "random")
"""Branches of the paper's own figures, listed and drawn first; the trunk is the ticket."""

TARGET_PARTS = {name: control.plays for name, control in CONTROLS.items() if control.plays}
"""Branch on the target -> the branch whose part it plays there."""

HOME_FAMILIES = {
    title: names for title, names in families().items() if TARGET_PARTS.keys().isdisjoint(names)
}
"""What a group of controls changes -> the controls."""


def at_home(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks that were trained on the study's own task; level 0 is the trunk's."""
    rows = records[~records["branch"].isin(list(TARGET_PARTS))]
    return rows[(rows["branch"] == TRUNK) | (rows["level"] > 0)]


def on_target(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks trained on the target, each under the name whose part it plays."""
    rows = records[records["branch"].isin(list(TARGET_PARTS))]
    return rows.assign(branch=rows["branch"].map(TARGET_PARTS))


def shown_families(branches: set[str]) -> dict[str, list[str]]:
    """Returns the families with a branch that is none of ``MAIN``, and all of their branches.

    Those of one's own come after them, and last come unknown ones of other versions.
    """
    found = {
        title: [name for name in names if name in branches]
        for title, names in HOME_FAMILIES.items()
    }
    known = {name for names in HOME_FAMILIES.values() for name in names} | {TRUNK, *TARGET_PARTS}
    others = sorted(branches - known)
    # No control of the table has a dot in its name, and each of one's own has.
    found["Controls of one's own"] = [name for name in others if "." in name]
    found["Others"] = [name for name in others if "." not in name]
    return {title: names for title, names in found.items() if set(names) - set(MAIN)}
