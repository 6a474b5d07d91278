"""Ray does not start, or a worker does not: one line, no traceback."""

from __future__ import annotations

import dataclasses
import gc
import math
import os
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, call

import pytest
import ray
import searching
from digits_study import SMOKE
from ray.exceptions import AuthenticationError
from ray.tune.experiment import Trial as TuneTrial

from lttune.errors import ResourceError
from lttune.records.capacity import capacity
from lttune.records.ledger import listing_in
from lttune.study.workers import cluster
from lttune.study.workers.cluster import QUIET, require_cluster, start_ray
from lttune.study.workers.cores import gpu_share
from lttune.study.workers.tune import _Bridge


@pytest.mark.parametrize("kind", [Exception, ConnectionError, AuthenticationError])
def test_what_keeps_ray_from_starting_is_one_line(kind, monkeypatch):
    def init(**options: Any) -> None:
        raise kind("The current node timed out during startup.\nThis could happen because ...")

    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ResourceError) as error:
        start_ray(SMOKE)
    line = "Ray cannot be started on this machine: The current node timed out during startup."
    assert str(error.value) == line


class _AskedError(Exception):
    """Ends a start of Ray once it is known what was asked of it."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Returns what a study asks Ray for when it starts one; nothing is started."""

    def options(**changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def init(**options: Any) -> None:
            found.update(options)
            raise _AskedError

        for name, value in QUIET.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ray, "init", init)
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        with pytest.raises(ResourceError):
            start_ray(dataclasses.replace(SMOKE, **changes))
        return found

    return options


