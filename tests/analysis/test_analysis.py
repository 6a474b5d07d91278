"""The tables of ``analysis`` against independent computations on a study of known numbers."""

import json
import math
import re
import statistics
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sample_study import LEVELS, anchor_rows, ended_rows, network, write_study
from scipy import stats

from analysis import load
from analysis.figures import anchor as figures
from analysis.figures import canvas
from analysis.report import answer
from analysis.statistics import mean_interval, paired_difference
from analysis.tables.curves import curve_table, difference_table, nearest
from analysis.tables.objective import PAPERS_DENSITY
from lttune.errors import LttuneError


def accuracies(branch, level):
    """Reads the known numbers without any code under test."""
    rows = [row for row in anchor_rows() if (row["branch"], row["level"]) == (branch, level)]
    return {row["replicate"]: row["test_accuracy"] for row in rows}


@pytest.fixture
def study(tmp_path):
    return load(write_study(tmp_path / "sample"))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_interval_is_that_of_scipy(n):
    x = np.random.default_rng(n).normal(5, 2, n)
    oracle = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    estimate = mean_interval(x)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(oracle), rel=1e-12)
    assert estimate.mean == pytest.approx(statistics.fmean(x))
    assert estimate.n == n


def test_one_value_has_no_interval_and_none_has_no_mean():
    one = mean_interval([0.5])
    assert (one.mean, one.n, one.verdict) == (0.5, 1, "unknown")
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert mean_interval([math.nan]).n == 0


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1, 1.1, 0.9], "higher"),
        ([-1, -1.1, -0.9], "lower"),
        ([1, -1], "unclear"),
        ([0, 0], "unknown"),
        ([0.1, 0.1, 0.1], "unknown"),
    ],
)
def test_verdict_reads_the_interval(values, verdict):
    assert mean_interval(values).verdict == verdict


def test_difference_pairs_by_replicate_and_not_by_order():
    a = pd.Series({0: 10.0, 1: 20.0, 2: 30.0})
    b = pd.Series({2: 29.0, 1: 19.0, 0: 9.0, 7: 500.0})
    estimate = paired_difference(a, b)
    assert (estimate.mean, estimate.n) == (1.0, 3)
    assert estimate.alike


def test_curve_has_every_network_and_the_mean_of_each_level(study):
    table = curve_table(study.records, "test_accuracy")
    for branch, level in [("trunk", 0), ("trunk", 3), ("reinit", 2), ("random", 4)]:
        known = accuracies(branch, level)
        rows = table[(table["curve"] == branch) & (table["level"] == level)]
        mean = rows[rows["statistic"] == "mean"].iloc[0]
        single = rows[rows["statistic"] == "replicate"].set_index("replicate")["value"]
        assert single.to_dict() == known
        assert mean["value"] == pytest.approx(statistics.fmean(known.values()))
        oracle = stats.ttest_1samp(list(known.values()), 0).confidence_interval(0.95)
        assert (mean["low"], mean["high"]) == pytest.approx(tuple(oracle))
        assert (mean["n"], mean["density"]) == (3, 0.8**level)
    assert len(table) == (LEVELS + 1 + 2 * LEVELS) * (3 + 1)


@pytest.mark.parametrize(
    ("versus", "branch"), [("dense", "trunk"), ("reinit", "reinit"), ("random", "random")]
)
def test_difference_is_the_paired_t_test(study, versus, branch):
    table = difference_table(study.records, "test_accuracy")
    row = table[(table["versus"] == versus) & (table["level"] == 3)].iloc[0]
    ticket, other = accuracies("trunk", 3), accuracies(branch, 0 if versus == "dense" else 3)
    paired = stats.ttest_rel(list(ticket.values()), list(other.values()))
    assert (row["low"], row["high"]) == pytest.approx(tuple(paired.confidence_interval(0.95)))
    # The replicates differ much more than the branches: without pairing this interval is wide.
    unpaired = stats.ttest_ind(list(ticket.values()), list(other.values())).confidence_interval()
    assert unpaired.high - unpaired.low > 10 * (row["high"] - row["low"])


