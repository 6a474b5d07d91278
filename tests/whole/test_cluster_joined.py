"""A node that joins while trials run and is unlike the driver: told in a line, without trials."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from digits_place import StudyPlace
from ray.cluster_utils import Cluster

import lttune
from lttune.study.conductor import Conductor
from lttune.study.workers.joined import JoinedNodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BARE = {"include_dashboard": False}
NONE_AT_ALL = "raise ImportError('not here')\n"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head that runs no trials."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **BARE})
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
    (line,) = lines
    assert line.startswith("node ")
    assert line.endswith("; until then trials run elsewhere")
    assert told in line
    assert line in place.printed.replace("\n", " ")
