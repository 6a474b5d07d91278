"""What a node that joins later is asked by its own worker, and what the driver does about it."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from joining_nodes import AGREED, JOINED, Nodes

import lttune
from lttune.errors import LttuneError, ResourceError, StorageError
from lttune.records import provenance
from lttune.store.disk import Room
from lttune.study.settings import StudyConfig
from lttune.study.workers import joined, look
from lttune.study.workers.answers import Node
from lttune.study.workers.joined import JoinedNodes, JoiningTerms, terms_for


@pytest.fixture
def config(tmp_path: Path) -> StudyConfig:
    Path((made := StudyConfig(name="x", out=tmp_path, address="h:1")).cells).mkdir()
    return made


@pytest.fixture
def here(monkeypatch) -> None:
    """This process is a worker on the node "new"."""
    context = SimpleNamespace(get_node_id=lambda: "new")
    monkeypatch.setattr(joined.ray, "get_runtime_context", lambda: context)
    nodes = [Node(id=name, name=name, cores=2.0) for name in ("old", "new")]
    monkeypatch.setattr(joined, "nodes_for", lambda device: nodes)


def changed(terms: JoiningTerms, **asked: Any) -> JoiningTerms:
    known = {"nodes": terms.nodes, "begins": terms.begins, "falls_back": terms.falls_back}
    return JoiningTerms(asked={**terms.asked, **asked}, **known)


@pytest.mark.usefixtures("here")
def test_a_node_like_the_driver_trains_and_leaves_nothing(config):
    with terms_for(config, "torch", ["old"]) as terms:
        terms.require()
        assert len([*Path(config.cells).iterdir()]) == 1
    assert [*Path(config.cells).iterdir()] == []


@pytest.mark.usefixtures("here")
def test_a_node_that_is_unlike_the_driver_refuses_before_it_trains(config, monkeypatch):
    monkeypatch.setattr(look, "disk_trouble", partial(look.disk_trouble, patience_s=0.1))
    with terms_for(config, "torch", ["old"]) as terms:
        found: list[LttuneError] = []
        for asked in ({"sources": "others"}, {"mark": f"{terms.asked['mark']}-elsewhere"}):
            with pytest.raises(LttuneError) as raised:
                changed(terms, **asked).require()
            found.append(raised.value)
        lacking = {"sparse": "numba is not installed", "torch": ""}
        answer = {"python": "3.11.1", "ray": "", "lacks": lacking, "disk": ""}
        monkeypatch.setattr(joined, "trouble", lambda *_: None)
        text = "new cannot use the engine sparse: numba is not installed; mend that, or end Ray"
        error = changed(terms, engine="sparse").trouble("new", answer, 0.5)
        assert error is None  # Of auto the reference engine trains there.
        strict = JoiningTerms(
            asked={**terms.asked, "engine": "sparse"},
            nodes=frozenset(),
            begins=(),
            falls_back=False,
        )
        error = strict.trouble("new", answer, 0.5)
        assert isinstance(error, ResourceError)
        assert str(error).startswith(text)
    other, elsewhere = found
    assert isinstance(other, ResourceError)
    version = f"this node has other sources of lttune {lttune.__version__} than the driver"
    assert str(other).startswith(version)
    assert isinstance(elsewhere, StorageError)
    assert "out must be a folder that every node reaches: this node has another folder" in str(
        elsewhere
    )


@pytest.mark.usefixtures("here")
def test_a_node_that_was_asked_is_not_asked_again(config):
    with terms_for(config, "torch", ["new"]) as terms:
        changed(terms, sources="others").require()


def test_an_unfit_node_is_told_once_and_has_no_core_left(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        assert known.has_unfit()
        assert known.has_unfit()
        assert lines == ["node a cannot run lttune; until then trials run elsewhere", JOINED]
        assert found.asked == {"a": 1, "b": 1}
        assert found.taken == 2 * [([{"CPU": 1}], [{"ray.io/node-id": "a"}])]
        monkeypatch.setattr(joined, "SETTLES_S", -1.0)
        assert not known.has_unfit()


def test_a_node_that_does_not_answer_gets_no_trials_until_it_does(config, monkeypatch):
    found, lines, widths, given = Nodes(monkeypatch), list[str](), list[float](), list[Any]()
    answer = found.answers.pop("a")
    monkeypatch.setattr(joined, "remove_placement_group", given.append)
    for name in ("LISTENS_S", "TOUCHED_S"):
        monkeypatch.setattr(joined, name, -1.0)
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        monkeypatch.setattr(joined, "SETTLES_S", -1.0)
        assert known.has_unfit()  # Nobody knows yet.
        known.look_after()
        assert (lines, found.taken, widths) == ([JOINED], [], [4.0])
        monkeypatch.setattr(joined, "ANSWER_S", -1.0)
        known.look_after()
        known.look_after()
        assert found.taken == 2 * [([{"CPU": 1}], [{"ray.io/node-id": "a"}])]
        assert not known.has_unfit()
        assert lines[1:] == [
            "node a has not answered for 0 s: it is busy, or starts no process; lessen its load, "
            "or end Ray there; until it answers trials run elsewhere"
        ]
        found.answers["a"] = {one: it for one, it in answer.items() if one != "error"}
        known.look_after()
    assert lines[2:] == [JOINED.replace("node b", "node a")]
    assert (len(given), widths) == (2, [4.0, 4.0, 4.0, 6.0])
    assert found.asked == {"a": 1, "b": 1}


def test_a_node_that_is_gone_when_its_answer_comes_is_forgotten(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    late = found.answers.pop("a")
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        assert known.has_unfit()
        monkeypatch.setattr(joined, "SETTLES_S", -1.0)
        # Nobody is left: neither the one that answers now nor those of the start.
        found.living.clear()
        found.answers["a"] = late
        assert not known.has_unfit()
    assert (lines, found.taken) == ([JOINED], [])


def test_a_node_whose_workers_die_is_told_and_gets_no_trials(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    found.answers["a"] = "out of memory"
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        assert known.has_unfit()
    assert lines[1:] == [
        "node a cannot run a worker (out of memory): see Ray's logs there, or end Ray there"
    ]
    assert found.taken == 2 * [([{"CPU": 1}], [{"ray.io/node-id": "a"}])]


def test_a_node_of_the_start_that_goes_and_comes_back_counts_once(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    monkeypatch.setattr(joined, "TOUCHED_S", -1.0)
    old = found.living.pop(0)
    del found.living[0]
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        known.look_after()
        found.living.append(dataclasses.replace(old, id="old again"))
        found.answers["old again"] = found.answers["b"]
        known.look_after()
        del found.living[0]
        known.look_after()
    assert widths == [2.0, 4.0, 2.0]


def test_cores_that_join_are_used_and_those_of_a_node_that_ended_are_given_up(config, monkeypatch):
    found, lines, given = Nodes(monkeypatch), list[str](), list[Any]()
    widths = list[float]()
    monkeypatch.setattr(joined, "remove_placement_group", given.append)
    monkeypatch.setattr(joined, "TOUCHED_S", -1.0)
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        assert known.has_unfit()
        known.look_after()
        assert (len(lines), given, widths) == (2, [], [4.0])
        del found.living[1]
        known.look_after()
        known.look_after()
        assert (len(lines), len(given), widths) == (2, 2, [4.0] * 3)
        found.living[1:] = [Node(id=name, name=f"node {name}", cores=8.0) for name in ("c", "d")]
        found.answers |= dict.fromkeys(("c", "d"), found.answers["b"])
        known.look_after()
        known.look_after()
    assert widths[3:] == [6.0, 6.0]
    assert lines[2] == "node c joined: 2 cores more for trials"
    assert lines[3].startswith("node c: trials take 2 of the 8 cores that Ray counts there")
    assert len(lines) == 6


def test_a_node_that_lacks_room_for_its_part_is_told_and_gets_no_trials(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    # Two of six cores: a third of 3 GB.
    found.answers = {name: found.answers["b"] | {"free": (10**9, None)} for name in ("a", "b")}
    found.answers["a"] |= {"free": (10**9 - 1, None)}
    with terms_for(config, "torch", ["old"], Room(size=3 * 10**9, files=600)) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        assert known.has_unfit()
    assert lines == [
        "the copy of the store on node a needs about 1.0 GB for this study's networks, and "
        "1,000.0 MB are free: make room, or set XDG_CACHE_HOME where Ray starts; until then "
        "trials run elsewhere",
        JOINED,
    ]
    assert found.taken == 2 * [([{"CPU": 1}], [{"ray.io/node-id": "a"}])]


@pytest.mark.usefixtures("here")
def test_a_worker_on_a_node_that_lacks_room_begins_no_trial(config, monkeypatch):
    monkeypatch.setattr(look, "_free", lambda mark: (10**9, None))
    monkeypatch.setattr(look, "is_url", lambda where: True)
    monkeypatch.setattr(look, "url_trouble", lambda mark: "")
    with terms_for(config, "torch", ["old"], Room(size=2 * 10**9, files=0)) as terms:
        terms.require()
    with (
        terms_for(config, "torch", ["old"], Room(size=2 * 10**9 + 2, files=0)) as terms,
        pytest.raises(StorageError, match="the copy of the store on this node needs about"),
    ):
        terms.require()


def test_a_node_with_another_cpu_is_named_once_for_its_kind(config, monkeypatch):
    found, lines, widths = Nodes(monkeypatch), list[str](), list[float]()
    monkeypatch.setattr(joined, "TOUCHED_S", -1.0)
    other = found.answers["b"] | {"cpu": "another"}
    found.answers = {"a": found.answers["b"], "b": other, "c": other}
    told = "CPUs that PyTorch takes for one kind may differ in last bits: one on the driver's "
    with terms_for(config, "torch", ["old"]) as terms:
        known = JoinedNodes(terms, lines.append, widths.append, AGREED)
        known.look_after()
        assert lines[1:] == [JOINED, f"{told}node, node a; another on node b"]
        found.living.append(Node(id="c", name="node c", cores=2.0))
        known.look_after()
        assert lines[3:] == ["node c joined: 2 cores more for trials"]
        # One that lacks the engine and trains by the reference engine is of another kind, too.
        found.living.append(Node(id="d", name="node d", cores=2.0))
        fallen = other | {"numerics": {"torch": "u"}, "lacks": {"torch": ""}}
        found.answers["d"] = fallen
        known.look_after()
    assert lines[5] == (
        "networks are kept apart by what computes them: t on the driver's node, node a, node b, "
        "node c; u on node d"
    )


def test_the_mark_is_kept_young(config, monkeypatch):
    with terms_for(config, "torch", []) as terms:
        Nodes(monkeypatch)
        known, mark = JoinedNodes(terms, print, print, AGREED), Path(terms.asked["mark"])
        mark.unlink()
        known.look_after()
        assert not mark.exists()
        monkeypatch.setattr(joined, "TOUCHED_S", -1.0)
        known.look_after()
        assert mark.exists()


def test_the_sources_of_the_driver_are_asked_for(config):
    with terms_for(config, "torch", []) as terms:
        assert terms.asked["sources"] == provenance.sources()
