"""What the report says of a search: its control, its Pareto front, its confirmation."""

import itertools
import statistics

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_study import anchor_rows, network, search_trials, trial, write_study
from scipy import stats
from test_report import words_of

from analysis import load
from analysis.figures.search import budget as budget_figures
from analysis.figures.search.pareto import pareto_table
from analysis.report import write as report
from analysis.report.answer import answer
from analysis.tables.confirmation import (
    confirmation_table,
    confirmed_networks,
    confirmed_trials,
    difference_curves,
)
from analysis.tables.trials import best_table, front_table, search_table
from lttune.config.fields import settings_text
from lttune.records.best import non_dominated

ANCHOR = [trial(number) for number in range(3)]
PARETO = {"name": "pareto", "text": "accuracy; density", "direction": "maximize"}
PARETO |= {"directions": ["maximize", "minimize"], "texts": ["accuracy", "density"]}
VALUES = [[0.95, 0.4], [0.97, 0.5], [0.94, 0.41], [0.9, 0.1], [0.97, 0.6], [0.89, 0.11]]
WAYS = ["maximize", "minimize"]


def page(folder):
    return words_of(report.write(folder).read_text())


def drawn_at_random(number, start=20):
    """Returns random trials whose objectives are 0.80, 0.81, ... in some order."""
    order = np.random.default_rng(0).permutation(number)
    return [trial(start + i, "random", 0.8 + 0.01 * int(k)) for i, k in enumerate(order)]


def stopped(number, levels=2):
    """Returns a stopped trial with its last report for an objective, and its networks."""
    rows = [network("search", number, 0, "trunk", k, 0.9) for k in range(levels + 1)]
    return trial(number, "search", 0.999, state="stopped", replicates=[0]), rows


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
    st.tuples(st.sampled_from(WAYS), st.sampled_from(WAYS)),
)
def test_the_front_is_that_of_optuna(points, ways):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    oracle = optuna.create_study(directions=list(ways))
    for values in points:
        oracle.add_trial(optuna.trial.create_trial(values=[float(v) for v in values]))
    # Optuna's has every one of equal points.
    expected = {points.index(points[found.number]) for found in oracle.best_trials}
    assert non_dominated(points, ways) == sorted(expected)


def pareto_study(folder):
    search = [
        trial(3 + i, "search", values[0], values=values, replicates=[0])
        for i, values in enumerate(VALUES)
    ]
    control = [trial(20 + i, "random", v[0], values=v) for i, v in enumerate(VALUES[3:])]
    base = [trial(i, values=[0.96, 0.5 + 0.1 * i]) for i in range(3)]
    rows = [
        network("search", one["number"], 0, "trunk", level, 0.96 - 0.001 * level)
        for one in search
        for level in range(5)
    ]
    planned = {"anchor": 3, "search": 6, "random": 3}
    trials = [*base, *search, *control]
    return write_study(folder, [*anchor_rows(), *rows], trials, planned, objective=PARETO)


def test_the_pareto_front_has_a_figure_and_a_table(tmp_path):
    study = load(pareto_study(tmp_path))
    table = pareto_table(study)
    assert table["phase"].value_counts().to_dict() == {"search": 6, "random": 3, "anchor": 3}
    assert set(table.loc[table["is_front"], "trial"]) == {3, 4, 6, 20, 21}
    assert not table.loc[table["phase"] == "anchor", "is_front"].any()
    front = front_table(study)
    assert front["trial"].tolist() == [4, 3, 6]  # From the most accurate on to the smallest.
    assert front["accuracy"].tolist() == [0.97, 0.95, 0.9]
    # The level nearest to the ticket's density, not to a fixed one.
    assert front["density"].tolist() == pytest.approx([0.8**3, 0.8**4, 0.8**4])
    said = page(tmp_path)
    assert "From the most accurate on to the smallest" in said
    assert "Best trials" not in said
    assert {"pareto", "front"} <= {path.stem for path in (tmp_path / "figures").glob("*.csv")}
    assert "front of the search (n = 3)" in (tmp_path / "figures" / "pareto.svg").read_text()
    # Two values have no best of k.
    assert "best_of_k" not in {path.stem for path in (tmp_path / "figures").iterdir()}


