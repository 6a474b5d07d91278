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
from scipy import stats

from analysis import answer, axes, canvas, figures, load, search_figures
from analysis.curves import curve_table, difference_table, nearest
from analysis.runs import later_runs, numerics
from analysis.statistics import mean_interval, paired_difference
from analysis.trials import best_table, problem_table, search_table
from lttune import records
from lttune.errors import LttuneError

LEVELS = 4
SPACE = {
    "train.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "train.batch_size": {"kind": "int", "low": 16, "high": 256, "log": True},
    "prune.scope": {"kind": "categorical", "choices": ["layer", "global"]},
}
ANCHOR = {"train.lr": 1.2e-3, "train.batch_size": 60, "prune.scope": "layer"}


def network(phase, trial, replicate, branch, level, accuracy, **changes):
    row = dict.fromkeys(records.MEASURES)
    row |= {"study": "s", "phase": phase, "trial": trial, "replicate": replicate}
    row |= {"branch": branch, "level": level, "density": 0.8**level, "diverged": False}
    row |= {"early_stop_step": 1000 - 10 * level + replicate, "early_stop_at_end": False}
    row |= {"test_accuracy": accuracy, "val_accuracy": accuracy - 0.01, "seed": 0}
    row |= {"prunable": 10_000}
    return row | changes


def anchor_rows(replicates=3, levels=LEVELS, branches=("trunk", "reinit", "random"), seed=1):
    """Networks whose replicates differ far more than the branches within a replicate do."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.01, replicates)
    gain = {"trunk": 0.001, "reinit": -0.002, "random": -0.02}
    return [
        network(
            "anchor",
            replicate,
            replicate,
            branch,
            level,
            0.95 + luck[replicate] + gain[branch] * level + rng.normal(0, 2e-4),
        )
        for replicate in range(replicates)
        for branch in branches
        for level in range(0 if branch == "trunk" else 1, levels + 1)
    ]


def ended_rows(replicate=1, level=2, **options):
    """Networks of which one replicate's ticket diverges: its trajectory has no deeper level."""
    rows = [
        row
        for row in anchor_rows(**options)
        if row["replicate"] != replicate or row["level"] <= level
    ]
    for row in rows:
        if (row["branch"], row["level"], row["replicate"]) == ("trunk", level, replicate):
            row |= {"diverged": True}
    return rows


def trial(number, phase="anchor", objective=0.9, **changes):
    facts = {"number": number, "phase": phase, "label": f"{phase}-{number}", "hparams": ANCHOR}
    facts |= {"replicates": [number], "state": "complete", "objective": objective}
    return facts | {"seconds": 1.0, "error": None} | changes


def search_trials(number, start=3):
    rng = np.random.default_rng(2)
    return [
        trial(
            start + index,
            "search",
            float(0.95 - 0.02 * abs(math.log10(lr) + 3)),
            replicates=[0],
            hparams={
                "train.lr": float(lr),
                "train.batch_size": int(rng.choice([16, 60, 128, 256])),
                "prune.scope": ["layer", "global"][index % 2],
            },
        )
        for index, lr in enumerate(10 ** rng.uniform(-4, -2, number))
    ]


