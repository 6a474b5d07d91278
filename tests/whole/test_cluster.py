"""A study on a cluster of two or three nodes, which are processes of this machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import digits_study
import psutil
import pytest
import ray
from digits_place import StudyPlace, lasting
from digits_study import STUDY
from one_process import one_process
from ray.cluster_utils import Cluster

from benchmarks.workers import workers
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.study.conductor import Conductor
from lttune.study.main import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BARE = {"include_dashboard": False}
"""A node without the servers that a browser would ask."""


@contextlib.contextmanager
def nodes_of_one_core(number: int) -> Iterator[Cluster]:
    """Nodes with one core each, the head's and others."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **BARE})
    try:
        for _ in range(number - 1):
            cluster.add_node(num_cpus=1, **BARE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with nodes_of_one_core(2) as cluster:
        yield cluster


def raylet_of(pid: int) -> int:
    """Returns the process of the node that a worker belongs to."""
    return psutil.Process(pid).ppid()


def raylets(cluster: Cluster) -> list[int]:
    """Returns the process of each node."""
    nodes = (cluster.head_node, *cluster.worker_nodes)
    return [one.process.pid for node in nodes for one in node.all_processes["raylet"]]


def wait_for_all(cluster: Cluster) -> None:
    """Waits until each node has a worker.

    The first would else do all trials where the other's worker takes longer to start.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(map(workers, raylets(cluster))):
        time.sleep(0.05)


def test_a_study_runs_on_every_node_of_a_cluster(cluster, tmp_path, monkeypatch, cwd, capsys):
    nodes: dict[int, set[int]] = {}
    level = Conductor.level

    def noted(self: Conductor, trial: Any, report: Any) -> None:
        if not nodes:
            wait_for_all(cluster)
        nodes.setdefault(raylet_of(report["pid"]), set()).add(trial.number)
        level(self, trial, report)

    monkeypatch.setattr(Conductor, "level", noted)
    flags = ["--address", cluster.address, "--out", str(tmp_path / "out"), "--trials", "2"]
    flags += ["--engine", "torch"]
    flags += ["--tracking-uri", f"sqlite:///{tmp_path}/out/mlflow.db"]
    assert main(STUDY, digits_study.report, "", flags) == 0
    assert "complete: 4 of 4 trials" in capsys.readouterr().out
    assert len(nodes) == 2
    assert set.union(*nodes.values()) == {0, 1, 2, 3}
    folder = tmp_path / "out" / "digits"
    states = [trial["state"] for trial in read_json(folder / "trials.json")["trials"]]
    assert states == ["complete"] * 4
    trials = [row["trial"] for row in read(folder / "records.parquet")]
    assert [trials.count(number) for number in (0, 1)] == [7, 7]
    assert set(trials) == {0, 1, 2, 3}
    assert list(cwd.iterdir()) == []
    assert not ray.is_initialized()


def test_a_node_that_is_lost_costs_nothing(tmp_path, monkeypatch, cwd):
    lost: list[int] = []
    level = Conductor.level
    flags = ["--trials", "2", "--engine", "torch"]

    with nodes_of_one_core(3) as cluster:
        node, _ = cluster.worker_nodes
        (raylet,) = (one.process.pid for one in node.all_processes["raylet"])
        seen: list[int] = []

        def losing(self: Conductor, trial: Any, report: Any) -> None:
            if not seen:
                wait_for_all(cluster)
            seen.append(report["pid"])
            level(self, trial, report)
            if not lost and raylet_of(report["pid"]) == raylet:
                lost.append(trial.number)
                cluster.remove_node(node, allow_graceful=False)

        with monkeypatch.context() as patch:
            patch.setattr(Conductor, "level", losing)
            ended = StudyPlace(tmp_path / "lost", cluster.address).run(*flags)
    assert len(lost) == 1
    assert (ended.exit_code, ended.states()) == (0, ["complete"] * 4), ended.printed
    with one_process():
        alone = StudyPlace(tmp_path / "alone").run(*flags, "--max-concurrent", "1")
    assert lasting(ended.rows()) == lasting(alone.rows())
    assert ended.statuses() == alone.statuses()
