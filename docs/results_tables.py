"""The tables of the results page, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame
from analysis.tables.curves import difference_table, nearest
from analysis.tables.fair_comparison import value_table
from docs.results_format import measures, percent, points, row
from lttune.records.interpolation import interpolated

AT = (0.211, 0.087, 0.036)
"""Densities of the table of tickets and controls."""
FACTORS = (
    "train.lr",
    "train.batch_size",
    "prune.fractions.fc1",
    "prune.fractions.fc2",
    "prune.fractions.out",
)
"""In the order of the tables of importances."""
IMBALANCES = {-2: "-0.4 to -0.2", -1: "-0.2 to 0", 0: "0 to 0.2", 1: "0.2 to 0.4"}
"""Difference of the fractions of fc2 and fc1, in fifths -> its row's name."""


def tickets(study: StudyFrame) -> list[str]:
    """Returns the table of tickets against dense network and controls."""
    differences = difference_table(study.records, "test_accuracy")
    rows = []
    for density in AT:
        here = nearest(differences, density).set_index("versus")
        versus = ("dense", "reinit", "random", "one_shot")
        cells = [points(here.loc[name].to_dict()) for name in versus]
        rows.append(row(percent(here["density"].iloc[0]), *cells))
    return rows


def importances(folder: Path) -> list[str]:
    """Returns the table of total indices of a study."""
    figure = pd.read_csv(folder / "figures" / "importance.csv")
    rows = []
    for density, mine in figure.groupby("density", sort=False):
        by, one = mine.set_index("factor"), mine.iloc[0]
        shares = [
            f"{by.total[f]:.2f} [{by.total_low[f]:.2f}, {by.total_high[f]:.2f}]"
            if f in by.index
            else "-"
            for f in FACTORS
        ]
        spreads = [
            f"{100 * one[v] ** 0.5:.2f}" if one[v] == one[v] else "-"
            for v in ("signal_variance", "seed_variance")
        ]
        cells = (percent(float(str(density))), *shares, *spreads, f"{one['q2']:.2f}")
        rows.append(row(*cells, int(one["trajectories"])))
    return rows


def led_by(folder: Path, factor: str) -> list[float]:
    """Returns the densities at which a factor has the largest total index, from dense down."""
    figure = pd.read_csv(folder / "figures" / "importance.csv").dropna(subset=["factor"])
    leaders = figure.loc[figure.groupby("density", sort=False)["total"].idxmax()]
    return leaders.loc[leaders["factor"] == factor, "density"].tolist()


def undecided(folder: Path) -> list[float]:
    """Returns the densities at which the surrogate is too poor for shares."""
    figure = pd.read_csv(folder / "figures" / "importance.csv")
    return figure.loc[figure["status"] == "inconclusive", "density"].drop_duplicates().tolist()


def imbalance(study: StudyFrame) -> list[str]:
    """Returns mean test accuracy by how much faster the second layer is pruned."""
    records = study.records
    chosen = (records["phase"] == "design") & (records["role"] != "paper")
    found: dict[int, list[np.ndarray]] = {}
    for _, mine in records[chosen].groupby(["trial", "replicate"]):
        faster = mine["prune.fractions.fc2"].iloc[0] - mine["prune.fractions.fc1"].iloc[0]
        values = interpolated(mine["density"], mine["test_accuracy"], (0.107, 0.044, 0.028))
        found.setdefault(int(np.floor(faster / 0.2)), []).append(values)
    return [
        row(text, len(found[place]), *map(_counted, np.array(found[place]).T))
        for place, text in IMBALANCES.items()
    ]


def _counted(values: np.ndarray) -> str:
    """Returns the mean of those that there are, and their number where some are missing."""
    known = values[~np.isnan(values)]
    lacks = "" if len(known) == len(values) else f" (n = {len(known)})"
    return f"{percent(known.mean())}{lacks}"


def compared(study: StudyFrame) -> list[str]:
    """Returns the table of the optimizers, each at its best learning rate."""
    table = value_table(study)
    wanted = ("accuracy", "gain", "ticket - reinit", "ticket - random")
    rows = []
    for value, mine in table.groupby("value", sort=False):
        for density, here in mine.groupby("density", sort=False):
            by = here.set_index("measure")
            rows.append(row(value, percent(float(str(density))), *measures(by, wanted)))
    return rows