def write_study(folder, rows=None, trials=None, planned=None, **info):
    """Writes the folder of a study: by default three anchor replicates, all complete."""
    rows = anchor_rows() if rows is None else rows
    trials = [trial(number) for number in range(3)] if trials is None else trials
    planned = {"anchor": 3} if planned is None else planned
    facts = {
        "name": "sample",
        "question": "Does it win?",
        "source": "Figure 3",
        "scale": "smoke",
        "command": "python studies/sample.py",
        "created": "2026-11-23T08:00:00+00:00",
        "config": {"workers": 2},
        "lottery": {"levels": LEVELS, "train": {"lr": 1.2e-3, "batch_size": 60, "steps": 1000}},
        "space": SPACE,
        "objective": {"name": "accuracy_auc", "text": "Mean accuracy over log density."},
        "controls": ["reinit", "random"],
        "code": {"version": "0.1.0", "commit": "fbd7a8c", "dirty": False},
        "packages": {"torch": "2.13.0"},
        "machine": {"cpu": "some cpu", "cores": 2},
        "dataset": {"name": "digits", "digest": "abc123", "train": 1200},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(facts | info))
    (folder / "trials.json").write_text(json.dumps({"planned": planned, "trials": trials}))
    if rows:
        records.write(folder / "records.parquet", rows)
    return folder


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
        ([0, 0], "unclear"),
    ],
)
def test_verdict_reads_the_interval(values, verdict):
    assert mean_interval(values).verdict == verdict


def test_difference_pairs_by_replicate_and_not_by_order():
    a = pd.Series({0: 10.0, 1: 20.0, 2: 30.0})
    b = pd.Series({2: 29.0, 1: 19.0, 0: 9.0, 7: 500.0})
    estimate = paired_difference(a, b)
    assert estimate == (1.0, 1.0, 1.0, 3)


def test_curve_has_every_network_and_the_mean_of_each_level(study):
    table = curve_table(study.records, "test_accuracy")
    for branch, level in [("trunk", 0), ("trunk", 3), ("reinit", 2), ("random", 4)]:
        known = accuracies(branch, level)
        rows = table[(table["branch"] == branch) & (table["level"] == level)]
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
    mean = table.query("branch == 'trunk' and level == 2 and statistic == 'mean'").iloc[0]
    others = accuracies("trunk", 2)
    assert (mean["n"], mean["diverged"]) == (3, 1)
    assert mean["value"] == pytest.approx(statistics.fmean([others[0], 0.1, others[2]]))
    differences = difference_table(study.records, "test_accuracy").query("level == 2")
    assert set(differences["diverged"]) == {1}


def test_a_replicate_that_ended_by_divergence_is_counted_where_it_is_missing(tmp_path):
    study = load(write_study(tmp_path, ended_rows(level=2)))
    means = curve_table(study.records, "test_accuracy").query("statistic == 'mean'")
    assert set(means["branch"]) == {"trunk", "reinit", "random"}
    for row in means.to_dict("records"):
        missing = int(row["level"] > 2)
        assert (row["n"], row["ended"]) == (3 - missing, missing)
        assert row["diverged"] == int((row["branch"], row["level"]) == ("trunk", 2))
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


def test_search_table_has_the_factors_and_one_best(tmp_path):
    trials = [trial(0), *search_trials(6), trial(9, "search", None, state="failed", error="oom")]
    trials.append(trial(10, "search", None, state="running"))
    study = load(write_study(tmp_path, trials=trials))
    table = search_table(study)
    best = max(trials[1:7], key=lambda t: t["objective"])
    assert table.loc[table["is_best"], "trial"].tolist() == [best["number"]]
    assert table["trial"].tolist() == [0, 3, 4, 5, 6, 7, 8, 9]
    assert table.set_index("trial").loc[5, "train.lr"] == trials[3]["hparams"]["train.lr"]
    assert problem_table(study)["number"].tolist() == [9]


def test_where_less_is_better_the_least_is_best(tmp_path):
    trials = [trial(n, "search", objective=n / 10) for n in (3, 1, 2)]
    objective = {"name": "ticket_density", "text": "", "direction": "minimize"}
    study = load(write_study(tmp_path / "sample", trials=trials, objective=objective))
    table = search_table(study)
    assert table.loc[table["is_best"], "trial"].tolist() == [1]
    assert best_table(study, 0.2)["trial"].tolist() == [1, 2, 3]


