"""Numbers beyond all bounds in the files of a study: one line and a code, wherever it is read."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import stored_study

from analysis.claims.file.reader import read as read_claims
from analysis.statistics.ratios import ratio_interval, ratio_of
from lttune.__main__ import main
from lttune.errors import ConfigError
from lttune.exchange.health.cluster import cluster_findings
from lttune.records import schema
from lttune.records.capacity import capacity
from lttune.store.plain_json import parse_json
from lttune.store.temporary import remove_abandoned, temporary_beside

HUGE = [
    "1" + 300 * "0",
    "-1" + 30 * "0",
    "9223372036854775808",
    "1" + 5000 * "0",
    "1e400",
    "-1e999",
]
"""Numbers that 64 bits cannot hold, as JSON has them."""
SHORT = [text[:20] for text in HUGE]
COMMANDS = {
    "optuna": "export S --optuna --out O",
    "deepcave": "export S --deepcave --out O",
    "csv": "export S --csv --out O",
    "report": "report S",
    "check": "claims check S",
    "sync": "sync S --tracking-uri sqlite:///mlflow.db",
    "doctor": "doctor S",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two trials of a search, in files of a version before there were seals."""
    folder = stored_study.make(
        tmp_path_factory.mktemp("numbers") / "results", trials=({}, {"train.lr": 0.003})
    )
    sheet = json.loads((folder / "study.json").read_text())
    # Of the rest of its space the base configuration has no value.
    sheet["space"] = {"train.lr": sheet["space"]["train.lr"]}
    (folder / "study.json").write_text(json.dumps(sheet))
    schema.write(folder / "layers.parquet", [], schema.LAYERS)
    change(folder, lambda trial: trial | {"phase": "search", "objective": 0.5, "values": [0.5]})
    return folder


@pytest.fixture
def study(made, tmp_path):
    shutil.copytree(made.parent, tmp_path / "results")
    return tmp_path / "results" / made.name


def change(folder: Path, changed: Any) -> None:
    trials = [changed(one) for one in json.loads((folder / "trials.json").read_text())["trials"]]
    values = {"planned": {"search": len(trials)}, "trials": trials}
    (folder / "trials.json").write_text(json.dumps(values))


@pytest.fixture
def ran(study, cwd, capsys):
    """Runs a command on the study; returns its code and what it printed."""

    def run(command: str) -> tuple[int, str]:
        out = str(cwd / f"out-{command}")
        words = COMMANDS[command].replace("S", str(study)).replace("O", out).split()
        code = main(words)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def refusal(result: tuple[int, str]) -> str:
    code, text = result
    assert (code, text.count("\n")) == (74, 1)
    assert len(text) < 500
    return text.removeprefix("lttune: error: ").rstrip()


@pytest.mark.parametrize("text", HUGE, ids=SHORT)
def test_a_number_that_64_bits_cannot_hold_is_no_json_of_ours(text):
    with pytest.raises(ValueError, match=r"it holds .{1,23}, a number that 64 bits cannot hold"):
        parse_json(b'{"a": [' + text.encode() + b"]}")


def test_all_others_are_read_as_they_are():
    values = [-(2**63), 2**63 - 1, 1.7976931348623157e308, -5e-324, 1e-400, 0.1 + 0.2]
    text = b"[-9223372036854775808, 9223372036854775807, 1.7976931348623157e308, -5e-324, 1e-400"
    assert parse_json(text + b", 0.30000000000000004]") == values


@pytest.mark.parametrize("text", HUGE[2:5], ids=SHORT[2:5])
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "doctor"])
@pytest.mark.parametrize("name", ["study.json", "trials.json"])
def test_a_huge_number_in_a_file_of_a_study(study, ran, command, name, text):
    path = study / name
    mark = '"lr": 0.01' if name == "study.json" else '"train.lr": 0.003'
    changed = path.read_text().replace(mark, mark.partition(" ")[0] + text)
    assert text in changed
    path.write_text(changed)
    told = refusal(ran(command))
    assert told.startswith(f"{path} is damaged: it holds ")


