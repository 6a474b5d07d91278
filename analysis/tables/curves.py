"""Tables over the levels of the anchor trials: curves against density, and paired differences.

All replicates of the anchor remove the same number of weights at each level, so a level stands for
one density. A network that diverged stays in the mean of its level, with what was measured at its
lowest validation loss before, and is counted. A ticket that diverged ends its replicate: there is
nothing to prune, so the means of deeper levels are those of the other replicates, and count it as
ended. Such means describe survivors, and may flatter them.
"""

from __future__ import annotations

import math

import pandas as pd

from analysis.statistics import mean_interval, paired_difference
from analysis.tables.controls import at_home

BRANCHES = ["trunk", "reinit", "random"]
"""Curves in the order in which they are listed and drawn; the trunk is the ticket."""

CURVE = ["branch", "level", "density", "statistic", "replicate", "value", "low", "high", "n"]
CURVE_COLUMNS = [*CURVE, "diverged", "ended", "censored"]
"""Columns of ``curve_table``."""

DIFFERENCE = ["versus", "level", "density", "mean", "low", "high", "n"]
DIFFERENCE_COLUMNS = [*DIFFERENCE, "diverged", "ended"]
"""Columns of ``difference_table``."""


def anchor(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks of the base configuration on its own task."""
    return at_home(records[records["phase"] == "anchor"])


def curve_table(records: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns a measure against density: one row per network, and one per mean.

    ``statistic`` is "replicate" or "mean". A mean has its 95 % interval, the number of replicates
    behind it, how many of them diverged or have a censored early-stopping step, and how many more
    are missing because they ``ended`` by divergence at a shallower level.
    """
    rows: list[dict[str, object]] = []
    networks = anchor(records)
    ends = _ends(networks)
    for branch, level, group in _groups(networks):
        shared = {"branch": branch, "level": level, "density": group["density"].iloc[0]}
        estimate = mean_interval(group[measure])
        counts = {
            "diverged": int(group["diverged"].sum()),
            "ended": int((ends < level).sum()),
            "censored": int(group["early_stop_at_end"].sum()),
        }
        mean = {"statistic": "mean", "value": estimate.mean, "low": estimate.low}
        rows.append({**shared, **mean, "high": estimate.high, "n": estimate.n, **counts})
        for network in group.to_dict("records"):
            single = {"statistic": "replicate", "replicate": network["replicate"], "n": 1}
            flags = {
                "diverged": int(network["diverged"]),
                "ended": 0,
                "censored": int(network["early_stop_at_end"]),
            }
            rows.append({**shared, **single, "value": network[measure], **flags})
    table = pd.DataFrame(rows, columns=pd.Index(CURVE_COLUMNS))
    return table.astype({"replicate": "Int64", "value": float})


def difference_table(records: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns ticket minus dense and ticket minus each control, paired by replicate, per level.

    ``diverged`` counts the pairs in which either network diverged, ``ended`` the replicates that
    have no pair because their ticket diverged at a shallower level.
    """
    networks = anchor(records)
    ends = _ends(networks)
    trunk = networks[networks["branch"] == "trunk"]
    dense = trunk[trunk["level"] == 0]
    rows: list[dict[str, object]] = []
    for branch, level, group in _groups(networks[networks["level"] > 0]):
        others = {"dense": dense} if branch == "trunk" else {branch: group}
        ticket = trunk[trunk["level"] == level].set_index("replicate")
        for versus, other in others.items():
            other = other.set_index("replicate")
            estimate = paired_difference(
                ticket[measure].astype(float), other[measure].astype(float)
            )
            both = ticket.index.intersection(other.index)
            bad = ticket.loc[both, "diverged"] | other.loc[both, "diverged"]
            key = {"versus": versus, "level": level, "density": group["density"].iloc[0]}
            counts = {"diverged": int(bad.sum()), "ended": int((ends < level).sum())}
            rows.append({**key, **estimate._asdict(), **counts})
    return pd.DataFrame(rows, columns=pd.Index(DIFFERENCE_COLUMNS))


def nearest(table: pd.DataFrame, density: float) -> pd.DataFrame:
    """Returns the rows of a table at the density nearest the wanted one, by ratio."""
    if table.empty:
        return table
    distance = (table["density"].map(math.log) - math.log(density)).abs()
    return table[table["level"] == table.loc[distance.idxmin(), "level"]]


def _ends(networks: pd.DataFrame) -> pd.Series:
    """Returns the level at which each replicate's ticket diverged; the others are left out."""
    bad = networks[(networks["branch"] == "trunk") & networks["diverged"].astype(bool)]
    return bad.groupby("replicate")["level"].min()


def _groups(networks: pd.DataFrame) -> list[tuple[str, int, pd.DataFrame]]:
    """Splits networks by branch, in the order of ``BRANCHES``, then by level."""
    known = [branch for branch in BRANCHES if branch in set(networks["branch"])]
    others = sorted(set(networks["branch"]) - set(BRANCHES))
    return [
        (branch, int(level), group)
        for branch in [*known, *others]
        for level, group in networks[networks["branch"] == branch].groupby("level")
    ]
