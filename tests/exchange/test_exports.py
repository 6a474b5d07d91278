"""Whole studies as Optuna's database, CSV and DeepCAVE's runs, read back and compared."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

import digits_study
import optuna
import pandas as pd
import pyarrow.parquet as pq
import pytest
import stored_study
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from lttune.cli import main
from lttune.config import from_dict
from lttune.config.design import INERT, Categorical, Factor, Integer, LogUniform, Uniform
from lttune.errors import ConfigError, StorageError
from lttune.exchange.studies import Folder, write_csv, write_deepcave, write_optuna
from lttune.exchange.studies.sample import contains, distribution
from lttune.records import schema
from lttune.store.files import read_json, write_json
from lttune.study.declared import describe_space

REAL = Path(__file__).parents[2] / "docs" / "results" / "sensitivity"

FC1 = "prune.fractions.fc1"
TRIALS = (
    {"phase": "anchor", "hparams": {}, "objective": 0.5},
    {"hparams": {"train.lr": 0.003, FC1: 0.5}, "objective": 0.9},
    {"hparams": {"train.lr": 0.01, FC1: 0.3}, "objective": 0.7},
    {"phase": "sweep", "hparams": {FC1: 0.4}, "objective": 0.8, "role": "sweep"},
    {"phase": "sweep", "hparams": {FC1: 0.4, "train.lr": 0.02}, "objective": 0.4},
    {"phase": "sweep", "hparams": {FC1: 0.4, "train.steps": 30}, "objective": 0.6},
    {"hparams": {"train.lr": 0.01, FC1: 0.6}, "state": "failed", "error": "ValueError: no"},
    {"hparams": {"train.lr": 0.01, FC1: 0.25}, "state": "stopped"},
    {"hparams": {"train.lr": 0.003, FC1: 0.21}, "state": "running"},
)
"""The base configuration names no fraction of fc1: trial 0 is no point of the space."""
INSIDE = [1, 2, 3, 6, 7]
"""Trials that have ended, change nothing but the space's hyperparameters, and lie in it."""
TRAINED = {6: 0, 7: -1, 8: 0}
"""Last level of the trials that have not reached level 1."""
LOTTERY = dataclasses.replace(digits_study.LOTTERY, levels=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    hparams = tuple(trial["hparams"] for trial in TRIALS)
    path = stored_study.make(out, LOTTERY, hparams, replicates=(0, 1), controls=("reinit",))
    ledger = read_json(path / "trials.json")
    for trial, facts in zip(ledger["trials"], TRIALS, strict=True):
        trial |= {"phase": "search", "seconds": 1.5 + trial["number"], "label": "a b"} | facts
    write_json(path / "trials.json", ledger)
    rows = [r for r in schema.read(path / "records.parquet") if r["level"] <= last(r["trial"])]
    schema.write(path / "records.parquet", rows)
    return path


def last(trial):
    return TRAINED.get(trial, 1)


@pytest.fixture
def study(made, tmp_path):
    """The folder of a study of its own, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "digits"))


def change(path, **values):
    write_json(path, read_json(path) | values)


def database(path, name="digits"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path}")


def exported(study, name="digits"):
    path = study / "optuna.db"
    write_optuna(Folder.read(study), path)
    return database(path, name)


def trials_of(study):
    return {t["number"]: t for t in read_json(study / "trials.json")["trials"]}


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
    sheet = read_json(study / "study.json")
    assert found.direction.name == "MAXIMIZE"
    assert found.best_trial.user_attrs["trial"] == 1
    assert found.metric_names == ["accuracy_auc"]
    assert found.user_attrs["objective"] == sheet["objective"]["text"]
    assert found.user_attrs["question"] == sheet["question"]
    starts = {trial.datetime_start for trial in found.trials}
    assert starts == {datetime.fromisoformat(sheet["created"]).replace(tzinfo=None)}


@pytest.mark.slow
def test_optunas_importances_of_a_real_study_are_those_of_its_ledger(tmp_path):
    write_optuna(Folder.read(REAL), tmp_path / "optuna.db")
    found = database(tmp_path / "optuna.db", "lenet-sensitivity-quick")
    base = from_dict(read_json(REAL / "study.json")["lottery"])
    space = {
        "train.lr": FloatDistribution(1e-4, 1e-2, log=True),
        "train.batch_size": IntDistribution(20, 200, log=True),
        "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
        "prune.fractions.fc2": FloatDistribution(0.2, 0.6),
        "prune.fractions.out": FloatDistribution(0.05, 0.4),
    }
    theirs = optuna.create_study(direction="maximize")
    for trial in trials_of(REAL).values():
        if trial["phase"] not in ("anchor", "design", "search"):
            continue
        values = base.override(trial["hparams"]).flat()
        params = {path: values[path] for path in space}
        theirs.add_trial(
            optuna.create_trial(params=params, distributions=space, value=trial["objective"])
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0, n_trees=16)
    ours, expected = (
        optuna.importance.get_param_importances(s, evaluator=evaluator) for s in (found, theirs)
    )
    assert ours == expected
    assert sum(ours.values()) == pytest.approx(1)


def test_several_objectives_have_several_values(study):
    sheet, ledger = (read_json(study / name) for name in ("study.json", "trials.json"))
    several = {"directions": ["maximize", "minimize"], "texts": ["accuracy", "density"]}
    change(study / "study.json", objective=sheet["objective"] | several)
    values = {1: [0.9, 0.5], 2: [0.8, 0.6], 3: [0.7, 0.1]}
    for trial in ledger["trials"]:
        trial["values"] = values.get(trial["number"], [0.5, 1.0])
    write_json(study / "trials.json", ledger)
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
    ledger = read_json(study / "trials.json")
    for number, phase in ((2, "random"), (3, "confirm")):
        ledger["trials"][number]["phase"] = phase
    ledger["trials"][1]["hparams"]["min_density"] = 0.1
    write_json(study / "trials.json", ledger)
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
    ledger = read_json(study / "trials.json")
    points = {4: {"train.optimizer": "sgd"}, 5: {}}
    for number, more in points.items():
        # The fraction stands for one that is linked to a factor.
        linked = {"prune.fractions.out": 0.1}
        hparams = {"train.lr": 0.02, "train.batch_size": 32} | linked | more
        facts = {"phase": "design", "role": "design", "inert": 0.25, "hparams": hparams}
        ledger["trials"][number] |= facts
    write_json(study / "trials.json", ledger)
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


@given(
    st.sampled_from(
        [
            FloatDistribution(1e-4, 1e-2, log=True),
            FloatDistribution(0.0, 1.0, step=0.25),
            IntDistribution(2, 20, log=True),
            IntDistribution(2, 20, step=3),
            CategoricalDistribution(["a", "b"]),
        ]
    ),
    st.one_of(st.floats(-1, 30), st.integers(-1, 30), st.sampled_from(["a", "b", "c", None])),
)
@settings(max_examples=60)
def test_a_distribution_is_read_as_it_was_described(asked, value):
    described = json.loads(json.dumps(describe_space({"x": asked})))["x"]
    found = distribution(described)
    assert found == asked
    numeric = isinstance(value, int | float)
    if isinstance(asked, CategoricalDistribution):
        assert contains(found, value) == (value in ("a", "b"))
    else:
        assert contains(found, value) == (numeric and asked.low <= value <= asked.high)


def test_choices_that_are_lists_are_text_as_in_the_records(study):
    sheet, ledger = (read_json(study / name) for name in ("study.json", "trials.json"))
    choices = {"kind": "categorical", "choices": [[], [10, 20]]}
    change(study / "study.json", space={"train.milestones": choices})
    for trial in ledger["trials"]:
        trial["hparams"] = {"train.milestones": [10, 20]} if trial["number"] == 1 else {}
    write_json(study / "trials.json", ledger)
    assert sheet["lottery"]["train"]["milestones"] == []
    found = exported(study).trials
    assert found[0].params == {"train.milestones": ""}
    assert found[1].params == {"train.milestones": "10 20"}


def test_csv_has_the_tables_with_every_digit(study):
    layers = [
        dict.fromkeys(schema.LAYERS) | {"trial": 1, "replicate": 0, "level": 1} | facts
        for facts in ({"layer": "fc1", "moved": 0.1 + 0.2}, {"layer": "fc2", "incoming_max": 3})
    ]
    schema.write(study / "layers.parquet", layers, schema.LAYERS)
    write_csv(Folder.read(study), study / "csv")
    for name in ("records", "layers"):
        theirs = pq.read_table(study / f"{name}.parquet").to_pylist()
        ours = pd.read_csv(study / "csv" / f"{name}.csv", dtype=str, keep_default_na=False)
        assert list(ours.columns) == list(theirs[0])
        cells = [["" if v is None else str(v) for v in row.values()] for row in theirs]
        assert ours.to_numpy().tolist() == cells


def test_csv_has_the_hyperparameters_as_columns(study):
    write_csv(Folder.read(study), study / "csv")
    table = pd.read_csv(study / "csv" / "trials.csv")
    ledger = trials_of(study)
    assert table["number"].tolist() == sorted(ledger)
    assert table["state"].tolist() == [t["state"] for t in ledger.values()]
    assert table["train.lr"].tolist() == [0.01, 0.003, 0.01, 0.01, 0.02, 0.01, 0.01, 0.01, 0.003]
    assert table["train.steps"].tolist() == [40, 40, 40, 40, 40, 30, 40, 40, 40]
    assert table[FC1].isna().tolist() == [True] + 8 * [False]
    assert table["objective"].dropna().tolist() == [0.5, 0.9, 0.7, 0.8, 0.4, 0.6]
    assert set(table["replicates"]) == {"0 1"}
    assert set(table["controls"]) == {"reinit"}


def test_csv_of_a_study_that_has_trained_nothing_has_the_columns(study):
    (study / "records.parquet").unlink()
    write_csv(Folder.read(study), study / "csv")
    assert list(pd.read_csv(study / "csv" / "records.csv").columns) == list(schema.MEASURES)


def deepcave(study):
    write_deepcave(Folder.read(study), study / "deepcave")
    run = study / "deepcave" / "digits"
    assert sorted(path.name for path in run.iterdir()) == sorted(
        ["configs.json", "configspace.json", "history.jsonl", "meta.json", "origins.json"]
    )
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    return run, history


def test_deepcave_has_a_row_for_each_ticket_at_its_level_and_replicate(study):
    run, history = deepcave(study)
    configs, origins = (read_json(run / f"{name}.json") for name in ("configs", "origins"))
    ledger = trials_of(study)
    for number, trial in enumerate(INSIDE):
        assert configs[str(number)] == {"train.lr": 0.01, **ledger[trial]["hparams"]}
        assert origins[str(number)] == ledger[trial]["phase"]
    rows = [r for r in schema.read(study / "records.parquet") if r["branch"] == "trunk"]
    expected = {
        (INSIDE.index(r["trial"]), r["level"], r["replicate"]): [r["val_accuracy"], r["density"]]
        for r in rows
        if r["trial"] in INSIDE
    }
    # Eight fields: what DeepCAVE 1.3 writes, and 1.4.1 reads.
    assert {len(row) for row in history} == {8}
    assert {tuple(row[:3]): row[3] for row in history if row[6] == 1} == expected
    ends = {tuple(row[:3]): (row[3], row[6]) for row in history if row[6] != 1}
    none = [None, None]
    assert ends == {
        (3, 1, 0): (none, 4),
        (3, 1, 1): (none, 4),
        (4, 0, 0): (none, 8),
        (4, 0, 1): (none, 8),
    }
    failed = next(row for row in history if row[6] == 4)
    assert failed[7] == {"trial": 6, "phase": "search", "traceback": "ValueError: no"}


def test_deepcave_knows_objectives_budgets_and_space(study):
    run, _ = deepcave(study)
    meta, space = (read_json(run / f"{name}.json") for name in ("meta", "configspace"))
    assert [(o["name"], o["optimize"]) for o in meta["objectives"]] == [
        ("val_accuracy", "upper"),
        ("density", "lower"),
    ]
    assert (meta["budgets"], meta["seeds"]) == ([0, 1], [0, 1])
    choice, number = space["hyperparameters"]
    assert (choice["name"], choice["type"]) == ("train.lr", "categorical")
    assert (choice["choices"], choice["default_value"]) == ([0.01, 0.003], 0.01)
    assert (number["name"], number["type"], number["log"]) == (FC1, "uniform_float", False)
    # The base configuration names none, and a default has to be a value of the space.
    assert (number["lower"], number["upper"], number["default_value"]) == (0.2, 0.6, 0.2)


def test_deepcave_joins_the_replicates_of_one_configuration(tmp_path):
    lines = write_deepcave(Folder.read(REAL), tmp_path / "runs")
    run = tmp_path / "runs" / "lenet-sensitivity-quick"
    rows = pd.read_parquet(REAL / "records.parquet").query("branch == 'trunk'")
    mine = rows[rows["phase"].isin(["anchor", "design", "search"])]
    trials = mine["trial"].nunique()
    # The design's point at the anchor's place shares the anchor's networks.
    networks = mine["cell"].nunique()
    assert lines[0] == f"lenet-sensitivity-quick: {trials} trials, {networks} networks"
    paths = list(read_json(REAL / "study.json")["space"])
    assert len(read_json(run / "configs.json")) == len(mine[paths].drop_duplicates())
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    anchor = [row[3][0] for row in history if row[0] == 0 and row[1] == 3]
    ours = rows[(rows["phase"] == "anchor") & (rows["level"] == 3)]["val_accuracy"]
    assert len(anchor) == 5
    space = read_json(run / "configspace.json")["hyperparameters"]
    defaults = {entry["name"]: entry["default_value"] for entry in space}
    assert (defaults["train.lr"], defaults["train.batch_size"]) == (1.2e-3, 60)
    assert fmean(anchor) == pytest.approx(ours.mean())


@pytest.mark.parametrize(("form", "place"), [("optuna", "o.db"), ("csv", "t"), ("deepcave", "d")])
def test_the_command_writes_once(study, cwd, capsys, form, place):
    for out in ([], ["--out", str(cwd / place)]):
        assert main(["export", f"--{form}", str(study), *out]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert Path(printed[0].partition(":")[0]).exists()
        assert main(["export", str(study), f"--{form}", *out]) == 74
        assert "is there already: move it away" in capsys.readouterr().err
    assert [path.name for path in cwd.iterdir()] == [place]
    kept = {"cells", "study.json", "trials.json", "records.parquet", "optuna.db", "csv", "deepcave"}
    assert {path.name for path in study.iterdir()} <= kept


@pytest.mark.parametrize("form", ["optuna", "csv", "deepcave"])
def test_what_cannot_be_written_is_one_line(study, capsys, form):
    assert main(["export", f"--{form}", str(study), "--out", str(study / "study.json" / "x")]) == 74
    assert "study.json/x cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("write", [write_optuna, write_deepcave])
def test_a_study_of_no_space_is_sent_to_csv(study, tmp_path, write):
    change(study / "study.json", space={})
    ledger = read_json(study / "trials.json")
    for trial in ledger["trials"]:
        trial["hparams"] = {}
    write_json(study / "trials.json", ledger)
    with pytest.raises(ConfigError, match=r"trials in its space, got .*: --csv has all of it"):
        write(Folder.read(study), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_study_is_one_line(study):
    sheet = read_json(study / "study.json")
    del sheet["space"]
    write_json(study / "study.json", sheet)
    with pytest.raises(StorageError, match=r"study\.json lacks space"):
        Folder.read(study)
    (study / "trials.json").write_text('{"trials": [')
    with pytest.raises(StorageError, match=r"digits cannot be read: JSONDecodeError"):
        Folder.read(study)
