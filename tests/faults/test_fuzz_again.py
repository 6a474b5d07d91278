"""A study in which anything was changed, run again, mended, sent, watched: a line or it works."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import digits_study
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from changed_values import (
    JSON,
    SETTINGS,
    changed_table,
    changed_values,
    write_sealed_table,
)
from control_sequences import SEQUENCE, WRITTEN_OUT, control_characters
from digits_place import lasting
from hypothesis import given
from hypothesis import strategies as st
from one_process import one_process
from untracked import untracked

from analysis.commands import importance
from lttune.commands import doctor, sync, watch
from lttune.config.command_line import exit_code_after
from lttune.errors import ConfigError, LttuneError, StorageError
from lttune.records import schema
from lttune.store.sealed import read_object, write_object
from lttune.study.conductor import Conductor, run_study

CODES = {kind.exit_code for kind in (ConfigError, StorageError, *LttuneError.__subclasses__())}
URI = "sqlite:///nowhere.db"


def again(study: Path) -> int:
    """Runs what is missing of the study; of one that lacks something, trains nothing."""
    config = dataclasses.replace(
        digits_study.SMOKE,
        out=study.parent,
        trials=1,
        replicates=1,
        controls=("random",),
        max_concurrent=1,
        tracking_uri=URI,
    )
    return run_study(config, digits_study.STUDY, digits_study.report).exit_code


COMMANDS: dict[str, Callable[[Path], int]] = {
    "again": again,
    "sync": lambda s: sync.main(sync.Flags(study=s, tracking_uri=URI)),
    "importance": lambda s: importance.main(importance.Flags(study=s)),
    "watch": lambda s: watch.main(watch.Flags(study=s)),
    "doctor": lambda s: doctor.main(doctor.Flags(what=s, tracking_uri=URI)),
    "repair": lambda s: doctor.main(doctor.Flags(what=s, repair=True, tracking_uri=URI)),
}


PARTS = ("records.parquet", "layers.parquet")
OTHERS = sorted(COMMANDS.keys() - {"again", "repair"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Iterator[Path]:
    """A finished study; what runs it again afterwards comes no further than to its training."""
    study = tmp_path_factory.mktemp("whole") / "out" / "digits"
    with untracked(), one_process(), contextlib.redirect_stdout(io.StringIO()):
        assert again(study) == 0
        shutil.copytree(study, study.parent.parent / "kept")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Conductor, "_run_trials", lambda self: None)
            yield study


def restored(study: Path) -> Path:
    """Returns the study as it was, beside its store."""
    shutil.rmtree(study)
    shutil.copytree(study.parent.parent / "kept", study)
    return study


def told(command: str, study: Path) -> tuple[int, str]:
    """Runs a command; returns its exit code and what it says, after a look at both."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code_after(lambda: COMMANDS[command](study), [])
    assert control_characters(out.getvalue() + err.getvalue()) == set()
    lines = err.getvalue().splitlines()
    assert all(line.startswith("lttune: error: ") and len(line) < 2_500 for line in lines)
    assert len(lines) <= 1 or code == ConfigError.exit_code
    if not lines:
        # Not complete; of the doctor, whose lines are its result, those of the faults.
        found = "FAULT " in out.getvalue()
        assert code == 0 or (command in ("again", "watch") and code == 1) or found
    else:
        assert code in CODES
    return code, out.getvalue() + err.getvalue()


def test_all_commands_work_on_the_study_itself(whole):
    for command in COMMANDS:
        code, text = told(command, restored(whole))
        assert code == (ConfigError.exit_code if command == "importance" else 0), text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_text_of_a_study_moves_a_cursor(whole, command):
    study = restored(whole)
    texts = dict.fromkeys(("name", "question", "scale", "command"), SEQUENCE)
    write_object(study / "study.json", {**read_object(study / "study.json"), **texts})
    values = read_object(study / "trials.json")
    for trial in values["trials"]:
        trial |= {"label": SEQUENCE, "error": SEQUENCE}
    write_object(study / "trials.json", values)
    _, text = told(command, study)
    assert WRITTEN_OUT in text or command not in ("sync", "watch")


def tried(data: Any, study: Path) -> None:
    """Runs a command on a changed study, and what writes it anew, each on a copy of its own."""
    changed = study.parent.parent / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(study, changed)
    for command in ("again", "repair", data.draw(st.sampled_from(OTHERS))):
        shutil.rmtree(study)
        shutil.copytree(changed, study)
        told(command, study)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ["study.json", "trials.json"])
