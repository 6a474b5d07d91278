"""Tables over the levels of the anchor trials: curves against density, and paired differences.

All replicates of the anchor remove the same number of weights at each level, so a level stands for
one density. A network that diverged stays in the mean of its level, with what was measured at its
lowest validation loss before, and is counted. A ticket that diverged ends its replicate: there is
nothing to prune, so the means of deeper levels are those of the other replicates, and count it as
ended. Such means describe survivors, and may flatter them.
"""

from __future__ import annotations

import pandas as pd

from analysis.frame import in_phases
from analysis.statistics import paired_difference
from analysis.tables.censoring import is_censored
from analysis.tables.controls import MAIN, at_home
from analysis.tables.lines import LINE, line_table
from lttune.config.control import TRUNK
from lttune.records.interpolation import nearest_place

CURVE_COLUMNS = [*LINE, "diverged", "ended", "censored"]
"""Columns of ``curve_table``."""

DIFFERENCE = ["versus", "level", "density", "mean", "low", "high", "n"]
DIFFERENCE_COLUMNS = [*DIFFERENCE, "diverged", "ended"]
"""Columns of ``difference_table``."""


def anchor(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the networks of the base configuration on its own task."""
    return at_home(records[in_phases(records, lambda phase: phase.is_base)])


def curve_table(records: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns the line table of a measure of the anchor, a curve for each branch.

    A mean has its 95 % t-interval, for each density alone. Beside those that diverged it counts the
    replicates whose early-stopping step is ``censored``, and how many more are missing because they
    ``ended`` by divergence at a shallower level. Rows are by level, the mean first.
    """
    networks = anchor(records)
    order = {branch: place for place, branch in enumerate(_branches(networks))}
    networks = networks.assign(censored=is_censored(networks))
    table = line_table(
        networks, measure, "branch", interval="pointwise", counts=("diverged", "censored")
    )
    ends = _ends(networks)
    shallower = table["level"].map(lambda level: int((ends < level).sum()))
    # Replicates have one density at a level; their mean may differ from it in the last digit.
    density = table.groupby(["curve", "level"])["density"].transform("last")
    table = table.assign(
        density=density,
        ended=shallower.where(table["statistic"] == "mean", 0),
        place=table["curve"].map(order),
    )
    table = table.sort_values(["place", "level"], kind="stable", ignore_index=True)
    return table[CURVE_COLUMNS]


def difference_table(records: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Returns ticket minus dense and ticket minus each control, paired by replicate, per level.

    ``diverged`` counts the pairs in which either network diverged, ``ended`` the replicates that
    have no pair because their ticket diverged at a shallower level.
    """
    networks = anchor(records)
    ends = _ends(networks)
    trunk = networks[networks["branch"] == TRUNK]
    dense = trunk[trunk["level"] == 0]
    rows: list[dict[str, object]] = []
    for branch, level, group in _groups(networks[networks["level"] > 0]):
        others = {"dense": dense} if branch == TRUNK else {branch: group}
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
    return table[table["level"] == table["level"].iloc[nearest_place(table["density"], density)]]


def _ends(networks: pd.DataFrame) -> pd.Series:
    """Returns the level at which each replicate's ticket diverged; the others are left out."""
    bad = networks[(networks["branch"] == TRUNK) & networks["diverged"].astype(bool)]
    return bad.groupby("replicate")["level"].min()


def _branches(networks: pd.DataFrame) -> list[str]:
    """Returns the branches there are, those of ``MAIN`` first."""
    found = set(networks["branch"])
    return [*(branch for branch in MAIN if branch in found), *sorted(found - set(MAIN))]


def _groups(networks: pd.DataFrame) -> list[tuple[str, int, pd.DataFrame]]:
    """Splits networks by branch, in the order of ``MAIN``, then by level."""
    return [
        (branch, int(str(level)), group)
        for branch in _branches(networks)
        for level, group in networks[networks["branch"] == branch].groupby("level")
    ]
