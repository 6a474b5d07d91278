"""A team's MLflow: a real PostgreSQL, the script, people with logins, their studies, the page."""

from __future__ import annotations

import io
import shutil
import stat
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import psutil
import pytest
from answering import Door, free_port
from digits_place import StudyPlace
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from one_process import one_process
from playwright.sync_api import expect
from team_mlflow import QUOTED, Team, lacking, postgres

from docs import mlflow_page
from lttune.__main__ import main as command
from lttune.study.tracking import sender as module
from lttune.study.tracking.tracker import Tracker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "all is there"),
]

ANNA, BEN, CARL = "anna", "ben", "carl.o-d_2"
TRIALS, LEVELS, METRICS = 64, 8, 12
SMALL = ("--phases", "anchor", "--replicates", "1")


@pytest.fixture(scope="module")
def database():
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def team(database, tmp_path_factory):
    """A server that was started, given three users, stopped and started again."""
    folder = tmp_path_factory.mktemp("team") / "mlflow-team"
    team = Team(folder=folder, database=database.uri(), port=free_port())
    with team.running() as printed:
        assert printed.startswith(f"MLflow: {team.address}, the admin's login is in {folder}")
        added = team.script("user", ANNA, BEN, CARL)
        assert (added.returncode, added.stderr) == (0, "")
        assert not [name for name in (ANNA, BEN, CARL) if team.login(name)[1] in added.stdout]
    admin = team.login("admin")
    # What it is told once need not be told again.
    with team.running(MLFLOW_BACKEND_STORE_URI=""):
        assert team.login("admin") == admin
        yield team


@pytest.fixture
def as_user(team, monkeypatch):
    """Logs MLflow in as somebody, by the environment."""

    def log_in(name: str, password: str | None = None) -> None:
        login = team.login(name)
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", login[0])
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password or login[1])

    return log_in


@pytest.fixture(scope="module")
def study(team, tmp_path_factory):
    """A study of Anna's."""
    place = StudyPlace(tmp_path_factory.mktemp("anna"), elsewhere=team.address)
    with pytest.MonkeyPatch.context() as patch, one_process():
        login = team.login(ANNA)
        patch.setenv("MLFLOW_TRACKING_USERNAME", login[0])
        patch.setenv("MLFLOW_TRACKING_PASSWORD", login[1])
        place.run(*SMALL)
    assert "MLflow cannot be used" not in place.printed
    assert "missing in MLflow" not in place.printed
    return place


def seen(team: Team) -> set[str]:
    found = MlflowClient(team.address).search_experiments()
    return {one.name for one in found} - {"Default"}


def test_secrets_are_in_files_that_only_the_owner_reads(team):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in team.folder.rglob("*")}
    folders = ("users", "artifacts")
    assert {mode for name, mode in modes.items() if name in folders} == {0o700}
    secrets = ("auth.ini", "database", "secret-key", "admin", ANNA, BEN, CARL)
    assert {name: modes[name] for name in secrets} == dict.fromkeys(secrets, 0o600)
    said = (team.folder.parent / "server.log").read_text()
    shown = [word for one in psutil.process_iter(["cmdline"]) for word in one.info["cmdline"] or []]
    for secret in (QUOTED, *(team.login(name)[1] for name in ("admin", ANNA))):
        assert secret not in said
        assert not [word for word in shown if secret in word]


def test_a_study_logs_in_and_its_files_lie_with_the_server(team, study, as_user, tmp_path):
    as_user(ANNA)
    client = MlflowClient(team.address)
    experiment = client.get_experiment_by_name("digits")
    assert experiment.artifact_location.startswith("mlflow-artifacts:/")
    (run,) = client.search_runs([experiment.experiment_id], "tags.`lttune.kind` = 'study'")
    assert run.info.status == "FINISHED"
    files = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"digits_study.py", "report.html"} <= files
    got = client.download_artifacts(run.info.run_id, "report.html", str(tmp_path))
    report = study.folder / "report.html"
    assert report.read_text() == Path(got).read_text()
    folder = team.folder / "artifacts" / experiment.experiment_id
    (kept,) = folder.rglob("report.html")
    assert kept.read_bytes() == report.read_bytes()
    # The login is in no file of the study.
    secret = team.login(ANNA)[1].encode()
    assert [p for p in study.root.rglob("*") if p.is_file() and secret in p.read_bytes()] == []


def test_a_wrong_password_is_one_line_and_sync_sends_all_later(team, as_user, tmp_path, cwd):
    as_user(BEN, "not-the-password")
    place = StudyPlace(tmp_path, elsewhere=team.address)
    with one_process():
        place.run("--name", "ben", *SMALL)
    assert place.exit_code == 0
    words = "it refuses the login of MLFLOW_TRACKING_USERNAME (401)"
    assert place.printed.count(words) == 1
    assert "the server refuses the login, or was sent none (401)" in place.printed
    assert "not-the-password" not in place.printed
    sync = ["sync", str(tmp_path / "out" / "ben"), "--tracking-uri", team.address]
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text):
        assert command(sync) == 5
        as_user(BEN)
        assert command(sync) == 0
    said = text.getvalue()
    assert said.count(words) == 1
    assert "not-the-password" not in said
    assert said.splitlines()[-1].endswith("all 1 trials of the study ben")
    assert seen(team) == {"ben"}


