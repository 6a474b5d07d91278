"""A database of MLflow's that lies in a study's folder has no files written to other places."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tracked import start

from lttune.study.tracking.tracker import Tracker

pytestmark = pytest.mark.slow


@pytest.fixture
def mine(tmp_path):
    """A file of one's own, and a database whose run would have it overwritten."""
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", "digits", is_own_database=True)
    # No file yet: MLflow notes in the process where those of a run go.
    tracker.start(description="Which?", params={}, tags={}, files=[], dataset=None)
    tracker.finish("FINISHED")
    assert tracker.close(60) == ""
    mine = tmp_path / "mine" / "tiny_study.py"
    mine.parent.mkdir()
    mine.write_text("mine")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE runs SET artifact_uri = ?", [mine.parent.as_uri()])
        database.commit()
    return mine


@pytest.mark.parametrize("is_own", [True, False])
def test_a_run_whose_files_would_go_elsewhere_gets_none(is_own, mine, tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracker = Tracker(uri, "digits", is_own_database=is_own)
    start(tracker, tmp_path)
    tracker.finish("FINISHED")
    said = tracker.close(60)
    # Whoever names a database says by that where the files of its runs go.
    assert mine.read_text() == ("mine" if is_own else "pass\n")
    told = f"MLflow refused 1 entries: move {tmp_path}/mlflow.db away: as of one that was copied"
    assert said.startswith(told) == is_own
    assert (said == "") != is_own
    assert "\n" not in said


@pytest.mark.parametrize("place", ["mine", "mlruns/../mine", "mlruns-2"])
def test_an_experiment_whose_files_would_go_elsewhere_gets_nothing(place, mine, tmp_path):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        uri = f"file://{tmp_path}/{place}"
        database.execute("UPDATE experiments SET artifact_location = ?", [uri])
        database.commit()
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", "digits", "another", is_own_database=True)
    start(tracker, tmp_path)
    said = tracker.close(60)
    assert said.startswith("3 of 3 entries are missing in MLflow at ")
    assert f"move {tmp_path}/mlflow.db away" in said
    assert mine.read_text() == "mine"