def test_best_trials_are_ranked_by_objective_and_show_their_own_tickets(tmp_path):
    trials = search_trials(6)
    rows = [network("search", 4, r, "trunk", 3, 0.9 + 0.02 * r) for r in (0, 1)]
    study = load(write_study(tmp_path, rows, trials))
    table = best_table(study, 0.5, top=6).set_index("trial")
    ranked = sorted(trials, key=lambda t: -t["objective"])
    assert table.index.tolist() == [t["number"] for t in ranked]
    ticket = table.loc[4]
    assert (ticket["replicates"], ticket["density"]) == (2, pytest.approx(0.8**3))
    assert ticket["test_accuracy"] == pytest.approx(0.91)
    assert ticket["val_accuracy"] == pytest.approx(0.90)


def test_hparams_are_those_of_each_trial_by_the_same_index(tmp_path):
    changed = {"train.lr": 0.01, "prune.fractions.fc1": 0.5}
    trials = [trial(1, hparams=changed), trial(0, hparams={})]
    found = load(write_study(tmp_path, trials=trials))
    assert list(found.hparams.columns) == ["prune.fractions.fc1", "train.lr"]
    assert found.hparams["train.lr"].tolist() == [1.2e-3, 0.01]
    assert found.hparams["prune.fractions.fc1"].isna().tolist() == [True, False]
    joined = found.trials.join(found.hparams).set_index("number")
    assert joined.loc[1, "train.lr"] == 0.01
    assert found.hparams.index.equals(found.trials.index)


def test_a_study_whose_trials_vary_nothing_has_no_hparams(tmp_path):
    found = load(write_study(tmp_path, trials=[trial(0, hparams={}), trial(1, hparams={})]))
    assert found.hparams.shape == (2, 0)


def test_the_five_lines_of_the_page_work(monkeypatch):
    page = Path(__file__).parent.parent / "docs" / "analysis.md"
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


def test_incomplete_counts_each_phase_on_its_own(tmp_path):
    trials = [trial(0), trial(1), *search_trials(4)]
    planned = {"anchor": 3, "search": 2}
    assert load(write_study(tmp_path, trials=trials, planned=planned)).incomplete == (
        "incomplete: 4 of 5 trials"
    )
    assert load(write_study(tmp_path / "done")).incomplete == ""


@pytest.mark.parametrize("damage", ["absent", "study.json", "trials.json", "records.parquet"])
def test_a_folder_that_is_no_study_is_one_line(tmp_path, damage):
    if damage != "absent":
        (write_study(tmp_path) / damage).write_text("{not\njson")
    with pytest.raises(LttuneError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_network_listed_twice_is_refused(tmp_path):
    with pytest.raises(LttuneError, match="twice: phase anchor, trial 0"):
        load(write_study(tmp_path, [*anchor_rows(), anchor_rows()[0]]))


def test_figures_draw_their_tables(tmp_path):
    drawing = figures.accuracy(load(write_study(tmp_path)), "")
    table = drawing.table
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}
    for branch in ("trunk", "reinit", "random"):
        mean = table[(table["branch"] == branch) & (table["statistic"] == "mean")]
        line = lines[f"{figures.LABELS[branch]} (n = 3)"]
        np.testing.assert_allclose(line.get_xdata(), 100 * mean["density"])
        np.testing.assert_allclose(line.get_ydata(), 100 * mean["value"])
    dense = table[(table["level"] == 0) & (table["statistic"] == "mean")]["value"].item()
    assert lines["dense (mean, n = 3)"].get_ydata()[0] == pytest.approx(100 * dense)
    thin = [line for line in drawing.figure.axes[0].lines if line.get_linewidth() == 0.7]
    assert len(thin) == 9


def bands(ax):
    """Returns the lower and the upper edge of each drawn interval, by density in percent."""
    edges = []
    for band in ax.collections:
        found = {}
        for x, y in band.get_paths()[0].vertices:
            found.setdefault(round(float(x), 9), []).append(float(y))
        edges.append({x: (min(ys), max(ys)) for x, ys in found.items()})
    return edges


