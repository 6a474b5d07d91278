"""Whole studies as Optuna's database, read back and compared."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import digits_study
import optuna
import pandas as pd
import pytest
from exported_study import FC1, INSIDE, REAL, change, database, exported, last, trials_of
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from lttune.config import from_dict
from lttune.config.design import INERT, Categorical, Factor, Integer, LogUniform, Uniform
from lttune.exchange.studies import Folder, write_csv, write_deepcave, write_optuna
from lttune.store.sealed import read_object, write_object


def test_optuna_has_the_ended_trials_of_the_space_as_the_ledger_has_them(study):
    found = exported(study).trials
    ledger = trials_of(study)
    assert [t.user_attrs["trial"] for t in found] == INSIDE
    states = {"complete": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL"}
    for trial in found:
        mine = ledger[trial.user_attrs["trial"]]
        assert trial.state.name == states[mine["state"]]
        assert trial.value == mine["objective"]
        assert trial.params == {"train.lr": 0.01, **mine["hparams"]}
        assert trial.distributions == digits_study.SPACE
        for name in ("phase", "role", "label", "replicates", "seconds", "error"):
            assert trial.user_attrs.get(name) == mine[name]
        assert trial.duration == timedelta(seconds=mine["seconds"])


def test_optuna_has_the_curve_of_each_trial(study):
    rows = pd.read_parquet(study / "records.parquet").query("branch == 'trunk'")
    for trial in exported(study).trials:
        number = trial.user_attrs["trial"]
        means = rows[rows["trial"] == number].groupby("level").mean(numeric_only=True)
        assert list(means.index) == list(range(last(number) + 1))
        assert trial.intermediate_values == pytest.approx(means["val_accuracy"].to_dict())
        for name in ("density", "val_accuracy", "test_accuracy"):
            assert trial.user_attrs.get(name, []) == pytest.approx(means[name].tolist())


def test_optuna_knows_objective_direction_and_origin(study):
    found = exported(study)
    sheet = read_object(study / "study.json")
    assert found.direction.name == "MAXIMIZE"
    assert found.best_trial.user_attrs["trial"] == 1
    assert found.metric_names == ["accuracy_auc"]
    assert found.user_attrs["objective"] == sheet["objective"]["text"]
    assert found.user_attrs["question"] == sheet["question"]
    starts = {trial.datetime_start for trial in found.trials}
    assert starts == {datetime.fromisoformat(sheet["created"]).replace(tzinfo=None)}


@pytest.mark.slow
def test_optunas_importances_of_a_real_study_are_those_of_its_ledger(tmp_path):
    # A database takes a tenth of a second for a trial: every fourth is enough to be ranked by.
    whole = Folder.read(REAL)
    few = dataclasses.replace(whole, trials=[t for t in whole.trials if t.number % 4 == 0])
    write_optuna(few, tmp_path / "optuna.db")
    found = database(tmp_path / "optuna.db", "lenet-sensitivity-quick")
    base = from_dict(read_object(REAL / "study.json")["lottery"])
    space = {
        "train.lr": FloatDistribution(1e-4, 1e-2, log=True),
        "train.batch_size": IntDistribution(20, 200, log=True),
        "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
        "prune.fractions.fc2": FloatDistribution(0.2, 0.6),
        "prune.fractions.out": FloatDistribution(0.05, 0.4),
    }
    theirs = optuna.create_study(direction="maximize")
    for number, trial in trials_of(REAL).items():
        if number % 4 or trial["phase"] not in ("anchor", "design", "search"):
            continue
        values = base.override(trial["hparams"]).flat()
        params = {path: values[path] for path in space}
        theirs.add_trial(
            optuna.create_trial(params=params, distributions=space, value=trial["objective"])
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0, n_trees=2)
    ours, expected = (
        optuna.importance.get_param_importances(s, evaluator=evaluator) for s in (found, theirs)
    )
    assert ours == expected
    assert sum(ours.values()) == pytest.approx(1)
    assert len(found.trials) > 20


def test_several_objectives_have_several_values(study):
    sheet, ledger = (read_object(study / name) for name in ("study.json", "trials.json"))
    several = {"directions": ["maximize", "minimize"], "texts": ["accuracy", "density"]}
    change(study / "study.json", objective=sheet["objective"] | several)
    values = {1: [0.9, 0.5], 2: [0.8, 0.6], 3: [0.7, 0.1]}
    for trial in ledger["trials"]:
        trial["values"] = values.get(trial["number"], [0.5, 1.0])
    write_object(study / "trials.json", ledger)
    found = exported(study)
    complete = found.get_trials(states=[TrialState.COMPLETE])
    assert {t.user_attrs["trial"]: t.values for t in complete} == values
    # Trial 2 is less accurate than trial 1 at a higher density.
    assert sorted(t.user_attrs["trial"] for t in found.best_trials) == [1, 3]
    assert found.metric_names == ["accuracy", "density"]
    assert not any(trial.intermediate_values for trial in found.trials)
    write_csv(Folder.read(study), study / "csv")
    table = pd.read_csv(study / "csv" / "trials.csv").set_index("number")
    assert table.loc[1, "values"] == "0.9 0.5"


def test_a_random_control_and_a_confirmation_are_studies_of_their_own(study):
    ledger = read_object(study / "trials.json")
    for number, phase in ((2, "random"), (3, "confirm")):
        ledger["trials"][number]["phase"] = phase
    ledger["trials"][1]["hparams"]["min_density"] = 0.1
    write_object(study / "trials.json", ledger)
    exported(study)
    numbers = {
        name: [t.user_attrs["trial"] for t in database(study / "optuna.db", name).trials]
        for name in ("digits", "digits-random", "digits-confirm")
    }
    assert numbers == {"digits": [1, 6, 7], "digits-random": [2], "digits-confirm": [3]}


FACTORS = [
    Factor(path="train.lr", distribution=LogUniform(low=1e-3, high=1e-1)),
    Factor(path="train.batch_size", distribution=Integer(low=16, high=256, log=True)),
    Factor(path="train.optimizer", distribution=Categorical(choices=("adam", "sgd"))),
    Factor(path=INERT, distribution=Uniform(low=0.0, high=1.0)),
]


@pytest.fixture
def designed(study):
    """The study with a design of two points, of which one stands for the base optimizer."""
    change(study / "study.json", factors=[factor.plain() for factor in FACTORS])
    ledger = read_object(study / "trials.json")
    points = {4: {"train.optimizer": "sgd"}, 5: {}}
    for number, more in points.items():
        # The fraction stands for one that is linked to a factor.
        linked = {"prune.fractions.out": 0.1}
        hparams = {"train.lr": 0.02, "train.batch_size": 32} | linked | more
        facts = {"phase": "design", "role": "design", "inert": 0.25, "hparams": hparams}
        ledger["trials"][number] |= facts
    write_object(study / "trials.json", ledger)
    return study


def test_a_sweep_is_a_study_of_the_values_that_were_tried(study):
    found = exported(study, "digits-sweep")
    # The base configuration names no fraction of fc1.
    space = {
        FC1: CategoricalDistribution([None, 0.4]),
        "train.lr": CategoricalDistribution([0.01, 0.02]),
        "train.steps": CategoricalDistribution([40, 30]),
    }
    points = {
        0: {FC1: None, "train.lr": 0.01, "train.steps": 40},
        3: {FC1: 0.4, "train.lr": 0.01, "train.steps": 40},
        4: {FC1: 0.4, "train.lr": 0.02, "train.steps": 40},
        5: {FC1: 0.4, "train.lr": 0.01, "train.steps": 30},
    }
    assert {t.user_attrs["trial"]: t.params for t in found.trials} == points
    assert all(t.distributions == space for t in found.trials)


def test_a_design_is_a_study_of_its_own(designed):
    found = exported(designed, "digits-design").trials
    space = {
        "train.lr": FloatDistribution(1e-3, 1e-1, log=True),
        "train.batch_size": IntDistribution(16, 256, log=True),
        "train.optimizer": CategoricalDistribution(("adam", "sgd")),
        INERT: FloatDistribution(0.0, 1.0),
    }
    common = {"train.lr": 0.02, "train.batch_size": 32, INERT: 0.25}
    assert [t.params for t in found] == [
        {**common, "train.optimizer": "sgd"},
        {**common, "train.optimizer": "adam"},
    ]
    assert [t.distributions for t in found] == [space, space]
    assert len(database(designed / "optuna.db").trials) == len(INSIDE)
    lines = write_deepcave(Folder.read(designed), designed / "deepcave")
    assert lines[2] == "digits-design: 2 trials, 8 networks"


def test_choices_that_are_lists_are_text_as_in_the_records(study):
    sheet, ledger = (read_object(study / name) for name in ("study.json", "trials.json"))
    choices = {"kind": "categorical", "choices": [[], [10, 20]]}
    change(study / "study.json", space={"train.milestones": choices})
    for trial in ledger["trials"]:
        trial["hparams"] = {"train.milestones": [10, 20]} if trial["number"] == 1 else {}
    write_object(study / "trials.json", ledger)
    assert sheet["lottery"]["train"]["milestones"] == []
    found = exported(study).trials
    assert found[0].params == {"train.milestones": ""}
    assert found[1].params == {"train.milestones": "10 20"}
