"""What a network was trained on: network, data and length, that curves of one figure must share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.frame import StudyFrame
from analysis.tables.trials import settings
from lttune.config.control import TRUNK

PLACE = (
    "model.name",
    "data.name",
    "data.pool",
    "data.blur",
    "data.subsample",
    "data.task",
    "train.steps",
)
"""Columns of the records that say it; studies of older versions lack some."""
IN_EPOCHS = (*PLACE[:-1], "train.epochs")
"""Those of networks whose lengths are in epochs: another batch size makes other steps of them, and
no other length."""


def is_same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Returns whether two groups of networks share all of ``PLACE`` that the first does not vary.

    A sweep of widths varies the network, and may still be compared with one of its own data.
    """
    for name in IN_EPOCHS if _in_epochs(one) and _in_epochs(other) else PLACE:
        if name not in one or name not in other:
            continue
        mine, theirs = ({str(value) for value in frame[name].unique()} for frame in (one, other))
        if len(mine) == 1 and mine != theirs:
            return False
    return True


def _in_epochs(networks: pd.DataFrame) -> bool:
    """Returns whether all networks were given their lengths in epochs."""
    return "train.epochs" in networks and bool(networks["train.epochs"].notna().all())


def elsewhere(networks: pd.DataFrame, base: Mapping[str, Any]) -> str:
    """Returns where networks were trained in words, empty if it is the base configuration's place.

    As "lenet-100-34, mnist / 2, 12,000 steps": network, data with the pooling of its pictures,
    steps or epochs, and what else differs. What varies among the networks themselves is left out.
    """
    place = IN_EPOCHS if _in_epochs(networks) and base.get("train.epochs") is not None else PLACE
    known = [name for name in place if name in networks and name in base]
    values = {name: networks[name].unique() for name in known}
    found = {name: one[0] for name, one in values.items() if len(one) == 1}
    differ = [name for name, value in found.items() if str(value) != str(base[name])]
    if not differ:
        return ""
    words = {name: str(value) for name, value in found.items()}
    pooled = f" / {words['data.pool']}" if "data.pool" in differ else ""
    parts = [words.get("model.name", ""), words.get("data.name", "") + pooled]
    parts += [f"{name} {words[name]}" for name in PLACE[3:-1] if name in differ]
    if "train.steps" in words:
        parts.append(f"{int(found['train.steps']):,} steps")
    if "train.epochs" in words:
        parts.append(f"{float(found['train.epochs']):g} epochs")
    return ", ".join(part for part in parts if part)


def proxy_table(study: StudyFrame) -> pd.DataFrame:
    """Returns where trials were trained on other networks, data or lengths than the base.

    Columns ``place`` in words and ``trials``, most trials first.
    """
    base = settings(study)
    trunk = study.records[study.records["branch"] == TRUNK]
    places = [elsewhere(mine, base) for _, mine in trunk.groupby("trial")]
    counts = pd.Series([place for place in places if place], dtype=str).value_counts()
    return pd.DataFrame({"place": counts.index, "trials": counts.to_numpy()})