def test_a_replicate_without_its_control_is_left_out_of_that_difference(tmp_path):
    # The first one is missing: pairs made by order instead of by replicate would be wrong.
    rows = [row for row in anchor_rows() if (row["branch"], row["replicate"]) != ("reinit", 0)]
    table = difference_table(load(write_study(tmp_path, rows)).records, "test_accuracy")
    assert set(table.loc[table["versus"] == "dense", "n"]) == {3}
    row = table.query("versus == 'reinit' and level == 2").iloc[0]
    ticket, other = accuracies("trunk", 2), accuracies("reinit", 2)
    assert row["n"] == 2
    assert row["mean"] == pytest.approx(statistics.fmean(ticket[r] - other[r] for r in (1, 2)))


def test_networks_that_diverged_are_kept_and_counted(tmp_path):
    rows = anchor_rows()
    for row in rows:
        if (row["branch"], row["level"], row["replicate"]) == ("trunk", 2, 1):
            row |= {"diverged": True, "test_accuracy": 0.1}
    study = load(write_study(tmp_path, rows))
    table = curve_table(study.records, "test_accuracy")
    mean = table.query("curve == 'trunk' and level == 2 and statistic == 'mean'").iloc[0]
    others = accuracies("trunk", 2)
    assert (mean["n"], mean["diverged"]) == (3, 1)
    assert mean["value"] == pytest.approx(statistics.fmean([others[0], 0.1, others[2]]))
    differences = difference_table(study.records, "test_accuracy").query("level == 2")
    assert set(differences["diverged"]) == {1}


def test_a_replicate_that_ended_by_divergence_is_counted_where_it_is_missing(tmp_path):
    study = load(write_study(tmp_path, ended_rows(level=2)))
    means = curve_table(study.records, "test_accuracy").query("statistic == 'mean'")
    assert set(means["curve"]) == {"trunk", "reinit", "random"}
    for row in means.to_dict("records"):
        missing = int(row["level"] > 2)
        assert (row["n"], row["ended"]) == (3 - missing, missing)
        assert row["diverged"] == int((row["curve"], row["level"]) == ("trunk", 2))
    differences = difference_table(study.records, "test_accuracy")
    assert set(differences["versus"]) == {"dense", "reinit", "random"}
    for row in differences.to_dict("records"):
        missing = int(row["level"] > 2)
        assert (row["n"], row["ended"]) == (3 - missing, missing)
        assert row["diverged"] == int(row["level"] == 2)


def test_a_missing_replicate_ended_only_if_its_ticket_diverged(tmp_path):
    rows = [row for row in anchor_rows() if row["replicate"] != 1 or row["level"] <= 2]
    for row in rows:  # A control that diverges ends nothing.
        row |= {"diverged": row["branch"] == "reinit"}
    study = load(write_study(tmp_path, rows))
    assert set(curve_table(study.records, "test_accuracy")["ended"]) == {0}
    assert set(difference_table(study.records, "test_accuracy")["ended"]) == {0}


def test_a_control_that_is_not_trained_yet_did_not_end(tmp_path):
    rows = [
        row
        for row in ended_rows(level=2)
        if (row["branch"], row["level"], row["replicate"]) != ("reinit", 2, 1)
    ]
    table = difference_table(load(write_study(tmp_path, rows)).records, "test_accuracy")
    row = table.query("versus == 'reinit' and level == 2").iloc[0]
    assert (row["n"], row["ended"], row["diverged"]) == (2, 0, 0)


def test_search_networks_do_not_enter_the_curves(tmp_path):
    rows = [*anchor_rows(), network("search", 3, 0, "trunk", 1, 0.2)]
    study = load(write_study(tmp_path, rows))
    pd.testing.assert_frame_equal(
        curve_table(study.records, "test_accuracy"),
        curve_table(load(write_study(tmp_path / "b")).records, "test_accuracy"),
    )