def test_the_random_control_counts_before_a_design(tmp_path):
    design = [trial(40 + i, "design", 0.1, role="design", label=f"sobol-{i}") for i in range(6)]
    control = drawn_at_random(7)
    trials = [*ANCHOR, *search_trials(5), *control, *design]
    study = load(write_study(tmp_path, trials=trials))
    table = budget_figures.budget_table(study)
    random = table[table["curve"] == "random"].set_index("k")
    values = [one["objective"] for one in control]
    for k in range(1, 8):
        oracle = statistics.fmean(max(some) for some in itertools.combinations(values, k))
        assert random.loc[k, "value"] == pytest.approx(oracle)
    assert random["low"].notna().tolist() == [True] * 3 + [False] * 4
    assert set(random["n"]) == {7}
    said = page(tmp_path)
    assert "The expectation holds for independent draws only" in said
    assert "random control, expected (n = 7)" in (tmp_path / "figures/best_of_k.svg").read_text()
    assert "random control (n = 7)" in (tmp_path / "figures/search.svg").read_text()


def test_a_stopped_trial_is_shown_and_never_the_best(tmp_path):
    ended, rows = stopped(8)
    trials = [*ANCHOR, *search_trials(5), ended, *drawn_at_random(6)]
    planned = {"anchor": 3, "search": 6, "random": 6}
    study = load(write_study(tmp_path, [*anchor_rows(), *rows], trials, planned))
    assert study.incomplete == ""
    found = search_table(study).set_index("trial")
    assert np.isnan(found.loc[8, "objective"])
    assert found.loc[8, "level"] == 2
    best = max(search_trials(5), key=lambda one: one["objective"])
    assert found.index[found["is_best"]].tolist() == [best["number"]]
    assert 8 not in set(best_table(study, 0.2)["trial"])
    search = budget_figures.budget_table(study).query("curve == 'search'")
    assert search["k"].tolist() == [1, 2, 3, 4, 5, 6]
    assert search["value"].iloc[-1] == best["objective"]
    assert set(search["n"]) == {5}
    said = page(tmp_path)
    assert "1 trial of the search was stopped at a higher density" in said
    assert "is never the best: it did not reach the density" in said
    assert f"8 {settings_text(ended['hparams'])}search-8searchstopped20" in said
    drawn = (tmp_path / "figures" / "search.svg").read_text()
    assert "stopped by the search (n = 1, at level 2)" in drawn
    assert "no objective: failed" not in drawn


GAINS = {"search trial 4": 0.002, "random trial 21": -0.001, "base": 0.0}


def confirm(replicates=4, levels=8):
    """Returns trials and networks of three configurations whose differences are known."""
    rng = np.random.default_rng(7)
    luck = rng.normal(0, 0.01, replicates)
    chosen = search_trials(3)[1]["hparams"]
    hparams = {"search trial 4": chosen, "random trial 21": {"train.lr": 9e-3}, "base": {}}
    trials, rows = [], []
    for replicate, name in itertools.product(range(replicates), GAINS):
        number, place = 50 + len(trials), 100_000 + replicate
        facts = {"label": f"{name} replicate={place}", "replicates": [place]}
        facts |= {"hparams": hparams[name], "role": "paper" if name == "base" else "fresh"}
        trials.append(trial(number, "confirm", 0.5 + 0.01 * replicate, **facts))
        gain = GAINS[name] + rng.normal(0, 3e-4)
        rows += [
            network("confirm", number, place, "trunk", k, 0.95 + luck[replicate] + gain * (k > 0))
            for k in range(levels + 1)
        ]
    return trials, rows


def confirmed_study(folder, name="accuracy_at", density=0.8**5, **options):
    trials, rows = confirm(**options)
    config = {"objective": {"name": name, "density": density}}
    everything = [*ANCHOR, *search_trials(3), trial(21, "random", 0.7), *trials]
    everything[-len(trials) - 1]["hparams"] = {"train.lr": 9e-3}
    return write_study(folder, [*anchor_rows(), *rows], everything, config=config)


