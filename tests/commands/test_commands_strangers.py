"""Every command on a study whose files hold something else: one line and a code, never more."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study
from sample_study import search_trials, trial, write_study

from lttune.__main__ import main
from lttune.records import schema

COMMANDS = {
    "ticket": "export S --level 1 --out O.safetensors",
    "csv": "export S --csv --out O",
    "optuna": "export S --optuna --out O",
    "deepcave": "export S --deepcave --out O",
    "masks": "masks S:0/0/1 S:0/0/2",
    "transfer": "transfer S --levels 7",
    "report": "report S",
    "importance": "importance S",
    "check": "claims check S",
    "power": "claims power S",
    "sync": "sync S",
}

STOPPED = ("transfer", "importance")
"""What ends at another mistake on a sound study: it has no level 7, and no design."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("strangers") / "results"
    folder = stored_study.make(out, trials=({}, {"train.lr": 0.003}))
    schema.write(folder / "layers.parquet", [], schema.LAYERS)
    listing = json.loads((folder / "trials.json").read_text())
    trials = [one | {"objective": 0.5, "values": [0.5]} for one in listing["trials"]]
    (folder / "trials.json").write_text(json.dumps({"planned": {"anchor": 2}, "trials": trials}))
    return folder


@pytest.fixture
def study(made, tmp_path):
    shutil.copytree(made.parent, tmp_path / "results")
    return tmp_path / "results" / made.name


@pytest.fixture
def refused(study, cwd, capsys):
    """Runs a command on the study; returns the only line that it printed, and where."""

    def run(command: str) -> str:
        words = COMMANDS[command].replace("S", str(study)).replace("O", str(cwd / "out")).split()
        assert main(words) == 74
        printed = capsys.readouterr()
        assert printed.err.startswith("lttune: error: ")
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert list(cwd.iterdir()) == []
        assert not (study / "report.html").exists()
        return printed.err.removeprefix("lttune: error: ").rstrip()

    return run


def rewritten(path: Path, change: Callable[[dict], dict], name: str, kind: pa.DataType) -> None:
    """Writes a table whose column has another type or other values."""
    rows = [change(row) for row in schema.read(path)]
    table = pa.Table.from_pylist([{n: v for n, v in row.items() if n != name} for row in rows])
    column = pa.array([row[name] for row in rows], kind)
    pq.write_table(table.append_column(name, column), path)


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {*STOPPED, "sync"}))
def test_the_study_itself_is_no_reason(study, cwd, command):
    words = COMMANDS[command].replace("S", str(study)).replace("O", str(cwd / "out")).split()
    assert main(words) == 0


@pytest.mark.parametrize("data", [b"", b"PAR1", b"oh no", b"PAR1" + bytes(100) + b"PAR1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_table_of_records(study, refused, command, data):
    (study / "records.parquet").write_bytes(data)
    assert refused(command).startswith(str(study / "records.parquet"))


@pytest.mark.parametrize("data", [b"", b"oh no", b"PAR1" + bytes(100) + b"PAR1"])
@pytest.mark.parametrize("command", ["csv", "report", "importance", "check", "power"])
def test_a_damaged_table_of_layers(study, refused, command, data):
    (study / "layers.parquet").write_bytes(data)
    assert refused(command).startswith(str(study / "layers.parquet"))


@pytest.mark.parametrize("name", ["study.json", "trials.json"])
@pytest.mark.parametrize("text", ["", "[]", "3", '"x"', "null", "{", '{"trials": 3}'])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_json_file_of_something_else(study, refused, command, name, text):
    (study / name).write_text(text)
    assert name in refused(command)


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("level", pa.string(), "1"),
        ("trial", pa.float64(), 0.5),
        ("replicate", pa.string(), "0"),
        ("branch", pa.int64(), 3),
        ("level", pa.int64(), None),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_column_of_another_type(study, refused, command, name, kind, value):
    rewritten(study / "records.parquet", lambda row: {**row, name: value}, name, kind)
    told = refused(command)
    assert told.startswith(f"{study / 'records.parquet'}: {name} must be ")
    assert told.endswith(f"got {value!r}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_column_of_lists_whose_length_nobody_knows(study, refused, command):
    lists = pa.list_(pa.int64())
    rewritten(study / "records.parquet", lambda row: {**row, "trial": [0]}, "trial", lists)
    told = f"{study / 'records.parquet'} is damaged: trial.list.element must be a column of one "
    assert refused(command).startswith(told)


@pytest.mark.parametrize(
    ("name", "kind", "value", "commands"),
    [
        ("seed", pa.string(), "x", ("ticket", "masks", "transfer", "report", "check")),
        ("cell", pa.int64(), 3, ("ticket", "masks", "transfer", "report")),
        ("numerics", pa.int64(), 3, ("ticket", "report")),
        ("end_test_accuracy", pa.string(), "x", ("ticket", "report", "check", "power")),
        ("test_accuracy", pa.string(), "x", ("optuna", "deepcave", "report", "power")),
        ("density", pa.string(), "x", ("optuna", "deepcave", "report", "importance")),
        ("diverged", pa.int64(), 1, ("deepcave", "report", "importance")),
        ("val_accuracy", pa.float64(), None, ("ticket", "optuna", "deepcave")),
    ],
)
def test_a_measure_of_another_type(study, refused, name, kind, value, commands):
    rewritten(study / "records.parquet", lambda row: {**row, name: value}, name, kind)
    for command in commands:
        assert refused(command).startswith(f"{study / 'records.parquet'}: {name} must be ")


@pytest.mark.parametrize("command", ["ticket", "masks", "transfer", "report", "check"])
def test_a_network_that_is_listed_twice(study, refused, command):
    rows = schema.read(study / "records.parquet")
    pq.write_table(pa.Table.from_pylist([*rows, *rows]), study / "records.parquet")
    of_one = command in ("ticket", "masks", "transfer")
    each = " must have each of its rows once, got 2 of trial 0, "
    told = " lists a network twice: " if of_one else each
    assert f"records.parquet{told}" in refused(command)


@pytest.mark.parametrize("name", ["../../evil", "/nowhere/evil", "a/b", "..", "", "x" * 300])
@pytest.mark.parametrize("command", ["csv", "optuna", "deepcave"])
def test_a_name_that_is_a_path_names_no_file(study, refused, command, name):
    sheet = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(sheet | {"name": name}))
    before = sorted(study.parent.parent.rglob("*"))
    assert "study.json" in refused(command)
    assert sorted(study.parent.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "change",
    [
        {"directions": ["up"]},
        {"directions": ["maximize", "minimize"]},
        {"directions": ["maximize", "minimize"], "texts": ["a", "b"]},
    ],
)
def test_an_objective_that_optuna_cannot_have(study, refused, change):
    sheet = json.loads((study / "study.json").read_text())
    sheet["objective"] |= change
    (study / "study.json").write_text(json.dumps(sheet))
    refused("optuna")


@pytest.mark.parametrize("name", ["a%41.db", "a?b.db", "a%2Fb.db", "é #1.db"])
def test_a_database_goes_where_it_was_asked_for(study, cwd, name):
    assert main(["export", str(study), "--optuna", "--out", name]) == 0
    assert [path.name for path in cwd.iterdir()] == [name]
    assert (cwd / name).read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pa.table({"trial": ["0"]}), ": trial must be a whole number, got '0'"),
        (pa.table({"trial": pa.array([None], pa.int64())}), ": trial must be a whole number, got "),
        (pa.table({"level": [1]}), " lacks trial"),
    ],
)
def test_a_table_of_layers_of_other_columns(study, refused, table, told):
    pq.write_table(table, study / "layers.parquet")
    assert refused("csv").startswith(f"{study / 'layers.parquet'}{told}")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measure_that_deepcave_cannot_have(study, refused, value):
    rewritten(
        study / "records.parquet",
        lambda row: {**row, "val_accuracy": value},
        "val_accuracy",
        pa.float64(),
    )
    told = f"{study / 'records.parquet'}: val_accuracy must be in [0, 1], got {value}"
    assert refused("deepcave") == told


