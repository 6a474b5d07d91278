"""What is made of the answers of a cluster's nodes; the nodes are stand-ins."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path
from typing import Any

import pytest
import ray
from digits_study import SMOKE, STUDY
from one_worker import reports, worker

import lttune
from lttune.config.machine import EngineName
from lttune.errors import JointError, LttuneError, ResourceError, StorageError
from lttune.records import provenance
from lttune.records.capacity import AFFINITY, MACHINE, capacity
from lttune.store.plain_json import read_json
from lttune.study.manifest import begun_with
from lttune.study.prepared import Prepared, prepared
from lttune.study.settings import StudyConfig
from lttune.study.workers import cores, nodes
from lttune.study.workers.answers import Answers, Node, nodes_for
from lttune.study.workers.look import disk_trouble, look
from lttune.training import engines
from lttune.training.engines import choice, sparse

HERE, ONE, TWO = (
    Node(id=id_, name=name, cores=2.0)
    for id_, name in (("a", "node 10.0.0.1 (head)"), ("b", "node 10.0.0.2"), ("c", "node 10.0.0.3"))
)
ALIKE: dict[str, Any] = {
    "python": platform.python_version(),
    "ray": ray.__version__,
    "version": lttune.__version__,
    "sources": "mine",
    "disk": "",
    "lacks": {"torch": ""},
    "numerics": {"torch": engines.make("torch", "cpu").numerics},
    "cpu": provenance.cpu_model(),
    "cores": 2,
    "cores_by": MACHINE,
    "counted": 2,
}
NO_NUMBA = {
    "lacks": {"sparse": "numba is not installed", "torch": ""},
    "numerics": ALIKE["numerics"],
}


@pytest.fixture
def agree(monkeypatch, tmp_path):
    """Returns what is agreed on where two other nodes answer so."""
    monkeypatch.setattr(nodes, "_here", lambda: HERE.id)
    monkeypatch.setattr(nodes, "nodes_for", lambda device: [HERE, ONE, TWO])
    monkeypatch.setattr(nodes, "capacity", lambda: dataclasses.replace(capacity(), cores=2))
    monkeypatch.setattr(nodes.provenance, "sources", lambda: "mine")
    monkeypatch.setattr(cores.utils, "get_num_cpus", lambda **options: 2)

    def agree(
        one: dict[str, Any],
        two: dict[str, Any],
        engine: str = "torch",
        asked: EngineName = "auto",
        is_begun: bool = False,
        troubles: tuple[str, ...] = (),
    ) -> nodes.Agreement:
        found = {ONE: {**ALIKE, **one}, TWO: {**ALIKE, **two}}
        answers = Answers(found=found, troubles=troubles)
        monkeypatch.setattr(nodes, "ask_all", lambda *asked: answers)
        config = StudyConfig(name="x", out=tmp_path, address="10.0.0.1:6379", engine=asked)
        Path(config.cells).mkdir(exist_ok=True)
        found = nodes.agreed(config, engine, {"CPU": 6.0}, is_begun)
        assert list(Path(config.cells).iterdir()) == []
        return found

    return agree


def lines(error: LttuneError) -> list[str]:
    return str(error).split("\n")


def test_nodes_that_are_alike_need_no_word(agree):
    asked = frozenset({HERE.id, ONE.id, TWO.id})
    found = agree({}, {})
    assert (found.engine, found.reason, found.cores) == ("torch", "", 6.0)
    assert (found.nodes, found.lines) == (asked, ())
    assert [*found.kinds] == ["the driver's node", ONE.name, TWO.name]


def test_a_ray_of_this_machine_asks_nobody(tmp_path):
    config = StudyConfig(name="x", out=tmp_path)
    found = nodes.agreed(config, "sparse", {"CPU": 3.0}, False)
    assert (found.cores, found.nodes) == (3.0, None)


@pytest.mark.parametrize(
    ("unlike", "told"),
    [
        ({"python": "3.10.2"}, "has Python 3.10, the driver 3."),
        ({"ray": "2.59.0"}, f"has Ray 2.59.0, the driver {ray.__version__}: give all nodes"),
        ({"version": "0.0.1"}, f"has lttune 0.0.1, the driver {lttune.__version__}: install"),
        (
            {"sources": "another's"},
            f"has other sources of lttune {lttune.__version__} than the driver: copy the driver's",
        ),
        ({"error": "ImportError: no torch"}, "cannot run lttune (ImportError: no torch): install"),
    ],
)
def test_a_node_unlike_the_driver_is_one_line(agree, unlike, told):
    with pytest.raises(ResourceError) as error:
        agree({}, unlike)
    assert str(error.value).startswith(f"{TWO.name} {told}")
    assert len(lines(error.value)) == 1


def test_the_last_digit_of_python_may_differ(agree):
    minor, _, _ = platform.python_version().rpartition(".")
    assert agree({"python": f"{minor}.99"}, {}).engine == "torch"


def test_each_node_has_its_line_and_those_about_disks_come_first(agree):
    silent = "node 10.0.0.4 has not answered for 300 s"
    with pytest.raises(JointError) as error:
        agree({"version": "0.0.1"}, {"disk": "does not see /x"}, troubles=(silent,))
    assert lines(error.value) == [
        f"out must be a folder that every node reaches: {TWO.name} does not see /x",
        silent,
        f"{ONE.name} has lttune 0.0.1, the driver {lttune.__version__}: install the driver's there",
    ]
    assert error.value.exit_code == StorageError.exit_code
    with pytest.raises(ResourceError, match="has not answered"):
        agree({}, {}, troubles=(silent,))


def test_all_use_the_engine_that_all_have(agree):
    both = {"lacks": {"sparse": "", "torch": ""}, "numerics": ALIKE["numerics"]}
    found = agree(both, NO_NUMBA, "sparse")
    assert (found.engine, found.reason) == ("torch", f"{TWO.name}: numba is not installed")
    found = agree(NO_NUMBA, NO_NUMBA, "sparse")
    assert found.reason == f"{ONE.name}, {TWO.name}: numba is not installed"
    assert found.lines == ()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"asked": "sparse"}, "the engine sparse was asked for, but "),
        ({"is_begun": True}, "the engine sparse trained what the study has, but "),
    ],
)
def test_no_other_engine_takes_the_place_of_one_that_must_be(agree, how, told):
    with pytest.raises(JointError) as error:
        agree(NO_NUMBA, NO_NUMBA, "sparse", **how)
    mend = "numba is not installed; mend that, or end Ray there"
    assert lines(error.value) == [f"{told}{node.name}: {mend}" for node in (ONE, TWO)]
    assert error.value.exit_code == ResourceError.exit_code


def test_other_numerics_and_other_cpus_under_one_name_are_said(agree):
    mine, cpu = ALIKE["numerics"]["torch"], ALIKE["cpu"]
    found = agree({"numerics": {"torch": "torch-0/cpu-NONE"}}, {"cpu": "Abacus"})
    assert list(found.lines) == [
        f"networks are kept apart by what computes them: {mine} on the driver's node, {TWO.name}; "
        f"torch-0/cpu-NONE on {ONE.name}",
        f"CPUs that PyTorch takes for one kind may differ in last bits: {cpu} on the driver's node;"
        f" Abacus on {TWO.name}",
    ]


def test_trials_leave_the_cores_that_a_job_may_not_use(agree, monkeypatch):
    reserved: list[Any] = []
    monkeypatch.setattr(
        cores, "placement_group", lambda *args, **named: reserved.append((args, named))
    )
    found = agree({"cores": 1, "cores_by": AFFINITY}, {"cores": 1, "counted": 8})
    assert found.cores == 5.0
    assert list(found.lines) == [
        f"{ONE.name}: trials take 1 of the 2 cores that Ray counts there: its job may use no more "
        "(affinity)"
    ]
    # Of the other node somebody told Ray how many it has.
    place = {"bundle_label_selector": [{"ray.io/node-id": ONE.id}]}
    assert reserved == [(([{"CPU": 1.0}],), place)]


def node(port: int, **changes: Any) -> dict[str, Any]:
    named = {"NodeID": str(port), "NodeManagerAddress": "10.0.0.1", "NodeManagerPort": port}
    resources = {"CPU": 4.0}
    return {**named, "NodeManagerHostname": "h", "Alive": True, "Resources": resources, **changes}


def test_only_nodes_that_trials_can_run_on_are_asked(monkeypatch):
    known = [
        node(1),
        node(2, Alive=False),
        node(3, Resources={"memory": 1.0}),
        node(4, NodeManagerAddress="10.0.0.2", Resources={"CPU": 1.0, "GPU": 0.5}),
    ]
    monkeypatch.setattr(ray, "nodes", lambda: known)
    assert [one.id for one in nodes_for("cpu")] == ["1", "4"]
    assert [one.id for one in nodes_for("cuda")] == ["4"]
    assert [one.name for one in nodes_for("cpu")] == ["node 10.0.0.1:1 (h)", "node 10.0.0.2 (h)"]
    monkeypatch.setattr(ray, "nodes", lambda: [node(1, NodeManagerHostname="10.0.0.1")])
    assert [one.name for one in nodes_for("cpu")] == ["node 10.0.0.1"]


def test_what_a_node_cannot_do_with_a_folder_is_told_with_a_mend(tmp_path, monkeypatch):
    mark = tmp_path / "store" / "mark"
    assert disk_trouble(mark, 0.0).startswith(f"does not see {mark.parent}: mount there what the ")
    mark.parent.mkdir()
    assert disk_trouble(mark, 0.0).startswith(f"has another folder at {mark.parent}: mount there ")
    # A network disk shows it late, when it is asked.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda folder: [mark.touch()])
        assert disk_trouble(mark) == ""
    assert list(mark.parent.iterdir()) == [mark]
    # The one folder that not even root can write to.
    told = disk_trouble(Path("/proc/version"))
    assert told.startswith("cannot write to /proc (")
    assert told.endswith(" write there, as whom Ray runs")


def test_a_node_says_what_it_lacks_and_how_it_computes(tmp_path, monkeypatch):
    (tmp_path / "mark").touch()
    monkeypatch.setattr(sparse, "obstacle", lambda **kinds: "numba is not installed")
    found = look(str(tmp_path / "mark"), "sparse", "cpu")
    assert found["lacks"] == {"sparse": "numba is not installed", "torch": ""}
    assert found["numerics"] == ALIKE["numerics"]
    assert (found["disk"], found["cores"]) == ("", capacity().cores)


def test_a_node_that_joined_later_trains_by_what_works_there(tmp_path, monkeypatch):
    monkeypatch.setattr(sparse, "obstacle", lambda **kinds: "numba is not installed")
    found = reports(worker(tmp_path, stops=False, engine="sparse", falls_back=True))
    numerics = {row["numerics"] for report in found for row in report["rows"]}
    assert numerics == {ALIKE["numerics"]["torch"]}
    assert found[-1]["values"]


def test_an_engine_that_works_stays(monkeypatch):
    monkeypatch.setattr(sparse, "obstacle", lambda **kinds: "")
    assert [choice.working_here(name, "cpu") for name in choice.ENGINES] == list(choice.ENGINES)


def test_a_study_goes_on_with_the_engine_that_it_began_with():
    def needed(asked: EngineName, chosen: str) -> Prepared:
        config = dataclasses.replace(SMOKE, engine=asked)
        return Prepared(config=config, study=STUDY, datasets={}, engine=chosen, reason="")

    found = needed("auto", "sparse").as_begun("torch-2.15.0/cpu-AVX2/float32/threads=1")
    assert (found.engine, found.reason) == ("torch", "the study began with it")
    for asked, chosen, numerics in (
        ("sparse", "sparse", "torch-2.15.0/cpu"),  # Refused by its numerics.
        ("auto", "torch", "torch-2.15.0/cpu"),
        ("auto", "sparse", "sparse-2/numba-0.68"),
        ("auto", "sparse", ""),
    ):
        assert needed(asked, chosen).as_begun(numerics) == needed(asked, chosen)


def test_what_a_study_began_with_is_read_of_its_sheet(tmp_path, monkeypatch):
    assert begun_with(tmp_path) == ""
    (tmp_path / "study.json").write_text("{")
    assert begun_with(tmp_path) == ""
    monkeypatch.setattr("lttune.study.prepared.begun_with", lambda folder: "torch-1/cpu")
    monkeypatch.setattr(sparse, "obstacle", lambda **kinds: "")
    assert prepared(dataclasses.replace(SMOKE, out=tmp_path), STUDY).engine == "torch"
    written = Path(__file__).parents[1] / "whole" / "written-midway" / "study"
    assert begun_with(written) == read_json(written / "study.json")["numerics"]


def test_sources_are_told_apart_by_name_and_content(tmp_path, monkeypatch):
    monkeypatch.setattr(lttune, "__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "sub").mkdir()
    found = {provenance.sources()}
    for name in ("a.py", "sub/a.py"):
        (tmp_path / name).write_text("x = 1\n")
        found.add(provenance.sources())
    (tmp_path / "a.py").write_text("x = 2\n")
    found.add(provenance.sources())
    assert len(found) == 4
    (tmp_path / "notes.txt").write_text("")
    assert provenance.sources() in found