def test_confirmation_is_the_paired_t_test_against_the_base_configuration(tmp_path):
    study = load(confirmed_study(tmp_path))
    table = confirmation_table(study).set_index("name")
    assert table.index.tolist() == ["search trial 4", "random trial 21", "base"]
    rows = study.records[(study.records["phase"] == "confirm") & (study.records["level"] == 5)]
    labels = study.trials.set_index("number")["label"].str.partition(" replicate")[0]
    own = {
        name: mine.set_index("replicate")["test_accuracy"].astype(float)
        for name, mine in rows.groupby(rows["trial"].map(labels))
    }
    for name in ("search trial 4", "random trial 21"):
        found = table.loc[name]
        oracle = stats.ttest_rel(own[name], own["base"]).confidence_interval()
        assert (found["difference_low"], found["difference_high"]) == pytest.approx(tuple(oracle))
        assert found["accuracy"] == pytest.approx(own[name].mean())
        assert (found["n"], found["pairs"]) == (4, 4)
    assert table.loc["base", "pairs"] == 0
    assert table.loc["search trial 4", "selected"] == search_trials(3)[1]["objective"]
    assert table.loc["search trial 4", "fresh"] == pytest.approx(0.515)
    assert pd.isna(table.loc["base", "selected"])
    trials = confirmed_trials(study)
    curves = difference_curves(confirmed_networks(study, trials)).set_index(["curve", "level"])
    means = curves[curves["statistic"] == "mean"]
    mean = means.loc[("search trial 4", 5)]
    assert mean["density"] == 0.8**5
    assert mean["value"] == pytest.approx(table.loc["search trial 4", "difference"])
    assert set(means.index.get_level_values("curve")) == {"search trial 4", "random trial 21"}
    assert means.loc["search trial 4"].index.tolist() == list(range(9))  # As deep as both.
    said = page(tmp_path)
    assert "What was chosen used validation accuracy on the replicates of the search" in said
    assert "its confirmation is below" in said
    chosen = settings_text(search_trials(3)[1]["hparams"])
    whose = f"{chosen} (search trial 4) minus the base configuration"
    assert any(whose in one for one in answer(study))
    assert f"{chosen}search trial 4" in said
    legend = (tmp_path / "figures" / "confirmation.svg").read_text()
    assert chosen.split()[0] in legend
    assert "confirmation.svg" in {path.name for path in (tmp_path / "figures").iterdir()}


@pytest.mark.usefixtures("undrawn")
def test_a_density_of_the_trial_is_where_its_confirmation_is_read(tmp_path):
    trials, rows = confirm()
    search = search_trials(3)
    search[1] |= {"objective": 0.97, "values": [0.97, 0.8**3]}
    trials = [one | {"values": [0.96, 0.8**2]} for one in trials]
    config = {"objective": {"name": "pareto", "density": 0.1}}
    folder = write_study(
        tmp_path,
        [*anchor_rows(), *rows],
        [*ANCHOR, *search, *trials],
        config=config,
        objective=PARETO,
    )
    table = confirmation_table(load(folder)).set_index("name")
    assert table.loc["search trial 4", "at"] == pytest.approx(0.8**3)
    assert table.loc["base", "at"] == pytest.approx(0.8**2)
    assert table["selected"].isna().all()
    assert "Confirmation" in page(folder)


@pytest.mark.parametrize("without", ["base", "search trial 4", "everything"])
def test_a_confirmation_that_has_only_begun_has_its_report(tmp_path, without):
    trials, rows = confirm(replicates=1)
    gone = {one["number"] for one in trials if without == "everything" or without in one["label"]}
    rows = [*anchor_rows(), *(row for row in rows if row["trial"] not in gone)]
    folder = write_study(tmp_path, rows, [*ANCHOR, *trials])
    table = confirmation_table(load(folder))
    assert len(table) == {"everything": 0}.get(without, 2)
    said = page(folder)
    assert ("Confirmation What was chosen" in said) == (without != "everything")
