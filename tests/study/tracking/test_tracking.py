from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from tracked import (
    ENDS,
    LEVEL_KEYS,
    LEVELS,
    TrackedRuns,
    run_study,
    run_trial,
    spoil,
    start,
    tiny_dataset,
)

from lttune.study.tracking.tracker import Tracker
from lttune.study.tracking.views import TAG, views


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
    return TrackedRuns(uri)


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
        shapes = {"features_shape": [2, 4, 4], "features_nbytes": 32, "targets_shape": [2]}
        assert json.loads(used.dataset.profile) == shapes
        assert tiny_dataset().digest.startswith(used.dataset.digest)
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

    def test_studies_of_one_name_have_runs_of_their_own(self, store, uri, folder):
        for study_id in ("one", "two", None, "one"):
            tracker = Tracker(uri, "twins", study_id)
            start(tracker, folder, replicates=str(study_id))
            tracker.finish("FINISHED")
            assert tracker.close(60) == ""
        experiment = store.client.get_experiment_by_name("twins")
        runs = store.client.search_runs([experiment.experiment_id])
        found = {
            run.data.params["replicates"]: run.data.tags.get("lttune.study_id") for run in runs
        }
        assert (len(runs), found) == (3, {"one": "one", "two": "two", "None": None})

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
        assert params["tracking"] == "postgresql://***@host/db"

    def test_a_process_prints_nothing(self, tmp_path):
        code = (
            "from lttune.study.tracking.tracker import Tracker\n"
            "tracker = Tracker(None, 'quiet')\n"
            "tracker.start(description='', params={}, tags={}, files=[], dataset=None)\n"
            "tracker.finish('FINISHED')\n"
            "assert tracker.close(60) == ''\n"
        )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        environment["PYTHONPATH"] = str(Path(__file__).parents[3])
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


def half_made(path: Path, _: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE webhooks (id)")


def no_database(path: Path, _: Path) -> None:
    path.write_bytes(b"these are no pages " * 1000)


def spoilt(path: Path, _: Path) -> None:
    spoil(path)


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
        (spoilt, "its schema is no text"),
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
    assert said.endswith("move that file away.")
