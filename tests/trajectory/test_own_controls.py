"""What a control of one's own trains, beside the same written as a control of the table."""

from __future__ import annotations

import pytest
import torch
from junctions import CONFIG as JUNCTION_CONFIG
from junctions import INITIAL, MASK, NETWORK, REWOUND, junction
from one_worker import CONFIG, TINY, reports, worker
from own_parts import code_of, described, forget, known, rows, same_but

from lttune.data import load
from lttune.errors import StorageError
from lttune.exchange.archive import Archive
from lttune.records.own import known_part
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory import trial
from lttune.trajectory.branches import BRANCHES
from lttune.trajectory.branches.own import CONTROL_SETTING, control_of
from lttune.trajectory.lab import Lab
from lttune.trajectory.starts import start_weights
from lttune.trajectory.trial import run_trial

REINIT = """
def part(at):
    return {"start": at.network.initial_weights(at.rng)}
"""
SHUFFLE = """
import torch

def part(at):
    def moved(keep):
        return torch.from_numpy(at.rng.permutation(keep.numpy().ravel())).view_as(keep)

    return {"mask": {name: moved(keep) for name, keep in at.mask.items()}}
"""
ANYWHERE = """
import torch

def part(at):
    sizes = [keep.numel() for keep in at.mask.values()]
    alive = torch.cat([keep.flatten() for keep in at.mask.values()])
    parts = alive[torch.from_numpy(at.rng.permutation(len(alive)))].split(sizes)
    return {"mask": {n: p.view_as(k) for (n, k), p in zip(at.mask.items(), parts, strict=True)}}
"""
REWIND = """
def part(at):
    return {"mask": at.mask, "start": at.rewound}
"""
MEDDLING = """
def part(at):
    for tensors in (at.initial, at.rewound, at.dense, at.trained, at.start):
        for value in tensors.values():
            value.zero_()
    for keep in at.mask.values():
        keep.fill_(True)
    return {"start": at.start}
"""


def named(folder, source, file="own.py"):
    return known(folder, CONTROL_SETTING, source, file)


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("pruned", ["zero", "freeze", "trainable"])
@pytest.mark.parametrize(
    ("source", "name"), [(REINIT, "reinit"), (SHUFFLE, "shuffle"), (REWIND, "reset")]
)
def test_it_is_the_tables_control_where_it_does_and_draws_the_same(tmp_path, source, name, pruned):
    config = JUNCTION_CONFIG.override({"pruned": pruned})
    own = control_of(named(tmp_path, source))(junction(name, config=config))
    table = BRANCHES[name](junction(name, config=config))
    assert_equal(own.mask, table.mask)
    assert_equal(own.start, table.start)
    assert (own.train, own.first_step, own.pruned) == (table.train, table.first_step, table.pruned)


def test_reinit_written_once_more_in_plain_pytorch_trains_the_tables_networks(
    tmp_path, monkeypatch
):
    source = """
import math
import torch

def part(at):
    def drawn(value):
        if value.ndim == 1:
            return torch.zeros_like(value)
        normal = torch.from_numpy(at.rng.standard_normal(tuple(value.shape), dtype="float32"))
        return normal * math.sqrt(2 / sum(value.shape))

    return {"start": {name: drawn(value) for name, value in at.initial.items()}}
"""
    config = TINY.override({"model.init": "glorot_normal"})
    name = named(tmp_path, source)
    # Both draw from one stream here.
    monkeypatch.setattr(trial, "purpose_of", lambda asked: "reinit")
    found = rows(config, tmp_path / "cells", ("reinit", name))
    table, own = (
        [row for row in found if row["branch"] == branch] for branch in ("reinit", "own.part")
    )
    assert len(own) == config.levels
    assert same_but(own, table, "branch")
    assert {row["cell"] for row in own}.isdisjoint(row["cell"] for row in table)


def test_a_control_that_draws_nothing_trains_the_tables_networks(tmp_path):
    found = rows(TINY, tmp_path / "cells", ("reset", named(tmp_path, REWIND)))
    table, own = (
        [row for row in found if row["branch"] == branch] for branch in ("reset", "own.part")
    )
    assert len(own) == TINY.levels
    assert same_but(own, table, "branch")


def test_without_a_start_it_begins_as_the_ticket_does_at_its_new_places(tmp_path):
    control = control_of(named(tmp_path, SHUFFLE))
    for changes in ({}, {"rescale": True}, {"kept": "continue"}, {"kept": "signed_constant"}):
        at = junction("x", config=JUNCTION_CONFIG.override(changes))
        found = control(at)
        moved = junction("x", config=at.config, mask=found.mask)
        assert_equal(found.start, start_weights(moved, at.config.kept, at.config.pruned))
        assert not torch.equal(found.mask["fc1.weight"], MASK["fc1.weight"])