def test_a_doctor_tells_it_as_a_fault(study, ran):
    path = study / "trials.json"
    path.write_text(path.read_text().replace("0.003", "1e400"))
    code, text = ran("doctor")
    assert code == 74
    assert "it holds 1e400, a number that 64 bits cannot hold" in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seconds": 1e300}, "Python int too large to convert to C int"),
        ({"seconds": 1e13}, "date value out of range"),
        ({"replicates": [2**63 - 1], "seconds": -1e13}, "date value out of range"),
    ],
)
def test_a_duration_that_no_calendar_has(study, ran, changes, reason):
    change(study, lambda trial: trial | changes)
    told = refusal(ran("optuna"))
    assert told == f"{study} is no study that Optuna can have: {reason}"
    for command in ("deepcave", "csv", "report", "check"):
        assert ran(command)[0] == 0


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_a_time_that_no_calendar_has_elsewhere(study, ran, created):
    sheet = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(sheet | {"created": created}))
    told = refusal(ran("optuna"))
    assert told == f"{study} is no study that Optuna can have: date value out of range"


@pytest.mark.parametrize(
    "space", [{"low": 0.0, "high": 1e300, "step": 1e-300}, {"low": -1e308, "high": 1e308}]
)
def test_a_range_of_more_values_than_can_be_counted(study, ran, space):
    sheet = json.loads((study / "study.json").read_text())
    sheet["space"] = {"train.lr": {"kind": "float", "log": False, "step": None} | space}
    (study / "study.json").write_text(json.dumps(sheet))
    for command in ("optuna", "deepcave"):
        code, text = ran(command)
        assert code == 0 or "study.json: space must be of distributions, got {" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("val_accuracy", float("-inf"), "in [0, 1]"),
        ("test_accuracy", 1e308, "in [0, 1]"),
        ("end_train_accuracy", -0.5, "in [0, 1]"),
        ("barrier_test_error", 2.0, "in [-1, 1]"),
        ("density", float("nan"), "in (0, 1]"),
        ("density", 1e-300, "at least 1 of prunable (1580)"),
        ("prunable", 0, "at least 1"),
        ("surviving", -1, "at least 0"),
        ("level", 201, "in [0, 200]"),
        ("early_stop_step", 2**63 - 1, "in [0, 1e+09]"),
        ("steps_trained", -1, "in [0, 1e+09]"),
        ("val_loss", 1.7e308, "at most 1e+39 away from 0, or not finite"),
        ("train_time_s", float("inf"), "in [0, 1e+12]"),
    ],
)
def test_measures_out_of_their_range(study, ran, name, value, rule):
    rows = [row | {name: value} for row in schema.read(study / "records.parquet")]
    schema.write(study / "records.parquet", rows)
    for command in ("report", "check"):
        told = refusal(ran(command))
        assert told == f"{study / 'records.parquet'}: {name} must be {rule}, got {value!r}"


@pytest.mark.parametrize(
    "measures",
    [
        {"early_stop_step": 10**9, "steps_trained": 0, "seed": 2**63 - 1},
        {"val_loss": 1e39, "end_val_loss": -1e39, "test_loss": float("inf"), "train_time_s": 1e12},
    ],
)
def test_huge_measures(study, ran, measures):
    rows = schema.read(study / "records.parquet")
    change(study, lambda trial: trial | {"replicates": [0, 1]})
    twice = [row | measures | {"replicate": n} for row in rows for n in (0, 1)]
    schema.write(study / "records.parquet", twice)
    for command in ("optuna", "csv", "report", "check"):
        code, text = ran(command)
        assert (code, "Traceback" in text) == (0, False), text
    code, text = ran("deepcave")
    assert code == 0 or f"{study} is no study that DeepCAVE can have" in refusal((code, text))


def test_ratios_beyond_all_numbers_are_infinite():
    assert ratio_of(1000.0) == math.inf
    assert ratio_of(-1000.0) == 0.0
    found = ratio_interval([-40.0, 900.0])
    assert (found.low, found.high) == (0.0, math.inf)
    assert found.mean == pytest.approx(math.exp(430))


@pytest.mark.parametrize("text", ["1:" * 400 + "30.5", "x: " + "1:" * 400 + "30.5"])
def test_a_number_in_sixties_that_is_beyond_all_others_is_no_yaml(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="the claims file is no YAML"):
        read_claims(path)
    with pytest.raises(ConfigError, match="is no YAML: int too large to convert to float"):
        cluster_findings(path)


def test_a_number_that_no_process_has_names_nobody(tmp_path):
    mine = temporary_beside(tmp_path / "x")
    left = tmp_path / mine.name.replace(f"-{os.getpid()}-", f"-1{30 * '0'}-")
    for path in (mine, left):
        path.touch()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


def test_a_number_that_no_machine_has_limits_nothing(tmp_path):
    whole = capacity(tmp_path, {})
    for digits in (30, 5_000):
        environ = {"SLURM_CPUS_PER_TASK": digits * "9", "SLURM_MEM_PER_NODE": digits * "9"}
        assert capacity(tmp_path, environ) == whole
