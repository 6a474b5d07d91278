"""The committed results: every number of their pages comes out of the committed records."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.claims import of_studies, read
from analysis.claims.markdown import page
from analysis.design_figures import importance_tables
from analysis.frame import load
from analysis.importance.saved import Tables
from lttune.files import read_json

RESULTS = Path(__file__).parent.parent / "docs" / "results"
CLAIMS, SENSITIVITY = RESULTS / "claims", RESULTS / "sensitivity"
FACTORS = [
    "train.lr",
    "train.batch_size",
    "prune.fractions.fc1",
    "prune.fractions.fc2",
    "prune.fractions.out",
]
"""In the order of the page's table."""
README = (RESULTS / "README.md").read_text()
PROSE = " ".join(README.split())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_verdicts_are_those_of_the_records():
    # Under the claims as they were locked: the registry goes on, these results do not.
    registry = read(CLAIMS / "claims.yaml")
    table = of_studies([load(CLAIMS)], registry)
    assert (RESULTS / "verdicts.md").read_text() == page(table, registry)
    counts = table["verdict"].value_counts()
    judged = table[table["verdict"] != "not tested"]
    for verdict in ("supported", "contradicted", "inconclusive"):
        assert f"{counts[verdict]} {verdict}" in PROSE
    assert f"{judged['claim'].nunique()} claims" in PROSE


@pytest.mark.parametrize("name", ["claims", "sensitivity"])
def test_a_study_is_complete_and_was_locked_before_it_began(name):
    folder = RESULTS / name
    study = load(folder)
    assert study.incomplete == ""
    locked = read_json(folder / "claims.lock.json")
    assert locked["sha256"] == read(CLAIMS / "claims.yaml").sha256
    assert locked["date"] <= study.info["created"]
    assert set(locked["n"].values()) == {study.info["config"]["replicates"]}
    code = study.info["code"]
    assert re.fullmatch(r"[0-9a-f]{40}", code["commit"])
    assert code["commit"][:7] in README


def test_the_design_is_the_one_that_was_declared():
    trials = load(SENSITIVITY).trials
    roles = trials[trials["phase"] == "design"]["role"].value_counts()
    assert roles["design"] + roles["repeat"] // 3 == 64


def shown(rows: pd.DataFrame) -> str:
    """Returns the row of the page's table for the importances at one density."""
    one, by = rows.iloc[0], rows.set_index("factor")
    shares = [f"{by.total[f]:.2f} [{by.total_low[f]:.2f}, {by.total_high[f]:.2f}]" for f in FACTORS]
    spreads = [f"{100 * one[name] ** 0.5:.2f}" for name in ("signal_variance", "seed_variance")]
    cells = [f"{one['density']:.1%}".replace("%", " %"), *shares, *spreads, f"{one['q2']:.2f}"]
    return f"| {' | '.join(cells)} |"


def test_the_importances_of_the_page_are_those_of_the_figure():
    figure = pd.read_csv(SENSITIVITY / "figures" / "importance.csv")
    assert figure["density"].nunique() == 10
    for _, rows in figure.groupby("density"):
        assert shown(rows) in README
    assert (figure[figure["factor"] == "inert"]["total"] < 0.005).all()


def test_the_means_by_imbalance_are_those_of_the_records():
    records = load(SENSITIVITY).records
    chosen = (records["phase"] == "design") & (records["role"] != "paper")
    found: dict[int, list[list[float]]] = {}
    for _, mine in records[chosen].groupby(["trial", "replicate"]):
        mine = mine.sort_values("density")
        faster = mine["prune.fractions.fc2"].iloc[0] - mine["prune.fractions.fc1"].iloc[0]
        x = np.log(mine["density"])
        at = [np.log(density) for density in (0.107, 0.044, 0.028)]
        if x.min() > at[-1]:
            continue  # It ends before the last density.
        values = [float(np.interp(one, x, mine["test_accuracy"])) for one in at]
        found.setdefault(int(np.floor(faster / 0.2)), []).append(values)
    names = {-2: "-0.4 to -0.2", -1: "-0.2 to 0", 0: "0 to 0.2", 1: "0.2 to 0.4"}
    assert sorted(found) == sorted(names)
    for place, name in names.items():
        means = [f"{100 * mean:.1f} %" for mean in np.mean(found[place], axis=0)]
        assert f"| {' | '.join([name, str(len(found[place])), *means])} |" in README


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_figures_importances_are_those_of_the_records(tmp_path):
    # Estimated anew: the copy has none that were saved.
    copy = tmp_path / "sensitivity"
    shutil.copytree(SENSITIVITY, copy, ignore=shutil.ignore_patterns("figures"))
    found = importance_tables(load(copy))
    assert isinstance(found, Tables)
    key = ["density", "factor"]
    figure = pd.read_csv(SENSITIVITY / "figures" / "importance.csv").set_index(key)
    table = found.table.set_index(key)
    for name in ("first", "total", "total_low", "total_high"):
        # The surrogate is fitted by an optimizer, whose last digits are the machine's.
        assert (table[name] - figure[name]).abs().max() < 0.03


def test_the_confirmation_of_the_page_is_that_of_the_figure():
    rows = pd.read_csv(SENSITIVITY / "figures" / "confirmed.csv")
    for row in rows.to_dict("records"):
        assert f"{100 * row['accuracy']:.2f} %" in README
        if row["name"] != "base":
            ends = [100 * row[f"difference{end}"] for end in ("", "_low", "_high")]
            text = "{:+.2f} [{:+.2f}, {:+.2f}]".format(*ends)
            assert text in PROSE
