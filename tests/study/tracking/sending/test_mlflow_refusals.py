"""What a server refuses is passed over, what may pass is tried again, who may not is told."""

from __future__ import annotations

import pytest
import requests
from tracked import TrackedRuns, run_trial, start

from lttune.study.tracking.tracker import Tracker

pytestmark = pytest.mark.slow  # MLflow is imported.


def sent_file_error(status: int) -> requests.HTTPError:
    """The error of a file that is sent to a server, which keeps it."""
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status} Error", response=response)


@pytest.mark.parametrize(
    ("status", "is_last"),
    [
        *((status, True) for status in (400, 404, 413)),
        *((status, False) for status in (401, 403, 408, 429, 500, 502, 503)),
    ],
)
def test_a_file_that_the_server_never_takes_is_not_sent_again(status, is_last):
    from lttune.study.tracking.store import is_refusal

    assert is_refusal(sent_file_error(status)) == is_last


def test_who_may_not_is_told_in_words(tmp_path):
    from mlflow.exceptions import MlflowException
    from mlflow.protos import databricks_pb2 as codes

    from lttune.study.tracking.store import forbidden

    for error in (sent_file_error(401), MlflowException("x", codes.UNAUTHENTICATED)):
        assert forbidden(error).startswith("the server refuses the login, or was sent none (401): ")
    for error in (sent_file_error(403), MlflowException("x", codes.PERMISSION_DENIED)):
        assert "another user may have this name" in forbidden(error)
    for error in (sent_file_error(500), MlflowException("x"), OSError("x"), ValueError("x")):
        assert forbidden(error) == ""


def test_a_report_that_a_proxy_finds_too_large_keeps_nothing_else_back(tmp_path, monkeypatch):
    from mlflow import MlflowClient

    sent = []

    def refuse(*given: object) -> None:
        sent.append(given)
        raise sent_file_error(413)

    monkeypatch.setattr(MlflowClient, "log_artifact", refuse)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tracker = Tracker(uri, "large")
    start(tracker, tmp_path)
    run_trial(tracker, 0)
    tracker.end_trial(0, "FINISHED", {"best_accuracy": 0.9})
    tracker.finish("FINISHED")
    assert tracker.close(60) == "MLflow refused 1 entries: 413 Error."
    assert len(sent) == 1  # It may be of hundreds of megabytes.
    store = TrackedRuns(uri)
    assert store.steps(store.runs("large")["trial-000"], "density") == [0, 1, 2]