def test_it_sees_what_it_says_it_sees(tmp_path):
    source = """
seen = []

def part(at):
    seen.append(at)
    return {"mask": at.mask}
"""
    name = named(tmp_path, source)
    at = junction()
    control_of(name)(at)
    (seen,) = known_part(CONTROL_SETTING, name).run.__globals__["seen"]
    for own, theirs in (
        (seen.mask, MASK),
        (seen.initial, INITIAL),
        (seen.rewound, REWOUND),
        (seen.dense, at.dense),
        (seen.trained, at.final),
        (seen.start, at.start),
    ):
        assert_equal(own, theirs)
    assert seen.network is NETWORK


def test_what_it_changes_in_place_changes_nothing_of_the_ticket(tmp_path):
    alone = rows(TINY, tmp_path / "one")
    beside = rows(TINY, tmp_path / "two", (named(tmp_path, MEDDLING),))
    assert same_but([row for row in beside if row["branch"] == "trunk"], alone)


def test_what_it_draws_is_the_replicates_own_and_the_same_again(tmp_path):
    source = "import torch\ndef part(at):\n    start = {n: torch.randn(v.shape) for n, v in "
    source += "at.initial.items()}\n    return {'start': start}"
    name = named(tmp_path, source)
    before = torch.get_rng_state()
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path / "one"))
    found = [row for report in run_trial(TINY, [0, 1], [name], lab) for row in report["rows"]]
    again = rows(TINY, tmp_path / "two", (name,))
    assert torch.equal(torch.get_rng_state(), before)
    assert same_but([row for row in found if row["replicate"] == 0], again)
    ends = [row["end_val_loss"] for row in found if row["branch"] == "own.part"]
    assert len(set(ends)) == 2 * TINY.levels


def test_it_trains_anew_when_it_is_changed_and_not_when_it_is_moved(tmp_path):
    first = rows(TINY, tmp_path / "cells", (named(tmp_path, REINIT),))
    (tmp_path / "elsewhere").mkdir()
    moved = rows(TINY, tmp_path / "cells", (named(tmp_path / "elsewhere", REINIT, "mine.py"),))
    assert [row["cell"] for row in moved] == [row["cell"] for row in first]
    assert all(row["reused"] for row in moved)
    assert {row["branch"] for row in moved} == {"trunk", "mine.part"}
    changed = rows(TINY, tmp_path / "cells", (named(tmp_path, f"{REINIT}\n"),))
    reused = {(row["branch"], row["reused"]) for row in changed}
    assert reused == {("trunk", True), ("own.part", False)}


def test_who_reads_a_study_has_its_rows_without_its_code(tmp_path, monkeypatch):
    name = named(tmp_path, ANYWHERE)
    trained = rows(TINY, tmp_path / "cells", (name, "random_even"))
    described(monkeypatch, CONTROL_SETTING, name)
    store = Store(tmp_path / "cells", writes=False)
    lab = Lab({"digits": load("digits")}, Archive(TorchEngine().numerics), store)
    found = run_trial(TINY, [0], (name, "random_even"), lab)
    assert same_but([row for report in found for row in report["rows"]], trained)
    # Its layers are not the ticket's.
    ticket, own, _ = trained[-3:]
    assert own["density.out"] != ticket["density.out"]


def test_what_the_store_lacks_of_it_is_told(tmp_path, monkeypatch):
    name = named(tmp_path, SHUFFLE)
    rows(TINY, tmp_path / "cells")
    described(monkeypatch, CONTROL_SETTING, name)
    store = Store(tmp_path / "cells", writes=False)
    lab = Lab({"digits": load("digits")}, Archive(TorchEngine().numerics), store)
    with pytest.raises(StorageError, match="run the study again"):
        list(run_trial(TINY, [0], (name,), lab))


def test_a_worker_needs_no_file(tmp_path, monkeypatch):
    code = code_of(tmp_path, CONTROL_SETTING, REINIT)
    (tmp_path / "own.py").unlink()
    forget(monkeypatch)
    config = {**CONFIG, "lottery": TINY.override({"levels": 1}).nested(), "controls": [code.name]}
    found = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))
    assert [row["branch"] for row in found[-1]["rows"]] == ["trunk", "own.part"]


def test_one_that_fails_in_the_middle_fails_its_trial_with_the_reason(tmp_path):
    source = "def part(at):\n    assert at.mask['out.weight'].all(), 'late'"
    code = code_of(tmp_path, CONTROL_SETTING, source)
    config = {**CONFIG, "controls": [code.name]}
    failed = reports(worker(tmp_path / "cells", stops=False, config=config, codes=[code]))[-1]
    why = "cannot be used: AssertionError: late (own.py, line 2)"
    assert failed["error"] == f"ConfigError: controls: {code.name} {why}"


def test_what_stands_where_weights_are_pruned_is_not_read(tmp_path):
    source = "import torch\ndef part(at):\n    return {'start': {n: torch.where(at.mask[n], v, "
    source += "torch.nan) if n in at.mask else v for n, v in at.rewound.items()}}"
    found = control_of(named(tmp_path, source))(junction("reset"))
    assert_equal(found.start, BRANCHES["reset"](junction("reset")).start)
