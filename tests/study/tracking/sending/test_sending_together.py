"""How many calls the entries of a trial cost, and what a store that refuses some of them gets."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from cut_calls import CutCalls
from tracked import LEVEL_KEYS, TrackedRuns, run_trial, start

from lttune.study.tracking import sender as module
from lttune.study.tracking.tracker import Tracker

pytestmark = pytest.mark.slow  # MLflow is imported.


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('together')}/mlflow.db"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(module, "_TOGETHER_S", 1e6)


def write(tracker: Tracker, number: int, levels: int) -> None:
    run_trial(tracker, number, levels)
    tracker.end_trial(number, "FINISHED", {"best_accuracy": 0.9})


def refuse(patch: pytest.MonkeyPatch, name: str, is_refused: Any) -> None:
    """Has the store refuse what has an item of which that is true."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    call = getattr(SqlAlchemyStore, name)

    def refusing(self: Any, run_id: str, items: Any) -> None:
        if any(map(is_refused, items)):
            raise MlflowException("not this one", INVALID_PARAMETER_VALUE)
        call(self, run_id, items)

    patch.setattr(SqlAlchemyStore, name, refusing)


def test_a_trial_whose_entries_wait_costs_three_calls(uri, tmp_path, monkeypatch):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    tracker = Tracker(uri, "calls")
    start(tracker, tmp_path)
    wait_for(tracker)
    batches, log_batch = [], SqlAlchemyStore.log_batch

    def counted(self: Any, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        batches.append((len(metrics), len(params), len(tags)))
        log_batch(self, run_id, metrics, params, tags)

    monkeypatch.setattr(SqlAlchemyStore, "log_batch", counted)
    calls = CutCalls(monkeypatch)
    with tracker._waiting.changed:
        write(tracker, 0, levels=16)
    assert tracker.close(60) == ""
    writes = [name for name in calls.made if name in ("create_run", "update_run_info")]
    assert writes == ["create_run", "update_run_info"]
    assert batches == [(16 * len(LEVEL_KEYS) + 1, 3, 0)]


def test_no_call_is_larger_than_mlflow_takes_or_has_half_a_level(uri, tmp_path, monkeypatch):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    batches, log_batch = [], SqlAlchemyStore.log_batch

    def counted(self: Any, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        batches.append((metrics, len(params)))
        assert len(metrics) + len(params) + len(tags) <= 1000
        log_batch(self, run_id, metrics, params, tags)

    monkeypatch.setattr(SqlAlchemyStore, "log_batch", counted)
    tracker = Tracker(uri, "large")
    with tracker._waiting.changed:
        start(tracker, tmp_path)
        tracker.trial(0, "trial-000", {f"p{n}": n for n in range(230)}, {})
        for level in range(12):
            values = {f"m{n}": n + level for n in range(150)}
            tracker.level(0, level, {"density": 0.8**level, **values})
    assert tracker.close(60) == ""
    sizes = [(len(metrics), params) for metrics, params in batches][-3:]
    assert sizes == [(5 * 151, 100), (5 * 151, 100), (2 * 151, 30)]
    for metrics, _ in batches:
        for before, after in itertools.pairwise(metrics):
            assert (before.key == "density") == (before.step != after.step)


def test_a_store_that_refuses_one_entry_gets_the_others(uri, tmp_path, monkeypatch):
    refuse(monkeypatch, "_log_metrics", lambda metric: metric.step == 7)
    tracker = Tracker(uri, "one refused")
    with tracker._waiting.changed:
        start(tracker, tmp_path)
        write(tracker, 0, levels=16)
        write(tracker, 1, levels=2)
    assert tracker.close(60) == "MLflow refused 1 entries: not this one."
    store = TrackedRuns(uri)
    runs = store.runs("one refused")
    for key in LEVEL_KEYS:
        assert store.steps(runs["trial-000"], key) == [n for n in range(16) if n != 7]
        assert store.steps(runs["trial-001"], key) == [0, 1]
    assert {runs[f"trial-00{n}"].info.status for n in range(2)} == {"FINISHED"}
    assert runs["trial-000"].data.metrics["best_accuracy"] == 0.9
    assert runs["trial-000"].data.params["train.lr"] == "0.1"


def test_a_trial_whose_params_are_refused_has_its_levels(uri, tmp_path, monkeypatch):
    refuse(monkeypatch, "_log_params", lambda param: param.key == "note")
    tracker = Tracker(uri, "params refused")
    with tracker._waiting.changed:
        start(tracker, tmp_path)
        write(tracker, 0, levels=3)
    assert tracker.close(60) == "MLflow refused 1 entries: not this one."
    store = TrackedRuns(uri)
    run = store.runs("params refused")["trial-000"]
    assert (store.steps(run, "density"), run.info.status) == ([0, 1, 2], "FINISHED")


OF_STUDY = "tags.`lttune.kind` = 'study'"
RUNNING = "attributes.status = 'RUNNING' and tags.`lttune.kind` = 'trial'"


class TestLooks:
    """Which of a study's runs are read again after a failed call."""

    @pytest.fixture
    def looks(self, monkeypatch):
        """The filters by which runs were searched."""
        from mlflow import MlflowClient

        found, search = [], MlflowClient.search_runs

        def noted(self: Any, experiments: Any, which: str = "", **named: Any) -> Any:
            found.append(which)
            return search(self, experiments, which, **named)

        monkeypatch.setattr(MlflowClient, "search_runs", noted)
        return found

    def test_only_the_run_of_a_failed_call_is_read(self, looks, uri, tmp_path, monkeypatch):
        tracker = Tracker(uri, "looks")
        calls = CutCalls(monkeypatch)
        start(tracker, tmp_path)
        write(tracker, 0, levels=1)
        wait_for(tracker)
        calls.at = len(calls.made) + 2  # In the middle of the next trial.
        with tracker._waiting.changed:
            write(tracker, 1, levels=2)
        tracker.finish("FINISHED")
        assert tracker.close(60) == ""
        one = "tags.`lttune.trial` = '1'"
        assert looks == [OF_STUDY, RUNNING, "", one, RUNNING]

    def test_an_experiment_that_is_gone_is_looked_for_at_large(self, looks, uri, tmp_path):
        tracker = Tracker(uri, "gone")
        start(tracker, tmp_path)
        write(tracker, 0, levels=1)
        wait_for(tracker)
        client = TrackedRuns(uri).client
        experiment = client.get_experiment_by_name("gone").experiment_id
        for run in client.search_runs([experiment]):
            client.delete_run(run.info.run_id)
        client.rename_experiment(experiment, "another")
        looks.clear()
        tracker.level(0, 1, {"density": 0.8})
        tracker.finish("FINISHED")
        said = tracker.close(60)
        assert "refused 2 entries: gone has no run of trial 0" in said
        assert looks == ["tags.`lttune.trial` = '0'", OF_STUDY]
        assert TrackedRuns(uri).runs("gone") == {}

    def test_a_run_that_somebody_deleted_meanwhile_is_made_anew_by_its_trial(
        self, looks, uri, tmp_path
    ):
        tracker = Tracker(uri, "deleted run")
        start(tracker, tmp_path)
        run_trial(tracker, 0, levels=1)
        wait_for(tracker)
        store = TrackedRuns(uri)
        store.client.delete_run(store.runs("deleted run")["trial-000"].info.run_id)
        write(tracker, 0, levels=3)
        tracker.finish("FINISHED")
        assert tracker.close(60) == ""
        run = store.runs("deleted run")["trial-000"]
        assert (store.steps(run, "density"), run.info.status) == ([0, 1, 2], "FINISHED")
        assert looks.count("") == 1 + 2  # Those of this test itself.


def wait_for(tracker: Tracker) -> None:
    """Waits until all is sent."""
    with tracker._waiting.changed:
        for _ in range(600):
            if tracker._waiting.is_empty:
                return
            tracker._waiting.changed.wait(0.1)
    raise AssertionError("it is not sent")
