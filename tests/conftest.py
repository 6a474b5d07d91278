"""Every test has an environment of its own: no MLflow server, no token, no user's setting."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says how busy a machine is: one of 4 ms took 392 beside other work.
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

# Small matrices: on more threads the linear algebra of a test mostly waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray reads these when it is first imported. Without a mode of its own it would write a token into
# the user's home.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# lttune sets this before it imports MLflow; some tests import MLflow before lttune does.
os.environ["MLFLOW_LOGGING_LEVEL"] = "CRITICAL"
for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
    os.environ.pop(name, None)
for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
    os.environ.pop(f"MLFLOW_TRACKING_{name}", None)


# What is imported and collected stays until the end: to look through it for garbage again and again
# is a twentieth of the tests' time.
gc.disable()

LONGEST = (
    *("benchmarks", "studies", "phases", "study", "mlflow", "choice", "cache", "cluster"),
    *("wheel", "tracking", "results", "importance", "report"),
)
"""Words in the names of the files that take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first, so that no test process ends with one while others idle."""

    def place(item: pytest.Item) -> int:
        words = item.path.stem.split("_")
        return next((n for n, word in enumerate(LONGEST) if word in words), len(LONGEST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Collects garbage from here on, of what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of its own to work in."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """One Ray head for all studies of this process but those that test Ray's start or end.

    A head takes as long to come up as such a study takes to run.
    """
    # Ray takes seconds to import: most tests should not wait.
    from ray.cluster_utils import Cluster

    from lttune.study.workers.cluster import QUIET

    # What a study sets before it starts a head of its own, whose workers then have it.
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    # Nobody reads the logs here, and no node joins.
    idle = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
    head = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **idle})
    yield head.address
    head.shutdown()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of a server that speaks S3, one for all buckets of this process."""
    from object_store import serving

    with serving() as port:
        yield port


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with credentials for that server, and caches of its own."""
    from object_store import MACHINE

    for name, value in MACHINE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def bucket(s3_port: int, machine: None) -> Any:
    """A bucket of its own (``object_store.ObjectStore``)."""
    from object_store import bucket_of

    return bucket_of(s3_port)
