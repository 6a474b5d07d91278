"""A finished study that is given again, and of which nothing has changed: nothing is loaded."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import digits_study
import pytest
from digits_place import StudyPlace
from one_process import one_process

from lttune.study import conductor
from lttune.study.called import run
from lttune.study.checks import unchanged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HEAVY = ("torch", "ray", "mlflow", "numba", "matplotlib", "sklearn")


def kept_report(folder: Path) -> Path:
    """Writes a report once, as one that is made of the same already."""
    page = folder / "report.html"
    return page if page.exists() else digits_study.report(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> StudyPlace:
    place = StudyPlace(tmp_path_factory.mktemp("finished"))
    with one_process():
        place.run(report=kept_report)
    assert place.exit_code == 0, place.printed
    return place


@pytest.fixture
def place(finished: StudyPlace, tmp_path: Path) -> Iterator[StudyPlace]:
    """Gives the finished study to be changed where it is; afterwards it is as it was."""
    shutil.copytree(finished.root, tmp_path / "kept")
    yield finished
    shutil.rmtree(finished.root)
    shutil.copytree(tmp_path / "kept", finished.root)


class WentOnError(Exception):
    """A study was looked at as one that may go on."""


@pytest.fixture(autouse=True)
def never_goes_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "finished" in request.fixturenames:
        request.getfixturevalue("finished")  # It did.

        def run_study(*args: object, **options: object) -> None:
            raise WentOnError

        monkeypatch.setattr(conductor, "run_study", run_study)


def test_nothing_heavy_is_imported(finished):
    code = (
        "import sys, digits_study\n"
        "from lttune.study.main import main\n"
        "report = lambda folder: folder / 'report.html'\n"
        "code = main(digits_study.STUDY, report, '', sys.argv[1:])\n"
        f"print('loaded', sorted({ {*HEAVY} } & {{*sys.modules}}), code)\n"
    )
    here = Path(__file__).parent
    paths = [here.parents[1], here.parent / "helpers"]
    done = subprocess.run(
        [sys.executable, "-c", code, *finished.flags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "loaded [] 0"
    assert "complete: 6 of 6 trials" in done.stdout


def test_it_prints_what_it_printed_before(finished):
    before = finished.printed
    finished.run(report=kept_report)
    assert finished.exit_code == 0
    start = "best trials"
    assert finished.printed[finished.printed.index(start) :] == before[before.index(start) :]


def test_a_call_from_python_takes_it_as_it_is_too(finished):
    settings = {"out": finished.root / "out", "tracking_uri": finished.uri}
    found = run(digits_study.STUDY, kept_report, scale="smoke", **settings)
    assert (found.complete, found.not_tracked) == (True, "")
    assert found.report == finished.folder / "report.html"


@pytest.mark.parametrize(
    "flags", [("--trials", "5"), ("--lottery.train.lr", "0.02"), ("--seed", "1"), ("--plan",)]
)
def test_other_settings_go_on(flags, finished):
    with pytest.raises(WentOnError):
        finished.run(*flags, report=kept_report)


_KEPT = ("study.json", "trials.json", "records.parquet", "curves.parquet", "report.html")


@pytest.mark.parametrize("name", _KEPT)
def test_a_file_that_has_changed_goes_on(name, place):
    (place.folder / name).write_bytes((place.folder / name).read_bytes() + b" ")
    with pytest.raises(WentOnError):
        place.run(report=kept_report)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'digits'",
        "UPDATE runs SET status = 'RUNNING' WHERE name != 'digits'",
        "DELETE FROM metrics WHERE key = 'density' AND step = 1",
        "DELETE FROM tags",
        "DROP TABLE latest_metrics",
    ],
)
def test_what_mlflow_lacks_goes_on(statement, place):
    with closing(sqlite3.connect(place.database)) as database:
        database.execute(statement)
        database.commit()
    with pytest.raises(WentOnError):
        place.run(report=kept_report)


def test_a_file_or_database_that_mlflow_lost_goes_on(place):
    next((place.database.parent / "mlruns").rglob("report.html")).unlink()
    with pytest.raises(WentOnError):
        place.run(report=kept_report)
    place.database.unlink()
    with pytest.raises(WentOnError):
        place.run(report=kept_report)


def test_other_code_goes_on(finished, monkeypatch):
    monkeypatch.setattr(unchanged.provenance, "sources", lambda: "other")
    with pytest.raises(WentOnError):
        finished.run(report=kept_report)


def test_a_report_that_is_made_anew_goes_on(place):
    with pytest.raises(WentOnError):
        place.run(report=digits_study.report)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"state": ""}', '{"state": 1, "tracking": 2}'])
def test_a_note_that_says_nothing_goes_on(text, place):
    (place.folder / unchanged.STATE_NOTE).write_text(text)
    with pytest.raises(WentOnError):
        place.run(report=kept_report)


def test_a_study_with_more_phases_to_come_is_no_complete_one(tmp_path):
    place = StudyPlace(tmp_path)
    with one_process():
        place.run("--phases", "anchor", report=kept_report)
        assert (place.folder / unchanged.STATE_NOTE).exists()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conductor.Conductor, "_run_trials", lambda self: None)
            place.run("--phases", "anchor", "search", report=kept_report)
        assert place.exit_code == 1
        before = (place.folder / unchanged.STATE_NOTE).read_bytes()
        place.run("--phases", "anchor", report=kept_report)
    assert place.exit_code == 0
    assert "the phases of this command are complete" in place.printed
    assert (place.folder / unchanged.STATE_NOTE).read_bytes() == before
