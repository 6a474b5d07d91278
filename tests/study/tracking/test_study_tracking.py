"""A tracker never hurts: a study ends as it would without one, and says what is missing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from answering import answering, free_port, silent
from digits_place import StudyPlace
from one_process import one_process
from tracked import spoil

from lttune.__main__ import main
from lttune.study.conductor import Conductor
from lttune.study.tracking.sender import Sender

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SMALL = ("--phases", "anchor", "--replicates", "1", "--controls", "reinit")


def run(place: StudyPlace) -> StudyPlace:
    with one_process():
        return place.run(*SMALL)


def lines(place: StudyPlace, word: str) -> list[str]:
    return [line for line in place.printed.splitlines() if word in line]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def fill(path: Path) -> None:
    path.write_bytes(b"\xff\xfe no pages " * 4000)


@pytest.mark.parametrize("breaks", [spoil, fill, Path.mkdir])
def test_a_database_that_was_damaged_before_costs_a_line(breaks, tmp_path):
    place = StudyPlace(tmp_path)
    breaks(tmp_path / "mlflow.db")
    run(place)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert "Traceback" not in place.printed
    (line,) = lines(place, "not in MLflow: ")
    assert f"`lttune sync {place.folder} --tracking-uri {place.uri}` sends what is missing" in line


@pytest.mark.parametrize("breaks", [truncate, fill, Path.unlink])
def test_a_database_that_is_damaged_meanwhile_ends_no_study(breaks, tmp_path, monkeypatch):
    place, level = StudyPlace(tmp_path), Conductor.level

    def damaging(self: Conductor, trial: Any, report: Any) -> None:
        level(self, trial, report)
        if report["level"] == 0:
            breaks(tmp_path / "mlflow.db")

    monkeypatch.setattr(Conductor, "level", damaging)
    run(place)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    assert "Traceback" not in place.printed


def test_no_exception_of_the_store_ends_a_study(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    (tmp_path / "mlflow.db").touch()
    monkeypatch.setattr(Sender, "_connect", fail)
    monkeypatch.setattr("lttune.study.tracking.database.sqlite3.connect", fail)
    place = run(StudyPlace(tmp_path))
    assert (place.exit_code, place.states()) == (0, ["complete"])
    (line,) = lines(place, "not in MLflow: ")
    assert "invalid start byte" in line


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_server_that_is_away_costs_seconds_and_two_lines(kind, tmp_path):
    place = run(StudyPlace(tmp_path))
    clock = time.monotonic()
    run(place)  # Trains nothing: what is left is the tracker's time, most of all.
    without_s = time.monotonic() - clock
    with silent() as silent_port:
        port = silent_port if kind == "silent" else free_port()
        place.elsewhere = f"http://s3cr3t@127.0.0.1:{port}"
        clock = time.monotonic()
        run(place)
        with_s = time.monotonic() - clock
    assert with_s < without_s + (4.6 if kind == "silent" else 1.6)
    assert (place.exit_code, place.states()) == (0, ["complete"])
    first = place.printed.splitlines()[0]
    assert first.startswith(f"MLflow cannot be used at http://***@127.0.0.1:{port} (the server ")
    assert f"`lttune sync {place.folder} --tracking-uri 'http://***@127.0.0.1:{port}'`" in first
    assert len(lines(place, "not in MLflow: ")) == 1
    assert "s3cr3t" not in place.printed


def test_a_server_that_answers_is_not_mentioned_at_the_start(tmp_path):
    with answering(200) as port:
        place = run(StudyPlace(tmp_path, elsewhere=f"http://127.0.0.1:{port}"))
    assert lines(place, "does not answer") == []
    (line,) = lines(place, "not in MLflow: ")
    assert "is no MLflow server" in line


def test_a_study_whose_server_stayed_away_is_filled_in_later(tmp_path):
    place = run(StudyPlace(tmp_path, elsewhere=f"http://127.0.0.1:{free_port()}"))
    assert place.exit_code == 0
    assert "not in MLflow: " in place.printed
    assert place.client().get_experiment_by_name("digits") is None
    assert main(["sync", str(place.folder), "--tracking-uri", place.uri]) == 0
    assert place.statuses() == {None: "FINISHED", 0: "FINISHED"}
    assert [step for step, _ in place.series(place.runs()[0], "density")] == [0, 1, 2]
