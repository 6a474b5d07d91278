from __future__ import annotations

import base64
import http.server
import importlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lttune import mlflow_uri
from lttune.data.dataset import Dataset
from lttune.mlflow_views import TAG, views
from lttune.tracking import Status, Tracker

LEVELS = 3
LEVEL_KEYS = {"density", "test_accuracy"}
ENDS: dict[int, Status] = {0: "FINISHED", 1: "FAILED", 2: "KILLED"}


def tiny_dataset() -> Dataset:
    x, y = np.arange(32, dtype=np.uint8).reshape(2, 4, 4), np.arange(2)
    return Dataset(
        name="tiny",
        train_x=x,
        train_y=y,
        test_x=x,
        test_y=y,
        classes=2,
        scale=255,
        mean=0.1,
        std=0.3,
        validation=1,
        source="https://example.org/tiny",
    )


def start(tracker: Tracker, folder: Path, **params: object) -> None:
    script = folder / "tiny_study.py"
    script.write_text("pass\n")
    tracker.start(
        description="Which knob decides?",
        params={"trials": 3, **params},
        tags={"mlflow.source.name": "tiny_study.py", "mlflow.source.git.commit": "abc"},
        files=[script],
        dataset=tiny_dataset(),
    )


def run_trial(tracker: Tracker, number: int, levels: int = LEVELS) -> None:
    params = {"train.lr": 0.1 * (number + 1), "prune.fractions.out": 0.1, "note": "x" * 7000}
    tracker.trial(number, f"trial-{number:03}", params, {"lttune.phase": "search"})
    for level in range(levels):
        metrics = {"density": 0.8**level, "test_accuracy": 0.9 + level / 100}
        metrics |= {"val_loss": float("nan"), "end_loss": float("inf")}
        tracker.level(number, level, metrics)


def run_study(uri: str, study: str, folder: Path, finished: int) -> str:
    """Runs a whole study of three trials and returns what close() says."""
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    (figures / "curve.svg").write_text("<svg/>")
    (folder / "report.html").write_text("<p>")
    tracker = Tracker(uri, study)
    start(tracker, folder)
    for number, status in ENDS.items():
        run_trial(tracker, number)
        tracker.end_trial(number, status, {"best_accuracy": 0.92})
    files = [folder / "report.html", figures / "curve.svg"]
    tracker.finish("FINISHED", files, {"trials_finished": finished})
    return tracker.close(60)


