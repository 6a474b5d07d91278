"""The fair comparison in the report, against SciPy and statsmodels on networks of known numbers."""

import numpy as np
import pytest
from sample_study import network, trial, write_study
from scipy import stats
from statsmodels.stats.multitest import multipletests
from test_report import words_of

from analysis import load
from analysis.report import write as report
from analysis.tables.confirmation import confirmation_table
from analysis.tables.fair_comparison import choice_table, pair_table, value_table

LEVELS = 4
PATH = "train.optimizer"
LR = {"adam": (0.001, 0.003, 0.01), "sgd": (0.1, 0.3, 1.0)}
BEST = {"adam": 0.003, "sgd": 1.0}
FRESH = (100_000, 100_001, 100_002, 100_003)
RNG = np.random.default_rng(3)
LUCK = RNG.normal(0, 0.01, len(FRESH))
ACCURACY = {
    (value, branch): 0.95 + lead - loss + LUCK[:, None] + RNG.normal(0, 0.001, (4, LEVELS + 1))
    for value, lead in (("adam", 0.01), ("sgd", 0.0))
    for branch, loss in (("trunk", 0.0), ("reinit", 0.004))
}
"""Value and branch -> test accuracy, shape (replicates, levels); replicates share their luck."""


@pytest.fixture
def folder(tmp_path):
    trials, rows = [], []
    for value, rates in LR.items():
        for lr in rates:
            objective = 0.9 if lr == BEST[value] else 0.8
            hparams = {PATH: value, "train.lr": lr, "train.momentum": 0.9}
            label = f"{value}-tune replicate=0"
            trials.append(
                trial(len(trials), "tune", objective, hparams=hparams, label=label, role="tune")
            )
            rows.append(network("tune", trials[-1]["number"], 0, "trunk", 0, 0.5))
    for place, replicate in enumerate(FRESH):
        for arm in ("adam", "sgd", "base"):
            label = f"tune trial 1 ({arm}) replicate={replicate}" if arm != "base" else "base"
            hparams = {PATH: arm, "train.lr": BEST[arm], "train.momentum": 0.9} if arm in LR else {}
            role = "fresh" if arm in LR else "paper"
            own = {"hparams": hparams, "label": label, "role": role, "replicates": [replicate]}
            trials.append(trial(len(trials), "confirm", 0.9, **own))
            number = trials[-1]["number"]
            rows += [
                network("confirm", number, replicate, branch, level, values[place, level])
                for (value, branch), values in ACCURACY.items()
                for level in range(LEVELS + 1)
                if value == ("sgd" if arm == "base" else arm) and (level or branch == "trunk")
            ]
    planned = {"tune": 6, "confirm": 12}
    return write_study(tmp_path, rows, trials, planned, compared=PATH)


def test_the_choice_of_each_value_is_marked_and_so_is_one_at_the_edge(folder):
    table = choice_table(load(folder))
    assert set(table["factor"]) == {"train.lr"}  # The momentum was not tuned.
    assert len(table) == 6
    chosen = table[table["chosen"]]
    assert dict(zip(chosen["value"], chosen["tried"], strict=True)) == BEST
    assert table.loc[table["at_edge"], "value"].tolist() == ["sgd"]


def test_values_are_means_over_fresh_replicates(folder):
    table = value_table(load(folder)).set_index(["value", "measure", "density"])
    assert list(dict.fromkeys(table.index.get_level_values("value"))) == ["adam", "sgd"]
    trunk, reinit = ACCURACY["adam", "trunk"], ACCURACY["adam", "reinit"]
    expected = {
        "accuracy": trunk[:, 3],
        "gain": trunk[:, 3] - trunk[:, 0],
        "ticket - reinit": trunk[:, 3] - reinit[:, 3],
    }
    for measure, values in expected.items():
        row = table.loc["adam", measure, 0.8**3]
        low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
        assert row.tolist() == pytest.approx([values.mean(), low, high, 4]), measure
    assert ("adam", "accuracy", 1.0) in table.index
    assert ("adam", "gain", 1.0) not in table.index  # It is 0 there.


def test_pairs_are_paired_and_holm_counts_all_of_a_measure(folder):
    table = pair_table(load(folder))
    assert set(zip(table["first"], table["second"], strict=True)) == {("adam", "sgd")}
    mine = table[table["measure"] == "accuracy"].set_index("density")
    a, b = ACCURACY["adam", "trunk"], ACCURACY["sgd", "trunk"]
    oracle = {1.0: stats.ttest_rel(a[:, 0], b[:, 0]), 0.8**3: stats.ttest_rel(a[:, 3], b[:, 3])}
    for density, test in oracle.items():
        row = mine.loc[density]
        ends = test.confidence_interval(0.95)
        assert (row["p"], row["low"], row["high"]) == pytest.approx((test.pvalue, *ends))
    tested = mine.dropna(subset=["p"])
    adjusted = multipletests(tested["p"], method="holm")[1]
    assert tested["p_adjusted"].tolist() == pytest.approx(adjusted.tolist())
    assert len(tested) == 2


def test_the_report_shows_the_comparison_and_warns_of_the_edge(folder):
    text = words_of(report.write(folder).read_text())
    assert "Fair comparison of train.optimizer" in text
    assert "The choice for sgd has the train.lr 1, at the edge of what was tried" in text
    assert "The choice for adam" not in text
    assert "adam − sgd" in text
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"fair.svg", "fair.csv", "fair_values.csv", "fair_pairs.csv"} <= names
    # The confirmation shows the same choices beside the base configuration.
    assert confirmation_table(load(folder))["role"].tolist() == ["fresh", "fresh", "paper"]


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_compares_nothing_has_no_such_section(tmp_path):
    assert "Fair comparison" not in report.write(write_study(tmp_path)).read_text()
    assert choice_table(load(tmp_path)).empty
    assert value_table(load(tmp_path)).empty
    assert pair_table(load(tmp_path)).empty
