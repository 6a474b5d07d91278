"""Studies to be looked at, and a home and a data folder that hold nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import stored_study
from digits_place import StudyPlace
from one_process import one_process

from lttune.exchange.health.exposure import SECRET_FILES
from lttune.exchange.health.repair import repair
from lttune.records import schema
from lttune.records.tables import TABLES
from lttune.store.sealed import read_object, write_object

FLAGS = ("--max-concurrent", "1", "--trials", "1", "--replicates", "1", "--controls", "random")


@pytest.fixture(autouse=True)
def surroundings(cwd, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LTTUNE_DATA", str(tmp_path / "data"))
    for name, _ in SECRET_FILES.values():
        if name:
            monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder of results with a study whose files name it, as a driver's do."""
    out = tmp_path_factory.mktemp("made") / "results"
    folder = stored_study.make(out, trials=({}, {"train.lr": 0.003}))
    assert repair(folder) == (2, [])
    for name in ("study.json", "trials.json"):
        write_object(folder / name, {**read_object(folder / name), "study_id": "mine"})
    for name, columns in TABLES.items():
        schema.write(folder / name, schema.read(folder / name), columns, "mine")
    return out


@pytest.fixture
def study(made, tmp_path) -> Path:
    """The folder of a study of its own."""
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results" / "digits"


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> StudyPlace:
    """A study that was run, and can be again."""
    with one_process():
        place = StudyPlace(tmp_path_factory.mktemp("ran")).run(*FLAGS)
    assert place.exit_code == 0, place.printed
    return place


@pytest.fixture
def place(ran, tmp_path) -> StudyPlace:
    """A copy of it; its MLflow database is its own."""
    return ran.copy(tmp_path / "again")


@pytest.fixture
def again(place):
    """Runs the study again."""

    def run() -> None:
        with one_process():
            place.run(*FLAGS)
        assert place.exit_code == 0, place.printed

    return run
