"""A tracker never hurts: a study ends as it would without one, and says what is missing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from answering import Door, answering, free_port, silent
from digits_place import Place
from one_process import one_process
from tracked import spoil

from lttune.__main__ import main
from lttune.study.conductor import Conductor
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SMALL = ("--phases", "anchor", "--replicates", "1", "--controls", "reinit")


def run(place: Place, *flags: str) -> Place:
    with one_process():
        return place.run(*SMALL, *flags)


def lines(place: Place, word: str) -> list[str]:
    return [line for line in place.printed.splitlines() if word in line]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def fill(path: Path) -> None:
    for name in (path, Path(f"{path}-wal")):
        name.write_bytes(b"\xff\xfe no pages " * 4000)


@pytest.mark.parametrize("breaks", [spoil, fill, Path.mkdir])
def test_a_database_that_was_damaged_before_costs_a_line(breaks, tmp_path):
    place = Place(tmp_path)
    breaks(tmp_path / "mlflow.db")
    run(place)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert "Traceback" not in place.printed
    (line,) = lines(place, "not in MLflow: ")
    assert f"`lttune sync {place.folder} --tracking-uri {place.uri}` sends what is missing" in line


@pytest.mark.parametrize("breaks", [truncate, fill, Path.unlink])
def test_a_database_that_is_damaged_meanwhile_ends_no_study(breaks, tmp_path, monkeypatch):
    place, level = Place(tmp_path), Conductor.level

    def damaging(self: Conductor, trial: Any, report: Any) -> None:
        level(self, trial, report)
        if report["level"] == 0:
            breaks(tmp_path / "mlflow.db")

    monkeypatch.setattr(Conductor, "level", damaging)
    run(place)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert "Traceback" not in place.printed


def test_no_exception_of_the_store_ends_a_study(tmp_path, monkeypatch):
    """A hundred kinds of damage stand behind these: whatever a library may raise."""
    def fail(self: Tracker, *_: object) -> None:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setattr(Tracker, "_connect", fail)
    monkeypatch.setattr("lttune.study.tracking.database.sqlite3.connect", fail)
    place = run(Place(tmp_path))
    assert (place.exit_code, place.states()) == (0, ["complete"])
    (line,) = lines(place, "not in MLflow: ")
    assert "invalid start byte" in line


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_server_that_is_away_costs_seconds_and_two_lines(kind, tmp_path):
    there = run(Place(tmp_path / "with"))
    clock = time.monotonic()
    run(there)  # Again, which trains nothing: what is left is mostly the tracker's time.
    without_s = time.monotonic() - clock
    there.address = None
    with silent() as port:
        port = port if kind == "silent" else free_port()
        flags = ["--tracking-uri", f"http://s3cr3t@127.0.0.1:{port}"]
        clock = time.monotonic()
        run(there, *flags)
        with_s = time.monotonic() - clock
    assert with_s < without_s + (4.3 if kind == "silent" else 1.3)
    assert (there.exit_code, there.states()) == (0, ["complete"])
    first, last = lines(there, "127.0.0.1")[0], lines(there, "not in MLflow: ")
    assert there.printed.startswith(first)
    assert first.startswith(f"MLflow does not answer at http://***@127.0.0.1:{port} (the server ")
    assert f"`lttune sync {there.folder} --tracking-uri 'http://***@127.0.0.1:{port}'`" in first
    assert len(last) == 1
    assert "s3cr3t" not in there.printed


def test_a_server_that_answers_is_not_mentioned(tmp_path):
    with answering(200) as port:
        place = run(Place(tmp_path), "--tracking-uri", f"http://127.0.0.1:{port}")
    assert lines(place, "does not answer") == []
    assert "is no MLflow server" in lines(place, "not in MLflow: ")[0]


def test_a_study_whose_server_goes_and_stays_away_is_filled_in_later(tmp_path, capsys):
    with answering(503) as port:
        door = Door(port)
        door.shut()
        place = run(Place(tmp_path), "--tracking-uri", door.uri)
    assert place.exit_code == 0
    assert "not in MLflow: " in place.printed
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert main(["sync", str(place.folder), "--tracking-uri", uri]) == 0
    assert place.statuses() == {None: "FINISHED", 0: "FINISHED"}
    assert [step for step, _ in place.series(place.runs()[0], "density")] == [0, 1, 2]