def test_nearest_density_is_nearest_by_ratio():
    table = pd.DataFrame({"level": [1, 2, 2], "density": [0.4, 0.1, 0.1]})
    assert set(nearest(table, 0.19)["level"]) == {2}
    assert set(nearest(table, 0.21)["level"]) == {1}


def test_the_five_lines_of_the_page_work(monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "analysis.md"
    lines, more = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert len(list(filter(None, lines.splitlines()))) == 5
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(page.parent.parent)
    names: dict[str, Any] = {}
    exec(lines, names)
    listed = json.loads((page.parent / "results" / "sensitivity" / "trials.json").read_text())[
        "trials"
    ]
    exec("\n".join(line for line in more.splitlines() if line.startswith("from")), {})
    # The confirmation's trials are those of the best again, on other replicates.
    searched = [t for t in listed if t["phase"] == "search"]
    ranked = sorted(searched, key=lambda t: t["objective"], reverse=True)[:5]
    assert names["best"]["number"].tolist() == [t["number"] for t in ranked]
    rates = [t["hparams"].get("train.lr", 1.2e-3) for t in ranked]
    assert names["best"]["train.lr"].tolist() == rates
    (points,) = plt.gca().collections
    shown = np.asarray(points.get_offsets())
    assert shown.tolist() == names["tickets"][["density", "test_accuracy"]].to_numpy().tolist()
    plt.close("all")


@pytest.mark.parametrize("damage", ["absent", "study.json", "trials.json", "records.parquet"])
def test_a_folder_that_is_no_study_is_one_line(tmp_path, damage):
    if damage != "absent":
        (write_study(tmp_path) / damage).write_text("{not\njson")
    with pytest.raises(LttuneError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_network_listed_twice_is_refused(tmp_path):
    with pytest.raises(LttuneError, match="got 2 of trial 0, replicate 0, branch trunk, level 0"):
        load(write_study(tmp_path, [*anchor_rows(), anchor_rows()[0]]))


def test_answer_is_given_where_the_objective_reads_else_where_the_paper_learns_fastest(tmp_path):
    # Claim FC-SPEED; the best accuracy (FC-ACC) is at 0.135.
    assert PAPERS_DENSITY == 0.211
    rows = anchor_rows(levels=9)
    study = load(write_study(tmp_path / "a", rows))
    assert "At 21.0 % of the weights (level 7," in answer.answer(study)[0]

    def asked(name, phases, **objective):
        config = {"phases": phases, "objective": {"name": name, **objective}}
        return answer.answer(load(write_study(tmp_path / name, rows, config=config)))[0]

    said = asked("accuracy_at", ["anchor", "search"], density=0.4)
    assert said.startswith("At 41.0 % of the weights (level 4, the nearest there is to 40.0 %)")
    # Whether or not it searches: a density that a study names is the one that it is about.
    assert "(level 4," in asked("accuracy_auc", ["anchor"], density=0.4)
    # One that the trajectory has is not said twice.
    said = asked("accuracy_at", ["anchor"], density=0.4096)
    assert said.startswith("At 41.0 % of the weights (level 4) the ticket's mean test accuracy")
    # Each trial has a density of its own.
    assert "(level 7," in asked("pareto", ["anchor", "search"])


def test_csv_is_the_table(tmp_path):
    drawing = figures.accuracy(load(write_study(tmp_path)), "")
    canvas.write(drawing, tmp_path)
    read = pd.read_csv(tmp_path / "accuracy.csv")
    pd.testing.assert_frame_equal(read, drawing.table, check_dtype=False, check_exact=True)


def test_a_curve_is_by_level_with_the_mean_first_and_networks_lose_nobody(tmp_path):
    table = curve_table(load(write_study(tmp_path, ended_rows(level=2))).records, "test_accuracy")
    assert table["curve"].drop_duplicates().tolist() == ["trunk", "reinit", "random"]
    for _, mine in table.groupby("curve"):
        assert mine["level"].is_monotonic_increasing
        assert mine.groupby("level")["statistic"].first().eq("mean").all()
    assert table.loc[table["statistic"] == "replicate", "ended"].eq(0).all()