@SETTINGS
@given(data=st.data())
def test_values(name, data, whole):
    study = restored(whole)
    write_object(study / name, data.draw(changed_values(read_object(study / name))))
    tried(data, study)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", PARTS)
@SETTINGS
@given(data=st.data())
def test_columns(name, data, whole):
    study = restored(whole)
    write_sealed_table(study / name, data.draw(changed_table(pq.read_table(study / name))))
    tried(data, study)


@pytest.mark.slow
@pytest.mark.timeout(0)
@SETTINGS
@given(data=st.data())
def test_hyperparameters_of_any_kind(data, whole):
    study = restored(whole)
    values = read_object(study / "trials.json")
    name = st.sampled_from(["train.lr", "prune.fractions", "prune.fractions.fc1", "x", ""])
    for trial in values["trials"]:
        trial["hparams"] = data.draw(st.dictionaries(name, JSON, max_size=2))
    write_object(study / "trials.json", values)
    tried(data, study)


def code_of_strangers(values: dict[str, Any]) -> None:
    values["code"] = {"a": 1}


def no_values(values: dict[str, Any]) -> None:
    values["trials"][1]["values"] = []


def text_as_rate(values: dict[str, Any]) -> None:
    values["trials"][1]["hparams"]["train.lr"] = "x"


def too_many_values(values: dict[str, Any]) -> None:
    values["trials"][1]["values"] = [0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("study.json", code_of_strangers, "study.json lacks code.version, code.commit, code.dirty"),
        ("trials.json", no_values, "trials[1].values must be a list of numbers or null, got []"),
        ("trials.json", too_many_values, "trials[1].values must be accuracy_auc, got [0.5, 0.5]"),
        ("trials.json", text_as_rate, "trials[1]: train.lr must be a finite number > 0, got 'x'"),
    ],
)
def test_what_a_run_would_stumble_over_is_told_before_it_begins(whole, name, change, line):
    study = restored(whole)
    values = read_object(study / name)
    change(values)
    write_object(study / name, values)
    before = {path: path.read_bytes() for path in study.iterdir() if path.suffix}
    code, text = told("again", study)
    assert (code, text.count("\n")) == (StorageError.exit_code, 1)
    assert line in text
    assert {path: path.read_bytes() for path in study.iterdir() if path.suffix} == before


def all_of(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """Returns what gives a column one value."""

    def change(table: pa.Table) -> pa.Table:
        others = table.drop_columns([name] if name in table.column_names else [])
        return others.append_column(name, pa.array([value] * table.num_rows))

    return change


TABLES = {
    "without a column": ("records", lambda table: table.drop_columns(["test_accuracy"])),
    "levels as texts": ("records", all_of("level", "0")),
    "replicates as texts": ("records", all_of("replicate", "a")),
    "branches as numbers": ("records", all_of("branch", 1)),
    "a density of 0": ("records", all_of("density", 0.0)),
    "a setting as text": ("records", all_of("target.lr", "x")),
    "a column of dates": ("records", all_of("mine", datetime(2026, 1, 1))),
    "rows twice": ("records", lambda table: pa.concat_tables([table, table])),
    "levels of layers as texts": ("layers", all_of("level", "0")),
    "layers without a name": ("layers", all_of("layer", None)),
}


@pytest.mark.parametrize("how", TABLES)
@pytest.mark.parametrize("command", ["repair", "doctor", "again"])
def test_a_table_of_other_columns_is_made_anew(whole, command, how):
    study = restored(whole)
    kept = {name: lasting(schema.read(study / name)) for name in PARTS}
    name, change = TABLES[how]
    path = study / f"{name}.parquet"
    write_sealed_table(path, change(pq.read_table(path)))
    code, text = told(command, study)
    if command == "again":
        # Its training, which takes all from the store, is left out here.
        assert f"{name}.parquet was damaged: it is made anew" in " ".join(text.split())
    elif command == "doctor":
        assert code == StorageError.exit_code
        assert f"FAULT   {name}.parquet: " in text
    else:
        assert code == 0, text
        assert {one: lasting(schema.read(study / one)) for one in kept} == kept
        assert path.with_name(f"{path.name}.damaged").exists()
