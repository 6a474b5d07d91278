"""Every command on a study in which anything was changed: it works, or it is a line and a code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study
from changed_values import JSON, SETTINGS, changed_table, changed_values
from control_sequences import control_characters
from hypothesis import given
from hypothesis import strategies as st
from sample_study import anchor_rows, search_trials, trial, write_study

from analysis.commands import claims, report
from lttune.commands import export, masks, transfer
from lttune.config.command_line import exit_code_after
from lttune.errors import ConfigError, LttuneError, StorageError
from lttune.records import schema
from lttune.store.plain_json import read_json

CODES = {
    0,
    *(kind.exit_code for kind in (ConfigError, StorageError, *LttuneError.__subclasses__())),
}

TRAINED: dict[str, Callable[[Path, Path], int]] = {
    "csv": lambda s, o: export.main(export.Flags(study=s, csv=True, out=o / "csv")),
    "deepcave": lambda s, o: export.main(export.Flags(study=s, deepcave=True, out=o / "runs")),
    "optuna": lambda s, o: export.main(export.Flags(study=s, optuna=True, out=o / "x.db")),
    "ticket": lambda s, o: export.main(
        export.Flags(study=s, level=1, weights="start", out=o / "x.safetensors")
    ),
    "masks": lambda s, o: masks.main(masks.Flags(tickets=(f"{s}:0/0/1", f"{s}:1/0/2"))),
    "transfer": lambda s, o: transfer.main(
        transfer.Flags(study=s, levels=(7,), out=o / "x.parquet")
    ),
}
READ: dict[str, Callable[[Path, Path], int]] = {
    "report": lambda s, o: report.main(report.Flags(study=s)),
    "check": lambda s, o: claims.main(claims.Flags(action="check", studies=(s,), out=o / "x.csv")),
    "power": lambda s, o: claims.main(claims.Flags(action="power", studies=(s,))),
}

WRITTEN_INTO_A_STUDY = ("report.html", "answer.txt", "report.json", "figures", "importance.json")


def layer(number: int, level: int, name: str) -> dict[str, Any]:
    values = {pa.string(): "fc", pa.int64(): 12, pa.float64(): 0.1}
    row = {column: values[kind] for column, (kind, _) in schema.LAYERS.items()}
    whose = {"study": "digits", "phase": "anchor", "trial": number, "replicate": 0}
    return {**row, **whose, "level": level, "layer": name}


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A study whose networks are in a store."""
    out = tmp_path_factory.mktemp("trained") / "results"
    study = stored_study.make(out, trials=({}, {"train.lr": 0.003}))
    rows = [layer(n, level, name) for n in (0, 1) for level in range(3) for name in ("fc1", "out")]
    schema.write(study / "layers.parquet", rows, schema.LAYERS)
    values = read_json(study / "trials.json")
    trials = [one | {"objective": 0.5, "values": [0.5]} for one in values["trials"]]
    (study / "trials.json").write_text(json.dumps({"planned": {"anchor": 2}, "trials": trials}))
    return study


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """A study of which only the tables are there."""
    trials = [*(trial(number) for number in range(3)), *search_trials(6)]
    return write_study(
        tmp_path_factory.mktemp("sample") / "results" / "sample", anchor_rows(), trials
    )


def tree(root: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in root.rglob("*")}


@contextlib.contextmanager
def nothing_else_written(study: Path, out: Path) -> Iterator[None]:
    """Asserts that files appear, change and go in a folder and as reports of the study alone."""
    out.mkdir()
    root = study.parent.parent
    before = tree(root)
    own = [study, out, *(study / name for name in WRITTEN_INTO_A_STUDY)]
    try:
        yield
        now = tree(root)
        places = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
        assert not {path for path in places - set(own) if not set(own[1:]) & set(path.parents)}
    finally:
        shutil.rmtree(out)
        for path in own[2:]:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def told(run: Callable[[], int]) -> int:
    """Runs a command; returns its exit code, after a look at what it says if it fails."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = exit_code_after(run, [])
    assert control_characters(out.getvalue() + err.getvalue()) == set()
    lines = err.getvalue().splitlines()
    assert code in CODES
    assert bool(lines) == bool(code)
    assert all(line.startswith("lttune: error: ") and len(line) < 2_500 for line in lines)
    assert len(lines) <= 1 or code == ConfigError.exit_code
    return code


def tried(data: Any, commands: dict[str, Callable[[Path, Path], int]], study: Path) -> None:
    run, out = data.draw(st.sampled_from(sorted(commands))), study.parent.parent / "out"
    with nothing_else_written(study, out):
        told(lambda: commands[run](study, out))


@contextlib.contextmanager
def another(path: Path) -> Iterator[Path]:
    """Yields a file of a study to be changed, which is as before afterwards."""
    whole = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(whole)


def test_all_commands_work_on_the_studies_themselves(trained, sample):
    for commands, study in ((TRAINED, trained), (READ, sample)):
        out = study.parent.parent / "out"
        for name, run in commands.items():
            with nothing_else_written(study, out):
                assert told(lambda run=run, study=study, out=out: run(study, out)) == (
                    ConfigError.exit_code if name == "transfer" else 0
                )


def fields_changed(data: Any, commands: dict[str, Any], study: Path, name: str) -> None:
    with another(study / name) as path:
        values = {n: v for n, v in read_json(path).items() if n not in ("schema", "seal")}
        path.write_text(json.dumps(data.draw(changed_values(values))))
        tried(data, commands, study)


def table_changed(data: Any, commands: dict[str, Any], study: Path, name: str) -> None:
    with another(study / name) as path:
        table = pq.read_table(path).replace_schema_metadata(None)
        pq.write_table(data.draw(changed_table(table)), path)
        tried(data, commands, study)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ["study.json", "trials.json"])
@SETTINGS
@given(data=st.data())
def test_values_of_a_trained_study(name, data, trained):
    fields_changed(data, TRAINED, trained, name)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ["records.parquet", "layers.parquet"])
@SETTINGS
@given(data=st.data())
def test_columns_of_a_trained_study(name, data, trained):
    table_changed(data, TRAINED, trained, name)


@pytest.mark.timeout(0)
@SETTINGS
@given(data=st.data())
def test_hyperparameters_of_any_kind(data, trained):
    with another(trained / "trials.json") as path:
        values = read_json(path)
        name = st.sampled_from(["train.lr", "prune.fractions", "x", ""])
        values["trials"][1]["hparams"] = data.draw(st.dictionaries(name, JSON, max_size=2))
        path.write_text(json.dumps(values))
        tried(data, TRAINED, trained)


@pytest.mark.slow
@pytest.mark.skipif("LTTUNE_ALL_FAULTS" not in os.environ, reason="takes minutes: make faults")
@pytest.mark.timeout(0)
class TestReported:
    """What makes a whole report each time."""

    @pytest.mark.parametrize("name", ["study.json", "trials.json"])
    @SETTINGS
    @given(data=st.data())
    def test_values(self, name, data, sample):
        fields_changed(data, READ, sample, name)

    @SETTINGS
    @given(data=st.data())
    def test_columns(self, data, sample):
        table_changed(data, READ, sample, "records.parquet")
