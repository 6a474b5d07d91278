"""The tables of trials, runs and numerics of a study of known numbers."""

import pytest
from sample_study import anchor_rows, network, run, search_trials, trial, write_study

from analysis import load
from analysis.report.runs import later_runs, numerics
from analysis.tables.trials import best_table, problem_table, search_table


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


def test_incomplete_counts_each_phase_on_its_own(tmp_path):
    trials = [trial(0), trial(1), *search_trials(4)]
    planned = {"anchor": 3, "search": 2}
    assert load(write_study(tmp_path, trials=trials, planned=planned)).incomplete == (
        "incomplete: 4 of 5 trials"
    )
    assert load(write_study(tmp_path / "done")).incomplete == ""


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
