"""Whole studies as DeepCAVE's runs, read back and compared."""

from __future__ import annotations

import json
from statistics import fmean

import pandas as pd
import pytest
from ConfigSpace import Configuration, ConfigurationSpace
from exported_study import FC1, INSIDE, REAL, change, trials_of

from lttune.exchange.studies import Folder, write_deepcave
from lttune.records import schema
from lttune.store.plain_json import read_json


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


def test_configspace_reads_the_space_and_every_configuration(study):
    run, _ = deepcave(study)
    space = ConfigurationSpace.from_json(run / "configspace.json")
    assert set(space) == {"train.lr", FC1}
    assert space["train.lr"].choices == (0.01, 0.003)
    configs = read_json(run / "configs.json")
    assert len(configs) == len(INSIDE)
    for values in configs.values():
        # ConfigSpace (1.2) keeps a value as its place in the range.
        assert dict(Configuration(space, values=values)) == pytest.approx(values)


@pytest.mark.parametrize(
    ("path", "described", "value"),
    [
        ("train.lr", {"kind": "categorical", "choices": [0.01]}, 0.01),
        ("train.lr", {"kind": "float", "low": 0.01, "high": 0.01, "log": True, "step": None}, 0.01),
        ("train.steps", {"kind": "int", "low": 40, "high": 40, "log": False, "step": 1}, 40),
    ],
)
def test_what_has_one_value_is_a_constant_in_deepcave(study, path, described, value):
    sheet = read_json(study / "study.json")
    change(study / "study.json", space={FC1: sheet["space"][FC1], path: described})
    run, history = deepcave(study)
    space = {e["name"]: e for e in read_json(run / "configspace.json")["hyperparameters"]}
    assert space[path] == {"name": path, "type": "constant", "value": value, "meta": None}
    assert space[FC1]["type"] == "uniform_float"
    configs = read_json(run / "configs.json")
    assert configs
    assert {config[path] for config in configs.values()} == {value}
    assert len(history) > 0


def test_values_of_a_sweep_of_one_value_are_a_constant_in_deepcave(study):
    deepcave(study)
    for place in (study / "deepcave").iterdir():
        for entry in read_json(place / "configspace.json")["hyperparameters"]:
            assert len(entry.get("choices", [0, 1])) > 1, entry


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
