"""Nodes that join while trials run: those like the driver get some, others are told in a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from digits_place import StudyPlace
from ray.cluster_utils import Cluster

import lttune
from lttune.study.conductor import Conductor
from lttune.study.workers import joined
from lttune.study.workers.joined import JoinedNodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BARE = {"include_dashboard": False}
NONE_AT_ALL = "raise ImportError('not here')\n"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that runs no trials."""
    with cluster_of(0) as made:
        yield made


@contextmanager
def cluster_of(cores: int) -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, **BARE})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def other_sources(folder: Path) -> None:
    shutil.copytree(Path(lttune.__file__).parent, folder / "lttune")
    with (folder / "lttune" / "errors.py").open("a") as file:
        file.write("# Another one.\n")


def no_lttune(folder: Path) -> None:
    (folder / "lttune").mkdir(parents=True)
    (folder / "lttune" / "__init__.py").write_text(NONE_AT_ALL)


@pytest.mark.parametrize(
    ("has", "told"),
    [
        (other_sources, f"has other sources of lttune {lttune.__version__} than the driver: copy"),
        (no_lttune, "cannot run lttune (ImportError: not here): install it for"),
    ],
)
def test_trials_of_a_node_that_joined_and_is_unlike_the_driver_run_elsewhere(
    has: Callable[[Path], None], told: str, cluster, tmp_path, cwd, monkeypatch
):
    """It takes the place of one that died; the driver asks it only when its worker has died."""
    first = cluster.add_node(num_cpus=1, **BARE)
    cluster.wait_for_nodes()
    has(other := tmp_path / "other")
    lines, looks, swapped = list[str](), list[Any](), list[Any]()
    asks, level, tell = JoinedNodes.has_unfit, Conductor.level, Conductor.told

    def swap(self: Conductor, trial: Any, report: Any) -> None:
        level(self, trial, report)
        if not swapped:
            cluster.remove_node(first)
            env = {"PYTHONPATH": str(other)}
            swapped.append(cluster.add_node(num_cpus=1, env_vars=env, **BARE))

    def late(self: JoinedNodes) -> bool:
        looks.append(self)
        return len(looks) > 1 and asks(self)

    def told_and_mended(self: Conductor, text: str) -> None:
        tell(self, text)
        if not lines:
            cluster.add_node(num_cpus=1, **BARE)
        lines.append(text)

    monkeypatch.setattr(Conductor, "level", swap)
    monkeypatch.setattr(Conductor, "told", told_and_mended)
    monkeypatch.setattr(JoinedNodes, "has_unfit", late)
    place = StudyPlace(tmp_path, cluster.address).run("--trials", "1")
    assert (place.exit_code, {*place.states()}) == (0, {"complete"}), place.printed
    (line,) = [one for one in lines if " joined: " not in one]
    assert line.startswith("node ")
    assert line.endswith("; until then trials run elsewhere")
    assert told in line
    assert line in place.printed.replace("\n", " ")


@pytest.mark.parametrize(("flags", "most"), [((), {2, 3}), (("--max-concurrent", "1"), {1})])
@pytest.mark.usefixtures("cwd")
def test_cores_that_join_run_trials(flags, most, tmp_path, monkeypatch):
    """As where a study begins while a cluster's nodes are still being made."""
    running, widest, added = set[int](), [0], list[Any]()
    started, level, ended = Conductor.started, Conductor.level, Conductor.ended
    monkeypatch.setattr(joined, "TOUCHED_S", 0.5)

    def start(self: Conductor, trial: Any) -> None:
        running.add(trial.number)
        widest.append(len(running))
        started(self, trial)

    def end(self: Conductor, trial: Any) -> None:
        running.discard(trial.number)
        ended(self, trial)

    with cluster_of(1) as cluster:
        cluster.wait_for_nodes()

        def grow(self: Conductor, trial: Any, report: Any) -> None:
            level(self, trial, report)
            if not added:
                added.append(cluster.add_node(num_cpus=2, **BARE))
                cluster.wait_for_nodes()

        monkeypatch.setattr(Conductor, "started", start)
        monkeypatch.setattr(Conductor, "ended", end)
        monkeypatch.setattr(Conductor, "level", grow)
        place = StudyPlace(tmp_path, cluster.address).run(
            *("--trials", "8", "--lottery.train.steps", "20000"), *flags
        )
    assert (place.exit_code, {*place.states()}) == (0, {"complete"}), place.printed
    assert " joined: 2 cores more for trials" in place.printed.replace("\n", " ")
    assert max(widest) in most