class Store:
    """What a reader finds in a tracking database."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient  # Only the slow tests import MLflow.

        self.client = MlflowClient(uri)

    def runs(self, study: str) -> dict:
        """Returns the runs of an experiment by name, and that no two share one."""
        experiment = self.client.get_experiment_by_name(study)
        assert experiment is not None
        runs = self.client.search_runs([experiment.experiment_id])
        by_name = {run.info.run_name: run for run in runs}
        assert len(by_name) == len(runs)
        return by_name

    def steps(self, run, key: str) -> list[int]:
        return [point.step for point in self.client.get_metric_history(run.info.run_id, key)]

    def artifacts(self, run, folder: str | None = None) -> set[str]:
        return {f.path for f in self.client.list_artifacts(run.info.run_id, folder)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("a folder")


@pytest.fixture(scope="module")
def uri(folder):
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(scope="module")
def store(uri, folder):
    """A database in which the study "twice" was run once, and then again with nothing new."""
    assert run_study(uri, "twice", folder, finished=1) == ""
    assert run_study(uri, "twice", folder, finished=1) == ""
    return Store(uri)


@pytest.mark.slow
class TestStore:
    def test_a_study_is_an_experiment_with_its_question(self, store):
        tags = store.client.get_experiment_by_name("twice").tags
        assert tags["mlflow.note.content"] == "Which knob decides?"
        assert tags["mlflow.experiment.primaryMetric.name"] == "test_accuracy"

    def test_a_studys_views_are_tags_that_its_description_links_to(self, store, uri, folder):
        tracker = Tracker(uri, "viewed")
        offered = views(["train.lr"], "accuracy_auc", False, ["reinit"])
        tracker.start(
            description="Which?", params={}, tags={}, files=[], dataset=None, views=offered
        )
        tracker.finish("FINISHED")
        assert tracker.close(60) == ""
        found = store.client.get_experiment_by_name("viewed")
        keys = {key for key in found.tags if key.startswith(TAG)}
        assert keys == {f"{TAG}{view.key}" for view in offered}
        question, _, links = found.tags["mlflow.note.content"].partition("\n\n")
        assert question == "Which?"
        for view in offered:
            value = json.loads(found.tags[TAG + view.key])
            assert value["name"] == view.name
            mark, packed = value["state"].split(";")
            state = json.loads(zlib.decompress(base64.b64decode(packed)))
            assert (mark, state["orderByKey"]) == ("deflate", "metrics.`accuracy_auc`")
            assert f"experiments/{found.experiment_id}/runs" in links
            assert f"viewStateShareKey={view.key}" in links

    def test_trials_are_children_of_the_study(self, store):
        runs = store.runs("twice")
        assert set(runs) == {"twice", "trial-000", "trial-001", "trial-002"}
        parent = runs.pop("twice")
        assert parent.data.tags["lttune.kind"] == "study"
        assert "mlflow.parentRunId" not in parent.data.tags
        for number, run in enumerate(runs[name] for name in sorted(runs)):
            tags = run.data.tags
            assert tags["mlflow.parentRunId"] == parent.info.run_id
            assert (tags["lttune.kind"], tags["lttune.trial"]) == ("trial", str(number))
            assert (tags["lttune.study"], tags["lttune.phase"]) == ("twice", "search")
            assert tags["mlflow.source.name"] == "tiny_study.py"
            assert tags["mlflow.user"] == parent.data.tags["mlflow.user"]

    def test_status_is_the_one_given(self, store):
        runs = store.runs("twice")
        assert runs["twice"].info.status == "FINISHED"
        assert {n: runs[f"trial-{n:03}"].info.status for n in ENDS} == ENDS

    def test_params_are_flat_and_cut(self, store):
        params = store.runs("twice")["trial-001"].data.params
        assert params == {"train.lr": "0.2", "prune.fractions.out": "0.1", "note": "x" * 6000}

    def test_one_point_a_level_and_nothing_else(self, store):
        run = store.runs("twice")["trial-000"]
        assert set(run.data.metrics) == LEVEL_KEYS | {"best_accuracy"}
        for key in LEVEL_KEYS:
            assert store.steps(run, key) == list(range(LEVELS))
        assert store.steps(run, "best_accuracy") == [0]
        assert run.data.metrics["density"] == 0.8**2

    def test_the_study_run_has_totals_dataset_and_files(self, store):
        run = store.runs("twice")["twice"]
        assert run.data.metrics == {"trials_finished": 1.0}
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.name == "tiny"
        assert tiny_dataset().digest().startswith(used.dataset.digest)
        assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}
        assert store.artifacts(run) == {"tiny_study.py", "report.html", "figures"}
        assert store.artifacts(run, "figures") == {"figures/curve.svg"}

    def test_files_lie_beside_the_database(self, store, folder):
        assert (folder / "mlruns" / "twice").is_dir()
        assert not Path("mlruns", "twice").exists()

    def test_the_database_lets_readers_in_and_is_whole_without_its_journal(self, store, folder):
        database = sqlite3.connect(f"file:{folder}/mlflow.db?immutable=1", uri=True)
        names = [name for (name,) in database.execute("SELECT name FROM experiments")]
        assert "twice" in names
        database.close()
        database = sqlite3.connect(folder / "mlflow.db")
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.close()

    def test_a_killed_driver_is_continued(self, store, uri, folder):
        killed = Tracker(uri, "killed")
        start(killed, folder)
        for number in range(3):
            run_trial(killed, number, levels=2)
        assert killed.close(60) == ""
        runs = store.runs("killed")
        assert {run.info.status for run in runs.values()} == {"RUNNING"}

        again = Tracker(uri, "killed")
        start(again, folder, replicates=5)
        run_trial(again, 0)
        again.end_trial(0, "FINISHED", {})
        run_trial(again, 1)
        again.finish("KILLED")
        assert again.close(60) == ""
        runs = store.runs("killed")
        status = {name: run.info.status for name, run in runs.items()}
        assert status == {
            "killed": "KILLED",
            "trial-000": "FINISHED",
            "trial-001": "KILLED",
            "trial-002": "KILLED",
        }
        assert [len(store.steps(runs[f"trial-{n:03}"], "density")) for n in range(3)] == [3, 3, 2]
        assert runs["killed"].data.params == {"trials": "3", "replicates": "5"}

    def test_a_new_total_is_a_new_step(self, store, uri, folder):
        for finished in (1, 1, 2):
            tracker = Tracker(uri, "totals")
            start(tracker, folder)
            tracker.finish("FINISHED", metrics={"trials_finished": finished})
            assert tracker.close(60) == ""
        run = store.runs("totals")["totals"]
        assert run.data.metrics == {"trials_finished": 2.0}
        assert store.steps(run, "trials_finished") == [0, 1]

    def test_a_deleted_experiment_comes_back(self, store, uri, folder):
        for _ in range(2):
            tracker = Tracker(uri, "deleted")
            start(tracker, folder)
            tracker.finish("FINISHED")
            assert tracker.close(60) == ""
            found = store.client.get_experiment_by_name("deleted")
            assert found.lifecycle_stage == "active"
            assert set(store.runs("deleted")) == {"deleted"}
            store.client.delete_experiment(found.experiment_id)

    def test_two_studies_at_a_time(self, store, uri, folder):
        trackers = {name: Tracker(uri, name) for name in ("left", "right")}
        for name, tracker in trackers.items():
            (folder / name).mkdir()
            start(tracker, folder / name)
        for number in range(2):
            for tracker in trackers.values():
                run_trial(tracker, number)
        assert [tracker.close(60) for tracker in trackers.values()] == ["", ""]
        for name, tracker in trackers.items():
            assert set(store.runs(name)) == {name, "trial-000", "trial-001"}
            assert "(experiment " in tracker.address

    def test_what_cannot_be_stored_is_said_and_the_rest_is_stored(self, store, uri, folder):
        tracker = Tracker(uri, "refused")
        start(tracker, folder)
        tracker.level(7, 0, {"density": 1.0})
        tracker.trial(0, "trial-000", {"a@b": 1}, {})
        tracker.level(0, 0, {"density": 1.0, "acc@10": 0.5, "../up": 1.0})
        tracker.finish("FINISHED", [folder / "absent.html"])
        said = tracker.close(60)
        assert "refused 2 entries: refused has no run of trial 7" in said
        assert "../up, a@b, acc@10" in said
        runs = store.runs("refused")
        assert runs["refused"].info.status == "FINISHED"
        assert runs["trial-000"].data.metrics == {"density": 1.0}

    def test_passwords_are_stored_nowhere(self, store, uri, folder):
        tracker = Tracker(uri, "secret")
        start(tracker, folder, tracking="postgresql://me:hunter2@host/db")
        assert tracker.close(60) == ""
        params = store.runs("secret")["secret"].data.params
        assert params["tracking"] == "postgresql://me:***@host/db"

    def test_a_process_prints_nothing(self, tmp_path):
        code = (
            "from lttune.tracking import Tracker\n"
            "tracker = Tracker(None, 'quiet')\n"
            "tracker.start(description='', params={}, tags={}, files=[], dataset=None)\n"
            "tracker.finish('FINISHED')\n"
            "assert tracker.close(60) == ''\n"
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == ("", "")
        assert (tmp_path / "mlflow.db").is_file()


@pytest.fixture
def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def silent_port():
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("server", ["closed_port", "silent_port"])
def test_an_unreachable_server_costs_no_time(server, request, tmp_path):
    # While the thread imports MLflow, the interpreter is shared with it and the clock is not ours.
    importlib.import_module("lttune.mlflow_mirror")
    port = request.getfixturevalue(server)
    clock = time.perf_counter()
    tracker = Tracker(f"http://me:hunter2@127.0.0.1:{port}", "away")
    costs = [time.perf_counter() - clock]
    calls = [
        lambda: start(tracker, tmp_path),
        lambda: run_trial(tracker, 0, levels=1),
        lambda: tracker.end_trial(0, "FINISHED", {"a": 1.0}),
        lambda: tracker.finish("FINISHED"),
    ]
    for call in calls:
        clock = time.perf_counter()
        call()
        costs.append(time.perf_counter() - clock)
    assert max(costs) < 0.05
    clock = time.perf_counter()
    said = tracker.close(5)
    assert time.perf_counter() - clock < 5.5
    assert said.startswith(
        f"7 of 7 entries are missing in MLflow at http://me:***@127.0.0.1:{port}"
    )
    assert said.endswith("run the study again to fill the gap.")
    assert "hunter2" not in said
    assert tracker.close(5) == said


@pytest.mark.slow
def test_a_server_that_refuses_the_login_is_named(tmp_path):
    class Login(http.server.BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.send_error(401)

        do_GET = do_POST = _refuse  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Login) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tracker = Tracker(f"http://me:hunter2@127.0.0.1:{server.server_port}", "away")
        start(tracker, tmp_path)
        said = tracker.close(30)
        server.shutdown()
    assert "3 of 3 entries are missing" in said
    assert "401" in said
    assert "hunter2" not in said


DIES = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from lttune.tracking import Tracker

uri, point = sys.argv[1:]
link = Path.hardlink_to
statements = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def count(*_):
    global statements
    statements += 1
    if str(statements) == point:
        die()

def publish(*names):
    if point == "linked":
        link(*names)
    if not point.isdigit():
        die()
    link(*names)

event.listen(Engine, "before_cursor_execute", count)
Path.hardlink_to = publish
tracker = Tracker(uri, "dies")
tracker.start(description="", params={}, tags={}, files=[], dataset=None)
tracker.close(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", ["1", "600", "900", "1660", "whole", "linked"])
def test_a_process_killed_at_its_first_use_breaks_nothing(point, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    uri, database = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow.db"
    done = subprocess.run([sys.executable, "-c", DIES, uri, point], cwd=tmp_path, env=environment)
    assert done.returncode == -signal.SIGKILL
    drafts = list(tmp_path.glob(".mlflow.db.*.draft*"))
    assert drafts
    assert database.exists() == (point == "linked")

    assert run_study(uri, "after", tmp_path, finished=1) == ""
    assert set(Store(uri).runs("after")) == {"after", "trial-000", "trial-001", "trial-002"}
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    for draft in drafts:
        os.utime(draft, (0, 0))
    tracker = Tracker(uri, "after")
    start(tracker, tmp_path)
    assert tracker.close(60) == ""
    assert not list(tmp_path.glob(".mlflow.db.*"))


def half_made(path: Path, _: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE webhooks (id)")


def no_database(path: Path, _: Path) -> None:
    path.write_bytes(b"these are no pages " * 1000)


def torn(path: Path, whole: Path) -> None:
    pages = whole.read_bytes()
    path.write_bytes(pages[: len(pages) // 3])


def out_of_date(path: Path, whole: Path) -> None:
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '75868b020152'")
        database.commit()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (half_made, "table webhooks already exists"),
        (no_database, "file is not a database"),
        (torn, "database disk image is malformed"),
        (out_of_date, "mlflow db upgrade"),
    ],
)
def test_a_broken_database_is_named(breaks, reason, store, folder, tmp_path):
    path = tmp_path / "mlflow.db"
    breaks(path, folder / "mlflow.db")
    tracker = Tracker(f"sqlite:///{path}", "broken")
    start(tracker, tmp_path)
    said = tracker.close(30)
    assert said.startswith("3 of 3 entries are missing")
    assert f"MLflow cannot open {path}," in said
    assert reason in said
    assert said.endswith("move that file away and run the study again.")


@pytest.mark.slow
def test_a_locked_database_is_not_called_broken(tmp_path, monkeypatch):
    store = importlib.import_module("lttune.mlflow_store")
    path = tmp_path / "mlflow.db"

    def open_locked(_: str) -> None:
        with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path, 0)) as two:
            one.execute("BEGIN EXCLUSIVE")
            two.execute("BEGIN EXCLUSIVE")

    path.touch()
    monkeypatch.setattr(store, "MlflowClient", open_locked)
    tracker = Tracker(f"sqlite:///{path}", "locked")
    start(tracker, tmp_path)
    said = tracker.close(30)
    assert said.endswith("database is locked; run the study again to fill the gap.")


class TestPrepareSqlite:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "new" / "my [db].db"

    def create(self, uri: str) -> None:
        path = mlflow_uri.sqlite_path(uri)
        assert path
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            database.execute("CREATE TABLE runs (id)")

    def tables(self, path: Path) -> list[str]:
        with closing(sqlite3.connect(path)) as database:
            return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]

    def is_alone(self, path: Path) -> bool:
        return list(path.parent.iterdir()) == [path]

    def test_creates_a_missing_file_in_one_step(self, path):
        def create(uri: str) -> None:
            self.create(uri)
            assert not path.exists()

        mlflow_uri.prepare_sqlite(path, create)
        assert self.is_alone(path)
        assert self.tables(path) == ["runs"]

    def test_needs_no_hard_links(self, path, monkeypatch):
        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        mlflow_uri.prepare_sqlite(path, self.create)
        assert self.is_alone(path)
        assert self.tables(path) == ["runs"]

    @pytest.mark.parametrize("seen", [True, False])
    def test_replaces_nothing(self, path, seen, monkeypatch):
        def create(uri: str) -> None:
            self.create(uri)
            path.write_bytes(b"")
            # The file may also appear after the last look.
            monkeypatch.setattr(os.path, "lexists", lambda _: seen)

        mlflow_uri.prepare_sqlite(path, create)
        assert self.is_alone(path)
        assert path.read_bytes() == b""

    def test_a_failure_leaves_nothing(self, path):
        def create(uri: str) -> None:
            self.create(uri)
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            mlflow_uri.prepare_sqlite(path, create)
        assert not list(path.parent.iterdir())

    def test_uses_an_empty_file_as_it_is(self, path):
        path.parent.mkdir()
        path.touch()
        number = path.stat().st_ino
        mlflow_uri.prepare_sqlite(path, lambda _: pytest.fail("a draft was made"))
        assert path.stat().st_ino == number
        assert self.tables(path) == []

    def test_ignores_the_journal_of_a_file_that_was_moved_away(self, path):
        path.parent.mkdir()
        with closing(sqlite3.connect(path)) as old:
            old.execute("PRAGMA journal_mode=WAL")
            old.execute("CREATE TABLE ghosts (id)")
            journal = Path(f"{path}-wal").read_bytes()
        path.unlink()
        Path(f"{path}-wal").write_bytes(journal)
        mlflow_uri.prepare_sqlite(path, self.create)
        assert self.tables(path) == ["runs"]

    def test_removes_old_drafts_only(self, path):
        path.parent.mkdir()
        names = ("my [db].db.1.draft", "my [db].db.1.draft-wal", "my [db].db.2.draft", "d.3.draft")
        drafts = [path.with_name(f".{name}") for name in names]
        for draft in drafts:
            draft.touch()
        for draft in (*drafts[:2], drafts[3]):
            os.utime(draft, (0, 0))
        mlflow_uri.prepare_sqlite(path, self.create)
        assert set(path.parent.iterdir()) == {path, *drafts[2:]}


class TestClose:
    """How long close() waits, with a store whose calls last ``seconds``; no MLflow is needed."""

    @pytest.fixture
    def store(self, monkeypatch):
        store = SimpleNamespace(seconds=0.0, opening_s=0.0, sent=[], failures=[])

        class Mirror:
            experiment = "1"

            def __init__(self, uri: str, study: str) -> None:
                time.sleep(store.opening_s)

            def end(self, now: int, number: int, status: str, summary: dict) -> None:
                time.sleep(store.seconds)
                if number in store.failures:
                    store.failures.remove(number)
                    raise ConnectionError("busy")
                store.sent.append(number)

        module = SimpleNamespace(
            Mirror=Mirror, is_refusal=lambda _: False, is_broken=lambda _: False
        )
        monkeypatch.setitem(sys.modules, "lttune.mlflow_mirror", module)
        monkeypatch.setattr("lttune.tracking._FIRST_WAIT_S", 0.01)
        return store

    def close(self, entries: int, timeout_s: float) -> tuple[str, float]:
        tracker = Tracker("http://host", "slow")
        for number in range(entries):
            tracker.end_trial(number, "FINISHED", {})
        clock = time.perf_counter()
        return tracker.close(timeout_s), time.perf_counter() - clock

    def test_slow_entries_are_all_sent(self, store):
        store.seconds = 0.15
        said, seconds = self.close(entries=8, timeout_s=0.5)
        assert said == ""
        assert store.sent == list(range(8))
        assert 1.1 < seconds < 2

    def test_four_times_the_timeout_is_the_end(self, store):
        store.seconds = 0.1
        said, seconds = self.close(entries=100, timeout_s=0.3)
        assert "there was no time; run the study again to fill the gap." in said
        assert 1.1 < seconds < 1.5

    def test_nothing_moves(self, store):
        store.seconds = 3
        said, seconds = self.close(entries=5, timeout_s=0.3)
        assert said.startswith("5 of 5 entries are missing")
        assert seconds < 0.7

    def test_opening_is_movement(self, store):
        store.opening_s = store.seconds = 0.4
        assert self.close(entries=1, timeout_s=0.6)[0] == ""

    def test_failures_between_successes_are_not_added_up(self, store):
        store.failures = [0, 1, 2, 3]
        assert self.close(entries=5, timeout_s=5)[0] == ""

    def test_a_store_that_is_away_is_tried_twice(self, store):
        store.failures = [0] * 9
        said, seconds = self.close(entries=1, timeout_s=5)
        assert "busy; run the study again to fill the gap." in said
        assert len(store.failures) in (6, 7)
        assert seconds < 1


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///runs/my%20runs.db?timeout=5", "sqlite:///{cwd}/runs/my%20runs.db?timeout=5"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("http://host:5000", "http://host:5000"),
        (None, "sqlite:///{cwd}/mlflow.db"),
    ],
)
def test_resolve(uri, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert mlflow_uri.resolve(uri) == expected.format(cwd=tmp_path)


def test_resolve_reads_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert mlflow_uri.resolve(None) == "http://host:5000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg2://me:p@ss:/w@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("at https://me:x@host/a failed", "at https://me:***@host/a failed"),
        ("mysql://host/db?password=x&a=1", "mysql://host/db?password=***&a=1"),
        ("http://host:5000/a", "http://host:5000/a"),
    ],
)
def test_masked(text, expected):
    assert mlflow_uri.masked(text) == expected
