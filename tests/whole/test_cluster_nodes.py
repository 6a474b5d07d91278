"""Nodes of a real cluster that are unlike the driver; each is a process of this machine."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from digits_place import StudyPlace
from one_process import one_process
from ray._private.state import available_resources_per_node
from ray.cluster_utils import Cluster

import lttune
from lttune.errors import JointError, ResourceError, StorageError
from lttune.store.plain_json import read_json
from lttune.study.settings import StudyConfig
from lttune.study.workers import answers, nodes
from lttune.study.workers.cluster import start_ray
from lttune.study.workers.cores import Cores, kept_free

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BARE = {"include_dashboard": False}
"""A node without the servers that a browser would ask."""
NO_NUMBA = "raise ModuleNotFoundError(\"No module named 'numba'\", name='numba')\n"
DIES_ONCE = """
import os, pathlib
mark = pathlib.Path(__file__).with_name("died")
if not mark.exists():
    mark.touch()
    os._exit(1)
"""
OLD = DIES_ONCE + "__version__ = '0.0.1'\n"


def with_package(folder: Path, name: str, code: str) -> dict[str, str]:
    """Returns the environment of a node on which a package is another one."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)
    ours = Path(lttune.__file__).parents[1]
    return {"PYTHONPATH": os.pathsep.join(map(str, (folder, ours)))}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with one core, and a node with two that lacks numba."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **BARE})
    try:
        lacking = with_package(tmp_path_factory.mktemp("lacking"), "numba", NO_NUMBA)
        cluster.add_node(num_cpus=2, env_vars=lacking, **BARE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def joined(cluster: Cluster, tmp_path: Path, cwd: Path) -> Iterator[StudyConfig]:
    """The settings of a study that has joined the cluster.

    Workers look for packages in the driver's folder first, where none may be.
    """
    config = StudyConfig(name="x", out=tmp_path, address=cluster.address)
    Path(config.cells).mkdir()
    start_ray(config)
    yield config
    ray.shutdown()


def test_a_study_uses_the_engine_that_all_nodes_have_and_goes_on_with_it(cluster, tmp_path, cwd):
    place = StudyPlace(tmp_path, cluster.address).run("--trials", "1")
    assert (place.exit_code, place.states()) == (0, ["complete"] * 3), place.printed
    said = [line for line in place.printed.splitlines() if line.startswith("engine: ")]
    assert len(said) == 1
    assert said[0].startswith("engine: torch (node ")
    assert said[0].endswith(": numba is not installed)")
    rows = place.rows()
    assert {row["numerics"].partition("-")[0] for row in rows} == {"torch"}
    assert {row["host"] for row in rows} == {socket.gethostname()}
    sheet = read_json(place.folder / "study.json")
    assert {sheet["numerics"], sheet["runs"][0]["numerics"]} == {rows[0]["numerics"]}
    # Where all is there that the fast engine needs, it goes on with the one that it has.
    with one_process():
        again = StudyPlace(tmp_path).run("--trials", "2")
    assert (again.exit_code, again.states()) == (0, ["complete"] * 4), again.printed
    assert "engine: torch (the study began with it)" in again.printed
    assert {row["numerics"] for row in again.rows()} == {rows[0]["numerics"]}


def test_a_cluster_of_other_versions_is_one_clear_line(cluster, tmp_path, monkeypatch):
    config = StudyConfig(name="x", out=tmp_path, address=cluster.address)
    monkeypatch.setattr(ray._private.utils, "compute_version_info", lambda: ("2.59.0", "3.11.99"))
    try:
        with pytest.raises(ResourceError) as error:
            start_ray(config)
    finally:
        ray.shutdown()
    assert str(error.value) == (
        f"the cluster at address {cluster.address!r} has Ray {ray.__version__} and Python "
        f"{platform.python_version()}, the driver Ray 2.59.0 and Python 3.11.99: run it with the "
        "cluster's"
    )


def test_cores_that_a_job_may_not_use_are_kept_free_on_their_node(joined):
    here = ray.get_runtime_context().get_node_id()
    (node,) = [one for one in answers.nodes_for("cpu") if one.id != here]
    counts = {node: Cores(counted=2, allowed=1, allowed_by="affinity")}
    assert kept_free(counts)[0] == 1.0
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and available_resources_per_node()[node.id]["CPU"] != 1:
        time.sleep(0.1)
    free = {one: found.get("CPU") for one, found in available_resources_per_node().items()}
    assert sorted(free.values()) == [1.0, 1.0]


def test_a_disk_of_its_own_is_told(joined, monkeypatch):
    question = answers.question

    def misled() -> Any:
        ask = question()
        return lambda asked: ask({**asked, "mark": f"{asked['mark']}-elsewhere"})

    # All nodes share this machine's disk: the other one looks for what the driver did not write.
    monkeypatch.setattr(answers, "question", misled)
    with pytest.raises(StorageError) as error:
        nodes.agreed(joined, "torch", {"CPU": 3.0}, is_begun=False)
    assert str(error.value).startswith("out must be a folder that every node reaches: node ")
    assert f" has another folder at {joined.cells}: mount there what" in str(error.value)
    assert list(Path(joined.cells).iterdir()) == []


def test_all_that_is_wrong_with_nodes_is_told_at_once(cluster, joined, tmp_path, monkeypatch):
    known = {node.id for node in answers.nodes_for("cpu")}
    with contextlib.ExitStack() as stack:
        old = with_package(tmp_path / "old", "lttune", OLD)
        bare = with_package(tmp_path / "bare", "lttune", "raise ImportError('not here')\n")
        made = [cluster.add_node(num_cpus=1, env_vars=env, **BARE) for env in (old, bare, {})]
        for one in made:
            stack.callback(cluster.remove_node, one)
        cluster.wait_for_nodes()
        busy = made[-1].all_processes["raylet"][0].process.pid
        os.kill(busy, signal.SIGSTOP)
        stack.callback(os.kill, busy, signal.SIGCONT)
        new = [node for node in answers.nodes_for("cpu") if node.id not in known]
        assert len(new) == 3
        monkeypatch.setattr(nodes, "nodes_for", lambda device: new)
        monkeypatch.setattr(answers, "ANSWER_S", 15.0)
        began = time.monotonic()
        with pytest.raises(JointError) as error:
            nodes.agreed(joined, "torch", {"CPU": 6.0}, is_begun=False)
        assert time.monotonic() - began < 25
    names = {node.id: node.name for node in new}
    told = str(error.value).split("\n")
    # A worker that died was asked again.
    mine = lttune.__version__
    assert sorted(line.partition(") ")[2] for line in told) == [
        "cannot run lttune (ImportError: not here): install it for the Python that Ray runs with "
        "there",
        f"has lttune 0.0.1, the driver {mine}: install the driver's there",
        "has not answered for 15 s: it is busy, or starts no process; lessen its load, or end Ray "
        "there, and run the same command again",
    ]
    assert {line.partition(") ")[0] + ")" for line in told} == set(names.values())