def test_a_user_sees_what_is_shared_and_nothing_else(team, study, as_user, tmp_path):
    as_user(CARL)
    assert seen(team) == set()
    with pytest.raises(MlflowException, match="Permission denied"):
        MlflowClient(team.address).get_experiment_by_name("digits")
    shared = team.script("share", "digits", CARL)
    assert (shared.returncode, shared.stderr) == (0, "")
    assert seen(team) == {"digits"}
    # It is read, not written: one of the same name is another's.
    place = StudyPlace(tmp_path, elsewhere=team.address)
    with one_process():
        place.run(*SMALL)
    assert place.exit_code == 0
    said = "the server forbids it (403): a study of another user may have this name"
    assert place.printed.count(said) == 1
    for words, problem in (
        (("share", "none", CARL), "there is no study 'none'"),
        (("share", "digits", "dora"), "there is no user 'dora': mlflow.sh user dora"),
        (("user", "a b"), "'a b' is no name of a user"),
        (("share", "digits"), "mlflow.sh share needs a name"),
    ):
        done = team.script(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"mlflow.sh: error: {problem}")
    assert team.script("user", CARL).returncode == 0  # Again, and nothing changes.


def test_a_backup_is_all_that_a_new_server_needs(database, team, study, as_user, tmp_path):
    dump = str(tmp_path / "mlflow.dump")
    database.run("pg_dump", "--format=custom", f"--file={dump}", "mlflow")
    shutil.copytree(team.folder, tmp_path / "copy")
    database.run("createdb", "restored")
    database.run("pg_restore", "--dbname=restored", "--no-owner", dump)
    as_user(ANNA)
    other = Team(folder=tmp_path / "copy", database=database.uri("restored"), port=free_port())
    with other.running():
        client = MlflowClient(other.address)
        experiment = client.get_experiment_by_name("digits").experiment_id
        (run,) = client.search_runs([experiment], "tags.`lttune.kind` = 'study'")
        got = client.download_artifacts(run.info.run_id, "report.html", str(tmp_path))
    assert (study.folder / "report.html").read_text() == Path(got).read_text()


def write_trial(tracker: Tracker, number: int, together: threading.Barrier) -> None:
    params = {f"factor.{n}": number + n for n in range(10)}
    tracker.trial(number, f"{number:03}", params, {"lttune.phase": "search"})
    for level in range(LEVELS):
        together.wait()
        tracker.level(number, level, values(number, level))
    tracker.end_trial(number, "FINISHED", {"accuracy_auc": float(number)})


def values(number: int, level: int) -> dict[str, float]:
    named = {f"measure_{n}": number * 1000 + level + n / 100 for n in range(METRICS - 1)}
    return {"density": 0.8**level, **named}


@pytest.mark.parametrize("studies", [1, 4])
def test_levels_of_64_trials_at_a_time_are_there_once(
    studies, team, database, as_user, tmp_path, monkeypatch
):
    as_user(ANNA)
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 1.0)
    names, each = [f"load-{studies}-{n}" for n in range(studies)], TRIALS // studies
    door, together = Door(team.port), threading.Barrier(TRIALS)
    trackers = [Tracker(door.uri, name) for name in names]
    for tracker in trackers:
        tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    threads = [
        threading.Thread(target=write_trial, args=(tracker, number, together))
        for tracker in trackers
        for number in range(each)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(3):  # The connection is lost, whatever was on its way.
        time.sleep(2)
        door.shut()
        door.open()
    for tracker in trackers:
        tracker.finish("FINISHED")
        assert tracker.close(120) == ""
    door.shut()

    client = MlflowClient(team.address)
    for name in names:
        experiment = client.get_experiment_by_name(name).experiment_id
        runs = {run.info.run_name: run for run in client.search_runs([experiment])}
        assert set(runs) == {name, *(f"{number:03}" for number in range(each))}
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        for number in range(each):
            run = runs[f"{number:03}"]
            assert run.data.params == {f"factor.{n}": str(number + n) for n in range(10)}
            assert run.data.metrics == {
                **values(number, LEVELS - 1),
                "accuracy_auc": float(number),
            }
            for key in ("density", "measure_0", f"measure_{METRICS - 2}"):
                history = client.get_metric_history(run.info.run_id, key)
                found = sorted((point.step, point.value) for point in history)
                assert found == [(level, values(number, level)[key]) for level in range(LEVELS)]
        # All of them, as the database has them.
        (counted,) = database.sql(
            "SELECT count(*), count(DISTINCT (run_uuid, key, step)) FROM metrics "
            f"JOIN runs USING (run_uuid) WHERE experiment_id = {experiment}"
        )
        assert [int(n) for n in counted] == [each * (LEVELS * METRICS + 1)] * 2


@pytest.mark.skipif(
    not any(shutil.which(name) for name in mlflow_page.PROGRAMS),
    reason="there is no Chromium: on Debian, apt install chromium",
)
def test_the_page_asks_for_a_login_and_shows_what_is_shared(team, study, as_user):
    assert team.script("user", "dora").returncode == 0
    as_user("dora")
    MlflowClient(team.address).create_experiment("of-dora")
    with mlflow_page.browser() as page:
        assert page.request.get(team.address).status == 401
    with mlflow_page.browser(login=team.login("dora")) as page:
        page.goto(f"{team.address}/#/experiments")
        page.get_by_text("Model training", exact=True).click()
        page.get_by_role("link", name="of-dora", exact=True).wait_for()
        expect(page.get_by_role("link", name="digits", exact=True)).to_have_count(0)
    assert team.script("share", "--all", "dora").returncode == 0
    with mlflow_page.browser(login=team.login("dora")) as page:
        frame = mlflow_page.open_report(page, team.address, "digits")
        expect(frame.locator("h1")).to_have_text("digits")