def test_bands_are_the_intervals_of_the_table(study):
    for drawing, factor in ((figures.accuracy(study, ""), 100), (figures.early_stop(study, ""), 1)):
        means = drawing.table.query("statistic == 'mean'")
        drawn = bands(drawing.figure.axes[0])
        assert len(drawn) == 3
        for branch, edges in zip(("trunk", "reinit", "random"), drawn, strict=True):
            rows = means[means["branch"] == branch].to_dict("records")
            assert len(edges) == len(rows)
            for row in rows:
                low, high = edges[round(100 * row["density"], 9)]
                assert low == pytest.approx(factor * row["low"])
                assert high == pytest.approx(factor * row["high"])
                assert low < high


@pytest.mark.parametrize("draw", [figures.accuracy, figures.early_stop])
def test_density_falls_from_left_to_right(study, draw):
    for ax in draw(study, "").figure.axes:
        left, right = ax.get_xlim()
        assert left > 100
        assert 0 < right < 100 * 0.8**LEVELS
        assert ax.get_xscale() == "log"


def legend(drawing):
    return drawing.figure.axes[0].get_legend_handles_labels()[1]


def test_censored_steps_are_counted(tmp_path):
    rows = anchor_rows()
    censored = {("trunk", 0, 0), ("trunk", 3, 1), ("trunk", 3, 2), ("reinit", 2, 0)}
    for row in rows:
        key = (row["branch"], row["level"], row["replicate"])
        row |= {"early_stop_at_end": key in censored}
    study = load(write_study(tmp_path, rows))
    table = curve_table(study.records, "early_stop_step")
    counts = table[table["censored"] > 0].set_index(["statistic", "branch", "level"])["censored"]
    assert counts["mean"].to_dict() == {("trunk", 0): 1, ("trunk", 3): 2, ("reinit", 2): 1}
    assert counts["replicate"].tolist() == [1] * 4
    assert legend(figures.early_stop(study, "")) == [
        "dense (mean, n = 3)",
        "ticket (n = 3, 3 at the last step)",
        "reinitialised ticket (n = 3, 1 at the last step)",
        "random mask (n = 3)",
    ]
    assert not any("last step" in label for label in legend(figures.accuracy(study, "")))


def test_figures_say_how_many_replicates_ended_by_divergence(tmp_path, study):
    ended = load(write_study(tmp_path / "ended", ended_rows()))
    for draw in (figures.accuracy, figures.early_stop):
        drawing = draw(ended, "")
        note = drawing.figure.axes[0].get_title(loc="left")
        assert "1 of 3 replicates ended by divergence (×): means to the right leave it out" in note
        assert "ticket (n = 2 to 3, 1 diverged ×)" in legend(drawing)
        assert "reinitialised ticket (n = 2 to 3)" in legend(drawing)
        assert "ended" not in draw(study, "").figure.axes[0].get_title(loc="left")


def test_anchor_is_the_base_configuration_in_the_search(tmp_path):
    trials = [*(trial(number) for number in range(3)), *search_trials(4)]
    drawing = search_figures.search(load(write_study(tmp_path, trials=trials)), "")
    assert "base configuration (n = 3)" in legend(drawing)


def test_answer_is_given_where_the_paper_learns_fastest(tmp_path):
    assert answer.DENSITY == 0.211  # Claim FC-SPEED; the best accuracy (FC-ACC) is at 0.135.
    study = load(write_study(tmp_path, anchor_rows(levels=9)))
    assert "At 21.0 % of the weights (level 7," in answer.answer(study)[0]


def run(**changes):
    facts = {"command": "python studies/s.py", "started": "2026-11-23T08:00:00+00:00"}
    facts |= {"code": {"commit": "a", "dirty": False}, "packages": {"torch": "2.13.0"}}
    return facts | {"machine": {"cores": 2}, "numerics": "torch-2.13.0/cpu"} | changes


