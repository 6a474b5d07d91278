"""What the report says beside the importances: noise, widths, order, divergence, other methods."""

import dataclasses
import itertools
import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sample_study import anchor_rows, network, search_trials, trial, write_study
from sample_sweeps import LOTTERY, design_study, sweep
from test_report import words_of

from analysis import load
from analysis.figures.design.noise import noise
from analysis.figures.design.widths import width
from analysis.figures.search import budget as budget_figures
from analysis.importance import importance_by_density
from analysis.processes import Processes
from analysis.report import write as report
from analysis.report.question.factors import factor_sentences
from analysis.report.rows.importance import lead_text, noise_rows
from analysis.report.section import Subject
from analysis.tables.design import importance as design_importance
from analysis.tables.design.points import IMPORTANCE_DENSITIES, design_sample
from analysis.tables.design.widths import width_table
from analysis.tables.noise import noise_table


def swept(folder, accuracy, labels, replicates, levels=1, **changes):
    """Writes a study of one sweep, whose networks have the accuracies of a function."""
    trials, rows = [], []
    for place, replicate in itertools.product(range(len(labels)), range(replicates)):
        number, label = len(trials), labels[place]
        role = "paper" if label in changes.get("paper", ()) else "sweep"
        name = f"{label} replicate={replicate}"
        trials.append(trial(number, "sweep", label=name, hparams={}, role=role))
        rows += [
            network(
                "sweep", number, replicate, "trunk", k, accuracy(place, replicate, k), role=role
            )
            for k in range(levels + 1)
        ]
    info = {"lottery": LOTTERY, "config": {"phases": ["sweep"]}}
    return load(write_study(folder, rows, trials, {"sweep": len(trials)}, **info))


LABELS = ["lr=0.01", "lr=0.1", "lr=1", "lr=10"]


def test_components_are_those_of_the_analysis_of_variance(tmp_path):
    rng = np.random.default_rng(0)
    points, luck = 0.02 * rng.standard_normal(4), 0.01 * rng.standard_normal(6)
    y = 0.9 + points[:, None] + luck + 0.003 * rng.standard_normal((4, 6))
    study = swept(tmp_path, lambda place, replicate, _: y[place, replicate], LABELS, 6)
    table = noise_table(study)
    assert set(table["source"]) == {"sweep of lr"}
    assert table["density"].unique().tolist() == [1.0]  # One level goes to 80 %.
    found = table.set_index("component")
    # Of a whole table with positive estimates, restricted likelihood is the mean squares.
    means = y.mean(axis=1), y.mean(axis=0)
    rest = y - means[0][:, None] - means[1] + y.mean()
    noise_of = (rest**2).sum() / (3 * 5)
    spread = {
        "between points": (6 * means[0].var(ddof=1) - noise_of) / 6,
        "between replicates": (4 * means[1].var(ddof=1) - noise_of) / 4,
        "point x replicate": noise_of,
    }
    assert found["variance"].to_dict() == pytest.approx(spread, rel=1e-4)
    assert found["share"].sum() == pytest.approx(1)
    assert found["groups"].tolist()[:2] == [4, 6]
    assert set(found["n"]) == {24}
    kept = noise_of / (noise_of + spread["between replicates"])
    assert found["kept_by_pairing"].tolist() == pytest.approx([kept] * 3, rel=1e-4)
    drawn = noise(study, "", table)
    (ax,) = drawn.figure.axes
    assert ax.get_title(loc="left") == "sweep of lr (n = 24)"
    assert ax.lines[0].get_ydata()[0] == pytest.approx(100 * spread["between points"] ** 0.5, 1e-4)


def test_one_replicate_or_point_splits_nothing(tmp_path):
    once = swept(tmp_path / "a", lambda place, *_: 0.8 + 0.01 * place, LABELS * 3, 1)
    assert noise_table(once).empty
    alone = swept(tmp_path / "b", lambda _, r, k: 0.9 + 0.01 * r + 0.001 * k, LABELS[:1], 9)
    assert noise_table(alone).empty
    assert noise(alone, "", noise_table(alone)) is None


def test_shares_of_a_noise_that_one_network_makes_are_not_known(tmp_path):
    study = swept(tmp_path, lambda p, r, k: 0.9 + 0.01 * (p == r == 1), LABELS, 4)
    found = noise_table(study)
    assert found[["share", "kept_by_pairing"]].isna().all(axis=None)
    assert set(found["unknown"]) == {"1 of 16 responses differ from all others, fewer than 5"}
    row = noise_rows(found, 1.0)[0]
    assert row["unknown"].startswith("1 of 16")
    whole = noise_table(swept(tmp_path / "b", lambda p, r, k: 0.9 + 0.01 * p * r, LABELS, 4))
    assert set(whole["unknown"]) == {""}
    assert whole["share"].notna().all()


