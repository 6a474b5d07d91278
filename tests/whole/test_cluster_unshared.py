"""A cluster whose nodes share no folder: networks are behind a URL, all else is the driver's."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from digits_place import StudyPlace, lasting
from object_store import ObjectStore
from one_process import one_process
from ray.cluster_utils import Cluster

from lttune.errors import StorageError
from lttune.study.settings import StudyConfig
from lttune.study.workers import nodes
from lttune.study.workers.cluster import start_ray

OTHER_DISK = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]


def _makes_disks() -> bool:
    try:
        return subprocess.run([*OTHER_DISK, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not _makes_disks(), reason="only root may give a process other disks"),
]


@contextlib.contextmanager
def node(cluster: Cluster, hidden: Path, environment: dict[str, str]) -> Iterator[None]:
    """Adds a node of one core that sees another, empty disk at a folder."""
    before = {one["NodeID"] for one in ray.nodes()}
    ray_start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus", "1"]
    start = shlex.join([*ray_start, "--address", cluster.address])
    there = f"mount -t tmpfs tmpfs {shlex.quote(str(hidden))} && exec {start}"
    process = subprocess.Popen(
        [*OTHER_DISK, there],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not {one["NodeID"] for one in ray.nodes() if one["Alive"]} - before:
            assert process.poll() is None, "the node does not start"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that runs no trials: on a busy machine either node may be done before the other is."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def test_a_study_runs_on_nodes_that_share_no_folder(
    bucket: ObjectStore, cluster: Cluster, tmp_path: Path, cwd: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    config = StudyConfig(name="x", out=out, address=cluster.address, store=bucket.url)
    start_ray(config)
    caches = [tmp_path / "caches", tmp_path / "node"]
    with node(cluster, out, {"XDG_CACHE_HOME": str(caches[1])}):
        # A node that cannot keep what it reads is told before anything is trained.
        caches[1].write_text("")
        with pytest.raises(StorageError) as error:
            nodes.agreed(config, "torch", {"CPU": 1.0}, is_begun=False)
        line = "store must be one that every node reaches: node "
        assert str(error.value).startswith(line)
        assert f" says: cannot write to {caches[1]}/lttune/stores/" in str(error.value)
        assert bucket.objects() == {}
        caches[1].unlink()
        ray.shutdown()
        place = StudyPlace(tmp_path, cluster.address).run("--store", bucket.url)
    assert (place.exit_code, set(place.states())) == (0, {"complete"}), place.printed
    assert not (out / "cells").exists()
    # The node trained all, with a cache of its own.
    kept = {one.name for one in caches[1].glob("lttune/stores/*/??/*")}
    assert kept == bucket.cells().keys() != set()
    with one_process():
        alone = StudyPlace(tmp_path / "alone").run()
    assert lasting(place.rows()) == lasting(alone.rows())