def test_later_runs_list_what_differs_from_the_first(tmp_path):
    same = run(started="later")
    new = {"code": {"commit": "b", "dirty": False}, "packages": {"torch": "2.14.0", "ray": "2"}}
    runs = [run(), same, run(**new, numerics="torch-2.14.0/cpu"), {"command": "bare"}]
    assert later_runs(load(write_study(tmp_path, runs=runs))) == [
        {"started": "later", "command": "python studies/s.py", "changes": []},
        {
            "started": "2026-11-23T08:00:00+00:00",
            "command": "python studies/s.py",
            "changes": [
                "code.commit: a → b",
                "packages.ray: – → 2",
                "packages.torch: 2.13.0 → 2.14.0",
                "numerics: torch-2.13.0/cpu → torch-2.14.0/cpu",
            ],
        },
        {"started": None, "command": "bare", "changes": []},
    ]


@pytest.mark.parametrize("info", [{}, {"runs": []}, {"runs": [run()]}, {"runs": None}])
def test_a_study_of_one_run_has_no_later_ones(tmp_path, info):
    assert later_runs(load(write_study(tmp_path, **info))) == []


def test_numerics_are_those_of_the_records(tmp_path):
    rows = anchor_rows()
    for row in rows:
        row |= {"numerics": "b" if row["level"] else "a"}
    assert numerics(load(write_study(tmp_path, rows))) == ["a", "b"]
    assert numerics(load(write_study(tmp_path / "old"))) == []


def test_csv_is_the_table(tmp_path):
    drawing = figures.accuracy(load(write_study(tmp_path)), "")
    canvas.write(drawing, tmp_path)
    read = pd.read_csv(tmp_path / "accuracy.csv")
    pd.testing.assert_frame_equal(read, drawing.table, check_dtype=False, check_exact=True)


def curve(*values, half=0.0):
    rows = [{"branch": "trunk", "level": i, "value": v} for i, v in enumerate(values)]
    ends = {"low": [v - half for v in values], "high": [v + half for v in values]}
    return pd.DataFrame(rows).assign(statistic="mean", **ends)


def test_accuracy_axis_is_cut_only_if_that_resolves_more():
    far = axes.main_frame(curve(0.98, 0.981, 0.982, 0.979, 0.6))
    assert far.cuts_curves
    assert 0.978 < far.low < 0.98 < 0.982 < far.high < 0.99
    for values in [(0.98, 0.97, 0.96, 0.95, 0.94), (0.98,), (0.5, 0.5)]:
        frame = axes.main_frame(curve(*values))
        assert not frame.cuts_curves
        assert frame.low < min(values) <= max(values) < frame.high


def test_a_wide_interval_does_not_flatten_the_curves():
    narrow, wide = (axes.whole_frame(curve(0.9, 1.0, half=half)) for half in (0.01, 5.0))
    assert not narrow.cuts_bands
    assert narrow.low < 0.89
    assert wide.cuts_bands
    assert wide.high - wide.low < 0.3


def test_trials_far_below_the_rest_do_not_flatten_the_search():
    assert axes.floor(pd.Series([0.95, 0.96, 0.97, 0.94, 0.1])) == pytest.approx(0.9355)
    assert axes.floor(pd.Series([0.95, 0.96, 0.97, 0.94, 0.93])) is None
    assert axes.floor(pd.Series([0.95, 0.1])) is None


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (["train.batch_size", "train.lr"], ("train.lr", "train.batch_size")),
        (["prune.scope", "prune.fraction"], ("prune.fraction", None)),
        (["prune.fraction", "levels"], ("prune.fraction", "levels")),
        (["prune.scope"], (None, None)),
    ],
)
def test_search_figure_picks_its_factors(space, expected):
    table = pd.DataFrame({name: ["layer" if name == "prune.scope" else 1.0] for name in space})
    assert search_figures.main_factors(table, {name: {} for name in space}) == expected