def test_networks_that_diverged_are_no_noise(tmp_path):
    study = swept(tmp_path, lambda p, r, k: 0.9 + 0.01 * p + 0.001 * r * p, LABELS, 4)
    records = study.records.copy()
    records.loc[records["trial"] == 3, "diverged"] = True
    found = noise_table(dataclasses.replace(study, records=records))
    assert set(found["n"]) == {15}


# ----- Widths.


SLOPES = (0.01, 0.0, 0.002)
"""Accuracy lost per level at learning rates of 1e-4, 1e-3 and 1e-2: 3 levels go to 51.2 %."""


@pytest.fixture
def narrow(tmp_path):
    labels = ["lr=1e-4", "lr=1e-3", "lr=1e-2", "lr=none"]

    def accuracy(place, replicate, level):
        low = 0.02 if place == 0 else 0.0
        return 0.9 - low + 0.001 * replicate - (*SLOPES, 0.1)[place] * level

    return swept(tmp_path / "s", accuracy, labels, 3, levels=4, paper=["lr=1e-3"])


def test_the_width_of_a_sweep_is_in_decades_by_both_readings(narrow):
    table = width_table(narrow, None)
    assert table["density"].unique().tolist() == [0.8**3]
    found = table.set_index("reading")
    # From -3 points to 0 the margin of 0.2 is crossed 2/30 before the middle, then a third after.
    own = found.loc["keeps its own dense accuracy"]
    assert own["width"] == pytest.approx(2 / 30 + 1 / 3)
    assert (own["unit"], own["whole"], own["open"], own["n"]) == (
        "decades",
        pytest.approx(2),
        "",
        3,
    )
    near = found.loc["within 1 point of the reference"]
    # Against the mean dense network of the paper's value: at 1e-4 tickets are 5 points below it.
    assert near["width"] == pytest.approx(1 / 5 + 1)
    assert near["open"] == "high"
    drawn = width(narrow, "", table)
    assert drawn.figure.axes[0].get_lines()[0].get_label() == "lr (sweep)"
    assert drawn.figure.axes[0].get_lines()[0].get_ydata()[0] == pytest.approx(own["width"] / 2)


def test_a_value_that_ended_by_divergence_is_no_good(narrow):
    records = narrow.records
    bad = (records["trial"] == 6) & (records["level"] == 2)
    records = records[~((records["trial"] == 6) & (records["level"] > 2))]
    records = records.assign(diverged=records["diverged"].astype(bool) | bad)
    ended = width_table(dataclasses.replace(narrow, records=records), None)
    assert ended["n"].tolist() == [3, 3]
    # One of three replicates counts as a loss of everything at 1e-2.
    assert ended["width"].iloc[0] == pytest.approx(2 / 30 + 0.002 * 3 / 1.012)
    # A replicate that was not trained that deep is unknown instead.
    records = narrow.records
    short = records[~((records["trial"] == 6) & (records["level"] > 2))]
    assert width_table(dataclasses.replace(narrow, records=short), None)["n"].tolist() == [2, 2]


def test_values_without_a_number_or_too_few_have_no_width(tmp_path):
    few = swept(tmp_path, lambda p, r, k: 0.9, [*LABELS[:2], "init=a", "init=b"], 3, levels=4)
    assert width_table(few, None).empty
    assert width(few, "", width_table(few, None)) is None


# ----- The order of the factors in words.


def test_the_order_is_told_where_it_turns():
    ranks = pd.DataFrame(
        {
            "density": [1.0, 0.5, 0.1],
            "leader": ["lr", "lr", "fc1"],
            "share": [1.0, 0.9, 0.98],
            "tau": [0.8, 0.7, 0.9],
            "tau_low": [0.5, 0.4, 0.6],
        }
    )
    changes = pd.DataFrame({"factor": ["lr", "fc1", "out"], "density": [0.1, 0.5, math.nan]})
    said = lead_text(ranks, changes)
    assert said[0] == (
        "From 100.0 % to 50.0 % of the weights lr has the highest ST (in 97.5 % of the draws or "
        "more at 1 of 2 densities); at 10.0 % of the weights fc1 has the highest ST (in 97.5 % of "
        "the draws or more at 1 of 1 densities)."
    )
    assert "0.70 or more on average, and 0.40 or more" in said[1]
    assert "fc1 from 50.0 %, lr from 10.0 % on" in said[2]
    assert said[3] == "No change of ST is shown for out."
    assert lead_text(ranks.iloc[:0], changes) == []


# ----- Divergence.


