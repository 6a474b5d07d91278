"""A study is the same on one worker and on two."""

from __future__ import annotations

import tempfile
import time
import uuid
from pathlib import Path

import pytest
from digits_place import StudyPlace, lasting
from one_process import one_process

from lttune.records.schema import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FLAGS = ("--phases", "anchor", "search", "random", "confirm", "--trials", "6", "--replicates", "1")
KEPT = ("number", "phase", "label", "hparams", "replicates", "state", "values", "role", "error")


def test_two_workers_say_what_one_does(tmp_path, cwd, ray_address, monkeypatch):
    canary, began = uuid.uuid4().hex, time.time()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    with one_process():
        one = StudyPlace(tmp_path / "one").run(*FLAGS, "--max-concurrent", "1")
    two = StudyPlace(tmp_path / "two", ray_address).run(*FLAGS, "--max-concurrent", "2")
    assert (one.exit_code, two.exit_code) == (0, 0), (one.printed, two.printed)
    trials = [[{name: trial[name] for name in KEPT} for trial in p.trials()] for p in (one, two)]
    assert trials[0] == trials[1]
    assert lasting(one.rows()) == lasting(two.rows())
    assert one.cells().keys() == two.cells().keys()
    layers = [read(place.folder / "layers.parquet") for place in (one, two)]
    assert layers[0] == layers[1]
    # Nor does either tell Ray's logs, which every user may read, the secrets of who began it.
    logs = Path(tempfile.gettempdir(), "ray").glob("session_*/logs/*.*")
    mine = [log for log in logs if log.is_file() and log.stat().st_mtime >= began]
    assert len(mine) > 3
    assert [log.name for log in mine if canary.encode() in log.read_bytes()] == []
