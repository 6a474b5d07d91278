"""Nodes of a cluster whose networks are behind a URL: all are asked, and for room."""

import contextlib
import dataclasses

import pytest
from digits_study import SMOKE, STUDY
from test_nodes import ALIKE, HERE, ONE, TWO

from lttune.data import load
from lttune.errors import JointError, StorageError
from lttune.records.capacity import capacity
from lttune.records.ledger import Ledger
from lttune.store.disk import Room
from lttune.store.remote.places import marked
from lttune.study.phases import room
from lttune.study.phases.planned import plan_trials
from lttune.study.settings import StudyConfig
from lttune.study.workers import cores, nodes
from lttune.study.workers.answers import Answers
from lttune.study.workers.look import look

URL, ADDRESS = "s3://bucket/nets", "10.0.0.1:6379"


@pytest.fixture
def agree(monkeypatch, tmp_path):
    """Returns which nodes are asked where each has so much room free."""
    monkeypatch.setattr(nodes, "_here", lambda: HERE.id)
    monkeypatch.setattr(nodes, "nodes_for", lambda device: [HERE, ONE, TWO])
    monkeypatch.setattr(nodes, "capacity", lambda: dataclasses.replace(capacity(), cores=2))
    monkeypatch.setattr(nodes.provenance, "sources", lambda: "mine")
    monkeypatch.setattr(cores.utils, "get_num_cpus", lambda **options: 2)
    monkeypatch.setattr(nodes, "marked", lambda where: contextlib.nullcontext("mark"))
    monkeypatch.setattr(nodes, "remarks", lambda where: ())

    def agree(store=URL, needed=nodes.NOTHING, **free):
        asked = []

        def ask_all(whom, what):
            asked.extend(whom)
            found = {one: {**ALIKE, "free": free.get(one.id, (10**12, None))} for one in whom}
            return Answers(found=found)

        monkeypatch.setattr(nodes, "ask_all", ask_all)
        config = StudyConfig(name="x", out=tmp_path, address=ADDRESS, store=store)
        assert nodes.agreed(config, "torch", {"CPU": 6.0}, False, needed).lines == ()
        return asked

    return agree


def test_the_drivers_own_node_is_asked_too_whose_workers_have_another_environment(agree):
    assert agree() == [HERE, ONE, TWO]
    assert agree(store="/shared") == [ONE, TWO]


def test_each_node_needs_room_for_its_part_of_the_networks(agree):
    needed = Room(size=3 * 10**9, files=600)
    agree(needed=needed, a=(10**9, 200), b=(10**9, None))
    with pytest.raises(StorageError) as error:
        agree(needed=needed, b=(10**9 - 1, None))
    assert str(error.value) == (
        f"the copy of the store on {ONE.name} needs about 1.0 GB for this study's networks, and "
        "1,000.0 MB are free: make room, or set XDG_CACHE_HOME where Ray starts"
    )
    with pytest.raises(JointError) as error:
        agree(needed=needed, a=(0, None), c=(10**10, 199))
    head, other = str(error.value).splitlines()
    assert HERE.name in head
    assert f"{TWO.name} needs about 200 files for this study's networks, and 199 more" in other
    assert error.value.exit_code == 74


@pytest.fixture
def asked_here(monkeypatch, tmp_path):
    """Returns what this machine's disk is asked for a study."""

    def ask(**settings):
        asked = []
        monkeypatch.setattr(room, "require_free", lambda place, *given: asked.append(given[1]))
        config = dataclasses.replace(SMOKE, out=tmp_path, **settings)
        ledger = Ledger(path=tmp_path / "trials.json")
        plan_trials(ledger, config, STUDY)
        missing = room.require_room(config, STUDY, {"digits": load("digits")}, [], ledger, {})
        assert missing.size > 0
        return asked

    return ask


def test_the_drivers_disk_is_asked_only_where_networks_are_written_to_it(asked_here):
    mine = ["this study's networks"]
    assert asked_here(store=URL) == mine
    assert asked_here(address=ADDRESS) == mine
    assert asked_here(address=ADDRESS, store="/shared") == mine
    assert asked_here(address=ADDRESS, store=URL) == []


@pytest.mark.slow
def test_a_node_says_what_is_free_for_its_copy(bucket, tmp_path):
    with marked(bucket.url) as mark:
        found = look(mark, "torch", "cpu")
    assert found["disk"] == ""
    size, _ = found["free"]
    assert size > 0