@pytest.mark.slow
def test_where_trajectories_diverge_the_two_questions_are_asked_apart(tmp_path, monkeypatch):
    study = design_study(tmp_path, points=64)
    lr = study.hparams["train.lr"].map(math.log10)
    bad = study.records["trial"].map(lr > -2.6)
    records = study.records[~(bad & (study.records["level"] > 2))]
    records = records.assign(diverged=bad & (records["level"] == 2))
    study = dataclasses.replace(study, records=records)
    dense, _, deep = IMPORTANCE_DENSITIES[:3]
    monkeypatch.setattr(design_importance, "GIVEN_OK", (dense, deep))
    diverges, given_ok, text = design_importance._two_parts(design_sample(study), Processes(1))
    share = (lr > -2.6).mean()
    assert text.startswith(f"{round(68 * share)} of 68 trajectories diverged at some level, Brier")
    total = diverges.set_index("factor")["total"]
    assert total["train.lr"] > 0.9
    assert total["inert"] < 0.1
    # At 100 % nothing has diverged: only the other density has two questions.
    assert given_ok["density"].unique().tolist() == [deep]
    effects = given_ok.set_index("factor")["shapley"]
    assert effects["train.lr"] > 0.9
    sound = dataclasses.replace(study, records=records.assign(diverged=False))
    whole = design_sample(sound)
    assert design_importance._two_parts(whole, Processes(1))[2] == ""


def ending_at(folder, level, density):
    """A design whose trajectories end at a level, and whose answer is asked for at a density."""
    objective = {"name": "accuracy_auc", "density": density, "margin": 0.002}
    question = "Which hyperparameters decide whether a network has winning tickets?"
    study = design_study(folder, config={"objective": objective}, question=question)
    return dataclasses.replace(study, records=study.records[study.records["level"] <= level])


@pytest.mark.slow
def test_where_a_design_ends_at_the_answers_density_shares_are_known_there(tmp_path, monkeypatch):
    quick = partial(importance_by_density, draws=8, permutations=9, base=64)
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    study = ending_at(tmp_path, 3, 0.514)
    sample = design_sample(study)
    assert sample.densities[:4] == (*IMPORTANCE_DENSITIES[:2], 0.514, IMPORTANCE_DENSITIES[2])
    # Between two levels it is linear in log density.
    here = sample.responses[sample.responses["density"] == 0.514]
    assert (here["missing"] == "").all()
    found, note = design_importance.design_tables(study)
    assert found.strip["density"].tolist() == [1.0, pytest.approx(0.64), 0.514]
    assert (found.strip["status"] == "ok").all()
    assert note == ""
    (told, *_) = factor_sentences(Subject(study=study, design=found, note=note))
    assert told.startswith(
        "At 51.4 % of the weights, over a design of 20 trajectories, these decide"
    )


def test_where_a_design_goes_on_the_grid_is_near_enough(tmp_path):
    for name, level, density in (("a", 4, 0.514), ("b", 4, 0.41), ("c", 2, 0.64)):
        assert design_sample(ending_at(tmp_path / name, level, density)).densities == (
            IMPORTANCE_DENSITIES
        )


@pytest.mark.slow
def test_a_design_that_ends_above_the_answers_density_is_told(tmp_path, monkeypatch):
    quick = partial(importance_by_density, draws=8, permutations=9, base=64)
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    _, note = design_importance.design_tables(ending_at(tmp_path, 2, 0.514))
    assert note.endswith(
        "The curves end early: at density 0.514, 100 % of the trajectories have no value, more "
        "than 10 %."
    )


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_caption_says_how_much_a_search_was_told(tmp_path):
    point = {"train.lr": 1e-3, "train.batch_size": 16, "prune.scope": "layer"}
    design = [
        ("a", point, "design", 0.1),
        ("again", point, "design", 0.1),
        ("outside", point | {"train.lr": 0.1}, "design", 0.1),
        ("deeper", point | {"train.lr": 2e-3, "levels": 9}, "design", 0.1),
        ("other", point | {"train.lr": 3e-3, "train.momentum": 0.5}, "design", 0.1),
    ]
    trials, rows = sweep(design, replicates=2, phase="design")
    base = [trial(n, hparams={}) for n in range(3)]
    lottery = {"train": {"lr": 1e-3, "batch_size": 60, "steps": 1000}, "prune": {"scope": "layer"}}
    found = [*base, *trials, *search_trials(4, start=90)]
    folder = write_study(tmp_path, [*anchor_rows(), *rows], found, lottery=lottery)
    # The design's two points inside of the space, and the base configuration.
    assert budget_figures.told_points(load(folder)) == 3
    assert "it was told up to 3 trained points before" in words_of(report.write(folder).read_text())
    alone = write_study(tmp_path / "r", trials=found, config={"sampler": "random"})
    assert budget_figures.told_points(load(alone)) == 0
