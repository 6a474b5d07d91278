"""The figures of what a search found, and of where networks learn."""

import itertools
import statistics

import pytest
from sample_study import SPACE, search_trials, trial, write_study
from sample_sweeps import LOTTERY, sweep, swept_study

from analysis import load
from analysis.figures.design import map as map_figures
from analysis.figures.search import budget as budget_figures
from lttune.config import DEPTH
from lttune.records.objectives import DENSITY_GRID


@pytest.fixture
def swept(tmp_path):
    return swept_study(tmp_path)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_expected_best_of_random_trials_is_that_of_all_subsets(tmp_path, direction):
    design = [(f"sobol-{i:03d}", {"train.lr": 0.1 * i}, "design", 0.1 * i) for i in range(6)]
    design.append(("paper", {}, "paper", -9.0))
    trials, _ = sweep(design, replicates=2, phase="design")
    trials += search_trials(3, start=99)
    objective = {"name": "x", "text": "", "direction": direction}
    study = load(write_study(tmp_path, trials=trials, objective=objective))
    table = budget_figures.budget_table(study)
    pick = max if direction == "maximize" else min
    random = table[table["curve"] == "random"].set_index("k")
    values = [0.9 - 0.1 * i for i in range(6)]
    assert set(random["n"]) == {6}  # A point counts once, and the paper's is no draw.
    for k in (1, 2, 3):
        oracle = statistics.fmean(pick(some) for some in itertools.combinations(values, k))
        assert random.loc[k, "value"] == pytest.approx(oracle)
        assert random.loc[k, "low"] <= oracle <= random.loc[k, "high"]
    found = [t["objective"] for t in trials[-3:]]
    search = table[table["curve"] == "search"]["value"].tolist()
    assert search == pytest.approx([pick(found[: k + 1]) for k in range(3)])


@pytest.mark.parametrize(("depth", "value"), [("levels", 5), ("min_density", 0.5)])
def test_a_search_is_told_points_that_only_end_elsewhere(tmp_path, depth, value):
    own = {"train.lr": 2e-3}
    inside = trial(0, "sweep", hparams=own), trial(1, "sweep", hparams=own | {depth: value})
    other = trial(2, "sweep", hparams=own | {"train.momentum": 0.5})
    assert DEPTH == ("levels", "min_density")
    space = {"train.lr": SPACE["train.lr"]}
    for number, trials in ((1, [inside[0]]), (1, [inside[1]]), (0, [other])):
        study = load(write_study(tmp_path, trials=trials, space=space))
        assert budget_figures.told_points(study) == number


def test_a_search_is_told_no_point_whose_steps_are_its_own(tmp_path):
    # The base's steps are those of its epochs in its own batches.
    lottery = {"train": {"steps": 100, "epochs": 2.0, "batch_size": 60}}
    space = {
        "train.steps": {"kind": "int", "low": 50, "high": 200, "log": False, "step": 1},
        "train.batch_size": {"kind": "categorical", "choices": [30, 60]},
    }
    for number, hparams in ((0, {"train.batch_size": 30}), (1, {"train.steps": 60})):
        trials = [trial(0, "sweep", hparams=hparams)]
        study = load(write_study(tmp_path, trials=trials, space=space, lottery=lottery))
        assert budget_figures.told_points(study) == number


def test_a_search_alone_has_no_random_control_unless_it_was_random(tmp_path):
    alone = load(write_study(tmp_path / "a", trials=search_trials(6)))
    assert budget_figures.budget_table(alone).empty
    config = {"sampler": "random"}
    random = load(write_study(tmp_path / "b", trials=search_trials(6), config=config))
    assert set(budget_figures.budget_table(random)["curve"]) == {"random"}


def test_the_map_marks_divergence_and_networks_that_never_learned(tmp_path):
    design = [
        (f"sobol-{i}", {"train.lr": lr, "prune.fraction": f}, "design", slope)
        for i, (lr, f, slope) in enumerate([(0.01, 0.2, 0.001), (0.1, 0.3, 0.02), (1.0, 0.4, 0)])
    ]
    trials, rows = sweep(design, replicates=2, levels=8, phase="design")
    for row in rows:
        if row["trial"] in (12, 15):
            row["test_accuracy"] = 0.1
        row["diverged"] = row["trial"] == 11 and row["level"] == 7
    study = load(write_study(tmp_path, rows, trials, {"design": 6}, lottery=LOTTERY))
    table, name, density = map_figures.map_table(study)
    assert (name, density) == ("prune.fraction", DENSITY_GRID[7])
    assert table["n"].tolist() == [2, 1, 2]
    assert table["diverged"].tolist() == [0, 1, 0]
    assert table["dense"].tolist() == pytest.approx([0.905, 0.9, 0.1], abs=0.02)
    labels = map_figures.lr_fraction(study, "").figure.axes[0].get_legend_handles_labels()[1]
    assert "a network diverged (n = 1)" in labels
    assert "dense accuracy below half of the best (n = 1)" in labels
    assert "at most 0.2 points below dense (n = 0)" in labels


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_the_map_is_of_a_density_that_half_of_the_trajectories_reach(tmp_path, levels):
    design = [
        (f"sobol-{i}", {"train.lr": lr, "prune.fraction": f}, "design", 0.001)
        for i, (lr, f) in enumerate([(0.01, 0.2), (0.1, 0.3), (1.0, 0.2)])
    ]
    trials, rows = sweep(design, replicates=2, levels=levels, phase="design")
    study = load(write_study(tmp_path, rows, trials, {"design": 6}, lottery=LOTTERY))
    table, _, density = map_figures.map_table(study)
    assert density == DENSITY_GRID[min(levels, 7)]
    assert table["gain"].notna().mean() >= 0.5
    title = map_figures.lr_fraction(study, "").title
    assert title.startswith(f"Gain at {100 * density:.1f} % of the weights")


def test_a_study_that_varies_one_of_the_two_has_no_map(swept):
    assert map_figures.lr_fraction(swept, "") is None
