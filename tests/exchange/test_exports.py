"""Whole studies as CSV, and the command that writes every form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from exported_study import FC1, change, trials_of
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lttune.__main__ import main
from lttune.commands.export import Flags
from lttune.errors import ConfigError, StorageError
from lttune.exchange.studies import EXPORTS, Folder, write_csv, write_deepcave, write_optuna
from lttune.exchange.studies.trial_sets import contains, distribution
from lttune.exchange.tickets import Place, find_network
from lttune.records import schema
from lttune.store.sealed import read_object, write_object
from lttune.study.declared import describe_space


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


@pytest.mark.parametrize("form", EXPORTS)
def test_the_command_writes_once(study, cwd, capsys, form):
    for out in ([], ["--out", str(cwd / "other")]):
        assert main(["export", f"--{form}", str(study), *out]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert Path(printed[0].partition(":")[0]).exists()
        assert main(["export", str(study), f"--{form}", *out]) == 74
        assert "is there already: move it away" in capsys.readouterr().err
    assert [path.name for path in cwd.iterdir()] == ["other"]
    kept = {"cells", "study.json", "trials.json", "records.parquet", EXPORTS[form].place}
    assert {path.name for path in study.iterdir()} <= kept


def test_every_form_has_a_flag():
    assert list(Flags(study=Path("x"), csv=True).whole()) == list(EXPORTS)


@pytest.mark.parametrize("form", EXPORTS)
def test_what_cannot_be_written_is_one_line(study, capsys, form):
    assert main(["export", f"--{form}", str(study), "--out", str(study / "study.json" / "x")]) == 74
    assert "study.json/x cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("write", [write_optuna, write_deepcave])
def test_a_study_of_no_space_is_sent_to_csv(study, tmp_path, write):
    change(study / "study.json", space={})
    ledger = read_object(study / "trials.json")
    for trial in ledger["trials"]:
        trial["hparams"] = {}
    write_object(study / "trials.json", ledger)
    with pytest.raises(ConfigError, match=r"trials in its space, got .*: --csv has all of it"):
        write(Folder.read(study), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_study_is_one_line(study):
    sheet = read_object(study / "study.json")
    write_object(study / "study.json", {n: v for n, v in sheet.items() if n != "space"})
    with pytest.raises(StorageError, match=r"study\.json lacks space"):
        Folder.read(study)
    write_object(study / "study.json", sheet)
    (study / "trials.json").write_text('{"trials": [')
    with pytest.raises(StorageError, match=r"trials\.json is damaged: Expecting value"):
        Folder.read(study)


@pytest.mark.parametrize("change_of", [{"trials": [{"number": 0}]}, {"trials": 3}, {}])
def test_a_list_of_other_trials_is_told_without_python(study, change_of):
    write_object(study / "trials.json", change_of)
    for read in (Folder.read, lambda path: find_network(Place(study=path))):
        with pytest.raises(StorageError, match=r"json must hold a list of trials") as error:
            read(study)
        assert not re.search(r"Error|__init__|Trial\(", str(error.value))


def test_records_of_a_trial_that_is_not_listed_are_told(study):
    listed = read_object(study / "trials.json")
    write_object(study / "trials.json", {**listed, "trials": listed["trials"][1:]})
    with pytest.raises(StorageError, match=r"trials\.json lacks trial 0 of the records"):
        Folder.read(study)


def test_a_damaged_table_is_told_for_a_study_and_for_a_ticket(study):
    (study / "records.parquet").write_text("oh no")
    for read in (Folder.read, lambda path: find_network(Place(study=path))):
        with pytest.raises(StorageError, match=r"records\.parquet is damaged: ") as error:
            read(study)
        assert "\n" not in str(error.value)


def test_a_damaged_table_of_layers_is_told(study, capsys):
    (study / "layers.parquet").write_text("oh no")
    assert main(["export", "--csv", str(study)]) == 74
    assert "layers.parquet is damaged: " in capsys.readouterr().err


@pytest.mark.parametrize("space", [{"low": 0, "high": 1}, {"kind": "float", "choices": []}])
def test_a_space_of_no_distributions_is_told(study, capsys, space):
    change(study / "study.json", space={"train.lr": space})
    assert main(["export", "--optuna", str(study)]) == 74
    assert "study.json: space must be of distributions, got {" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["dataset", "objective"])
def test_a_sheet_without_what_an_export_names_is_told(study, capsys, name):
    change(study / "study.json", **{name: {}})
    assert main(["export", "--optuna", str(study)]) == 74
    assert f"study.json lacks {name}.name" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["lottery", "dataset"])
def test_a_sheet_without_what_a_ticket_needs_is_told(study, name):
    sheet = read_object(study / "study.json")
    write_object(study / "study.json", {n: v for n, v in sheet.items() if n != name})
    with pytest.raises(StorageError, match=rf"study\.json lacks {name}"):
        find_network(Place(study=study))