@pytest.mark.parametrize(
    ("name", "value", "kind", "rule"),
    [
        ("density", 0.0, pa.float64(), "in (0, 1], got 0.0"),
        ("density", 1.5, pa.float64(), "in (0, 1], got 1.5"),
        ("prunable", 0, pa.int64(), "at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("command", ["check", "report"])
def test_a_number_of_which_no_share_or_logarithm_can_be_taken(
    study, refused, command, name, value, kind, rule
):
    rewritten(study / "records.parquet", lambda row: {**row, name: value}, name, kind)
    assert refused(command) == f"{study / 'records.parquet'}: {name} must be {rule}"


def test_a_hyperparameter_of_several_values_is_one_cell(study, cwd):
    sheet = json.loads((study / "trials.json").read_text())
    sheet["trials"][0]["hparams"] = {"prune.fractions": {"fc1": 0.2}, "x": [1, {"a": 2}]}
    (study / "trials.json").write_text(json.dumps({"trials": sheet["trials"]}))
    for form in ("csv", "optuna", "deepcave"):
        assert main(["export", str(study), f"--{form}", "--out", str(cwd / form)]) in (0, 2)
    assert '"{""fc1"": 0.2}"' in (cwd / "csv" / "trials.csv").read_text()


# What a spreadsheet would compute.


def formulas(folder: Path) -> list[str]:
    """Returns the cells of all CSV files of a folder that begin as a formula and are no number."""
    found = []
    for path in folder.rglob("*.csv"):
        with path.open(newline="") as file:
            found += [cell for row in csv.reader(file) for cell in row]

    def is_number(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return False
        return True

    return [one for one in found if one.startswith(tuple("=+-@\t\r")) and not is_number(one)]


def test_no_cell_of_an_export_is_a_formula(study, cwd):
    sheet = json.loads((study / "trials.json").read_text())
    sheet["trials"][0]["label"] = "=1+1"
    sheet["trials"][0]["hparams"]["@x"] = "-1+1"
    sheet["trials"][1]["error"] = "+1+1"
    (study / "trials.json").write_text(json.dumps({"trials": sheet["trials"]}))
    assert main(["export", str(study), "--csv", "--out", str(cwd / "csv")]) == 0
    text = (cwd / "csv" / "trials.csv").read_text()
    assert all(shown in text for shown in ("'=1+1", "'@x", "'-1+1", "'+1+1"))
    assert formulas(cwd) == []


def test_no_cell_of_a_report_or_of_verdicts_is_a_formula(tmp_path):
    trials = [trial(number, label="=1+1") for number in range(3)]
    trials += [one | {"label": "@1"} for one in search_trials(6)]
    folder = write_study(tmp_path / "sample", trials=trials)
    assert main(["report", str(folder)]) == 0
    assert "'@1" in "".join(path.read_text() for path in folder.rglob("*.csv"))
    assert main(["claims", "check", str(folder), "--out", str(folder / "verdicts.csv")]) == 0
    assert formulas(folder) == []
