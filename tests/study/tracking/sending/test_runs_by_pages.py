"""Of the runs that MLflow has of a study no more is read than is needed, and none made twice."""

from __future__ import annotations

from typing import Any

import pytest
from tracked import TrackedRuns, run_trial

from lttune.study.tracking.tracker import Tracker

pytestmark = pytest.mark.slow  # MLflow is imported.

TRIALS = 7


@pytest.fixture(scope="module")
def uri(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('pages')}/mlflow.db"


@pytest.fixture
def pages(monkeypatch) -> list[int]:
    """How many runs each search for them gave; a page is small."""
    from mlflow import MlflowClient

    from lttune.study.tracking import runs

    found, search = list[int](), MlflowClient.search_runs

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        page = search(self, *given, **named)
        found.append(len(page))
        return page

    monkeypatch.setattr(runs, "_PAGE", 3)
    monkeypatch.setattr(MlflowClient, "search_runs", noted)
    return found


def told(tracker: Tracker, count: int, levels: int) -> str:
    """Tells a study of so many trials; returns what is said at its end."""
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    for number in range(count):
        run_trial(tracker, number, levels)
        tracker.end_trial(number, "FINISHED", {"best_accuracy": 0.9})
    tracker.finish("FINISHED")
    return tracker.close(60)


def check(uri: str, study: str, count: int, levels: int) -> None:
    store = TrackedRuns(uri)
    found = store.runs(study)
    assert len(found) == count + 1
    for number in range(count):
        run = found[f"trial-{number:03}"]
        assert run.info.status == "FINISHED"
        assert store.steps(run, "density") == list(range(levels))


@pytest.mark.parametrize("is_at_once", [False, True])
def test_a_study_goes_on_with_what_is_there_and_little_of_it_is_kept(
    is_at_once, uri, pages, monkeypatch
):
    """Also where all of its trials have started in one millisecond."""
    if is_at_once:
        monkeypatch.setattr("lttune.study.tracking.values.now", lambda: 1_000)
    study = f"again-{is_at_once}"
    assert told(Tracker(uri, study), TRIALS, levels=1) == ""
    pages.clear()
    tracker = Tracker(uri, study)
    assert told(tracker, TRIALS + 2, levels=2) == ""
    # The study's own, those that still run at its start and end, and what a page holds.
    assert max(pages) <= 3
    assert len(tracker._sender._runs._known) == 1
    assert tracker._sender._runs._page == {}
    check(uri, study, TRIALS + 2, levels=2)


def test_runs_that_somebody_deletes_meanwhile_have_no_other_made_twice(uri, pages, monkeypatch):
    from lttune.study.tracking.runs import Runs

    study = "deleted"
    assert told(Tracker(uri, study), TRIALS, levels=1) == ""
    store, turn = TrackedRuns(uri), Runs._turn_page

    def deleting(self: Runs) -> None:
        turn(self)
        found = store.runs(study)
        for name in ("trial-000", "trial-001") if "trial-000" in found else ():
            store.client.delete_run(found[name].info.run_id)

    monkeypatch.setattr(Runs, "_turn_page", deleting)
    tracker = Tracker(uri, study)
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    for number in range(2, TRIALS):
        run_trial(tracker, number, levels=2)
        tracker.end_trial(number, "FINISHED", {"best_accuracy": 0.9})
    tracker.finish("FINISHED")
    assert tracker.close(60) == ""
    assert len(store.runs(study)) == TRIALS - 2 + 1


def test_runs_of_another_study_of_the_name_are_left(uri, pages):
    assert told(Tracker(uri, "shared", "one"), TRIALS, levels=1) == ""
    assert told(Tracker(uri, "shared", "other"), 2, levels=2) == ""
    client = TrackedRuns(uri).client
    experiment = client.get_experiment_by_name("shared")
    assert experiment is not None
    whose = [r.data.tags["lttune.study_id"] for r in client.search_runs([experiment.experiment_id])]
    assert (whose.count("one"), whose.count("other")) == (TRIALS + 1, 3)


def test_a_trial_that_a_killed_driver_left_running_is_ended_wherever_its_run_is(uri, pages):
    study = "left"
    assert told(Tracker(uri, study), TRIALS, levels=1) == ""
    store = TrackedRuns(uri)
    left = store.runs(study)["trial-006"].info.run_id
    store.client.update_run(left, status="RUNNING")
    tracker = Tracker(uri, study)
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    assert tracker.close(60) == ""
    assert store.client.get_run(left).info.status == "KILLED"