def test_ray_takes_the_cores_and_the_memory_of_the_job_and_not_the_machines(asked, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.setattr(cluster, "capacity", lambda: capacity(Path("nowhere")))
    assert (asked()["num_cpus"], "object_store_memory" in asked()) == (64, False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1024")
    options = asked()
    assert (options["num_cpus"], options["object_store_memory"]) == (3, int(0.3 * (1 << 30)))
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "64")
    assert asked()["object_store_memory"] == 75 << 20
    # What a cluster has its nodes say, which have folders and dashboards of their own.
    joined = {"address", "log_to_driver", "logging_level"}
    assert asked(address="10.0.0.1:6379").keys() == joined


@pytest.mark.parametrize(
    ("variables", "longest"),
    [
        ({"TMPDIR": "/" + 80 * "x"}, "TMPDIR"),
        ({"RAY_TMPDIR": "/y" * 40, "TMPDIR": "/tmp"}, "RAY_TMPDIR"),
    ],
)
def test_a_long_folder_of_temporary_files_is_refused_with_the_way_out(
    monkeypatch, variables, longest
):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session = f"session_2026-01-02_03-04-05_678901_{os.getpid()}"
    below = f"/ray-{os.getuid()}/ray/{session}/sockets/plasma_store"
    most = 107 - len(below)
    with pytest.raises(ResourceError) as error:
        require_cluster(SMOKE)
    text = str(error.value)
    assert text.startswith(f"{longest} must be at most {most} bytes long, so that the sockets that")
    assert text.endswith(
        f"{variables[longest]}; export RAY_TMPDIR=/tmp or another short folder of your own"
    )
    monkeypatch.setenv("RAY_TMPDIR", "/" + (most - 1) * "x")
    require_cluster(SMOKE)
    # The nodes of a cluster have folders of their own.
    monkeypatch.setenv("RAY_TMPDIR", "/" + most * "x")
    require_cluster(dataclasses.replace(SMOKE, address="10.0.0.1:6379"))


def test_only_its_owner_can_read_the_token_that_ray_writes(tmp_path, monkeypatch):
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    cluster._keep_token_private()
    assert token.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("collects", [True, False])
def test_no_thread_collects_garbage_while_ray_ends(collects, monkeypatch):
    (gc.enable if collects else gc.disable)()

    class Knot:
        """What only a collection frees, as a reference to an object that Ray keeps may be."""

        def __init__(self) -> None:
            self.me = self

    knot = weakref.ref(Knot())
    seen = []

    def shutdown() -> None:
        seen.append((gc.isenabled(), knot()))
        raise OSError("Too many open files")

    monkeypatch.setattr(cluster.ray, "shutdown", shutdown)
    try:
        cluster.end_ray()
        assert seen == [(False, None)]
        assert gc.isenabled() == collects
    finally:
        gc.enable()


def test_a_trial_whose_worker_never_is_begins_twice_more_and_has_failed_then(tmp_path):
    book, listener = searching.ledger(tmp_path, search=1), Mock()
    search = searching.searcher(book)
    bridge = _Bridge(book, search, listener, "run")
    for ray_id in ("first", "second"):
        assert search.suggest(ray_id)["trial"] == 0
        # Ray tells of its error without having told of its start, the searcher first.
        search.on_trial_complete(ray_id, error=True)
        bridge.on_trial_error(0, [], SimpleNamespace(trial_id=ray_id))
        assert [trial["state"] for trial in listing_in(book.path, ())["trials"]] == ["waiting"]
        assert listener.mock_calls == []
    search.suggest("third")
    search.on_trial_complete("third", error=True)
    bridge.on_trial_error(0, [], SimpleNamespace(trial_id="third"))
    [mine] = book.trials
    assert (mine.state, mine.error) == (
        "failed",
        "its worker died; out of memory is the usual cause",
    )
    assert listener.mock_calls == [call.started(mine), call.ended(mine)]


def test_tune_keeps_no_rows_of_a_result_that_was_passed_on(tmp_path):
    book, passed = searching.ledger(tmp_path, search=1), []
    search = searching.searcher(book)
    listener = Mock(level=lambda trial, report: passed.append(dict(report)))
    bridge, trial = _Bridge(book, search, listener, "run"), SimpleNamespace(trial_id="one")
    search.suggest("one")
    bridge.on_trial_start(0, [], trial)
    result = {"level": 0, "val_accuracy": 0.5, "rows": [{"reused": False}], "layers": [{}]}
    whole = dict(result)
    bridge.on_trial_result(0, [], trial, result)
    assert passed == [whole]
    assert result == {"level": 0, "val_accuracy": 0.5}


def test_tune_keeps_neither_measurements_nor_settings_of_a_trial_that_has_ended(tmp_path):
    book = searching.ledger(tmp_path, search=1)
    search = searching.searcher(book)
    bridge = _Bridge(book, search, Mock(), Path("notes"))
    settings = {"trial": 0, "lottery": {"levels": 3}}
    trial = TuneTrial("stub", stub=True, config=settings, evaluated_params={"lottery/levels": 3})
    bare = len(trial.run_metadata.get_json_state())
    trial.set_status(TuneTrial.RUNNING)
    search.suggest(trial.trial_id)
    bridge.on_trial_start(0, [], trial)
    for level in range(3):
        result = {"level": level, "values": [0.5], **{f"measure_{n}": 0.5 for n in range(20)}}
        bridge.on_trial_result(0, [], trial, dict(result))
        trial.update_last_result(result)
    bridge.on_trial_complete(0, [], trial)
    # Tune asks for the last result until it has ended the trial.
    bridge.on_step_end(0, [trial])
    assert trial.last_result["level"] == 2
    trial.set_status(TuneTrial.TERMINATED)
    bridge.on_step_end(0, [trial])
    assert trial.last_result == {"done": True, "trial_id": trial.trial_id}
    assert len(trial.run_metadata.get_json_state()) < bare + 100
    trial.resolve_config_placeholders({})
    assert trial.config == trial.evaluated_params == {}


def test_a_trial_of_an_unfit_node_waits_again_however_often_and_has_not_failed(tmp_path):
    book, listener = searching.ledger(tmp_path, search=1), Mock()
    search = searching.searcher(book)
    bridge = _Bridge(book, search, listener, "run", Mock(has_unfit=lambda: True))
    for number in range(5):
        name = str(number)
        assert search.suggest(name)["trial"] == 0
        if number % 2:  # A trial that ran elsewhere, whose worker died, and which Ray repeats here.
            bridge.on_trial_start(0, [], SimpleNamespace(trial_id=name))
        search.on_trial_complete(name, error=True)
        bridge.on_trial_error(0, [], SimpleNamespace(trial_id=name))
        assert [one.state for one in book.trials] == ["waiting"]
    assert listener.put_off.call_count == 2
    assert listener.ended.call_count == 0


def test_who_asks_while_a_trial_runs_is_told_that_it_may_come_back(tmp_path):
    book = searching.ledger(tmp_path, search=1)
    search = searching.searcher(book)
    assert search.suggest("one")["trial"] == 0
    assert search.suggest("two") is None
    search.on_trial_complete("one", error=True)
    search.wait_again(book.trials[0])
    assert search.suggest("three")["trial"] == 0


@pytest.mark.parametrize(
    ("gpus", "trials", "each"), [(4, 6, 2), (2, 3, 2), (1, 6, 6), (4, 2, 1), (3, 3, 1), (0, 2, 0)]
)
def test_as_many_trials_share_each_gpu_and_all_have_room(gpus, trials, each):
    share = gpu_share(gpus, trials)
    assert share == pytest.approx(1 / each if each else 0, abs=1e-4)
    assert round(share * 10_000) * each <= 10_000
    assert not each or gpus * math.floor(10_000 / round(10_000 * share)) >= trials
