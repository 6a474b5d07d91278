"""Tickets on another target: what is trained there, with whom it is paired, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
import stored_study
import torch
from digits_study import LOTTERY
from scipy import stats

from lttune.__main__ import main
from lttune.config import TargetConfig
from lttune.data import load
from lttune.data.files import npz
from lttune.exchange.tensors import mask_tensors, plain, torch_prune, write
from lttune.exchange.tickets import Place, find_network
from lttune.exchange.transfer import imported, junctions, ticket_digest, train_on_target
from lttune.exchange.transfer_table import lines, paired, transfer_lines
from lttune.models import masks
from lttune.records import schema
from lttune.store.disk import Room
from lttune.store.store import Store
from lttune.study.phases import room
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.task import Ticket

DIGITS = load("digits")
ALL = ("transfer", "transfer_reinit", "transfer_random")
LOWER = TargetConfig(optimizer="momentum", lr=0.05, steps=30)


class Watched(TorchEngine):
    """Remembers the members that it trained."""

    def __init__(self):
        super().__init__()
        self.members = []
        self.orders = []

    def train(self, members):
        self.members += members
        self.orders += [str(member.order.bit_generator.state) for member in members]
        return super().train(members)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    return stored_study.make(out, replicates=(0, 1))


def moved(study, store, target, levels=(1, 2), replicates=(0, 1), replicate=0, datasets=None):
    """Returns the rows of a transfer, and by branch, level and replicate what was trained."""
    engine = Watched()
    lab = Lab(datasets or {"digits": DIGITS}, engine, Store(store), 0)
    found = find_network(Place(study=study, replicate=replicate))
    rows = train_on_target(*junctions(found, levels), target, replicates, lab)
    new = [row for row in rows if not row["reused"]]
    keys = [(row["branch"], row["level"], row["replicate"]) for row in new]
    return rows, dict(zip(keys, zip(engine.members, engine.orders, strict=True), strict=True))


def test_the_ticket_is_the_sources_in_every_replicate_and_controls_have_its_densities(
    study, tmp_path
):
    rows, trained = moved(study, tmp_path, LOWER)
    assert len(rows) == len(trained) == 2 * (1 + 2 * 3)
    for level in (0, 1, 2):
        source = find_network(Place(study=study, level=level))
        start, mask = source.weights("start")[0], source.mask
        for replicate in (0, 1):
            member, _ = trained["transfer", level, replicate]
            assert all(torch.equal(member.mask[n], keep) for n, keep in mask.items())
            assert all(torch.equal(member.start[n], value) for n, value in start.items())
            for name in ALL[1:] if level else ():
                control, _ = trained[name, level, replicate]
                layers = masks.layer_densities(control.mask)
                assert layers == masks.layer_densities(mask)
                same = torch.equal(control.mask["fc1.weight"], mask["fc1.weight"])
                assert same == (name == "transfer_reinit")
                kept = control.mask["fc1.weight"] & mask["fc1.weight"]
                assert (control.start["fc1.weight"] != start["fc1.weight"])[kept].all()


def test_all_of_a_replicate_share_split_and_order_and_no_other_replicate_does(study, tmp_path):
    _, trained = moved(study, tmp_path, LOWER)
    orders = {r: {order for (*_, s), (_, order) in trained.items() if s == r} for r in (0, 1)}
    assert [len(orders[r]) for r in (0, 1)] == [1, 1]
    assert orders[0] != orders[1]
    splits = [trained["transfer", 2, r][0].material.train for r in (0, 1)]
    assert not np.array_equal(*splits)
    new = [trained["transfer_reinit", 2, r][0].start["fc1.weight"] for r in (0, 1)]
    assert not torch.equal(*new)


def test_the_dense_network_on_its_own_ground_is_the_sources_own(study, tmp_path):
    # Nothing of the target differs, and its replicate is the source's: level 0 once more.
    for replicate in (0, 1):
        rows, _ = moved(study, tmp_path, TargetConfig(), (1,), (replicate,), replicate)
        dense = next(row for row in rows if row["level"] == 0)
        own = find_network(Place(study=study, replicate=replicate)).row
        names = ("val_loss", "test_accuracy", "end_test_accuracy", "early_stop_step")
        assert [dense[name] for name in names] == [own[name] for name in names]


def test_the_target_is_what_is_trained_on(study, tmp_path):
    rows, trained = moved(study, tmp_path, LOWER)
    for member, _ in trained.values():
        config = member.config
        assert (config.optimizer, config.lr, config.steps, config.batch_size) == (
            *("momentum", 0.05, 30),
            60,
        )
    assert {row["train.lr"] for row in rows} == {0.05}
    assert {row["steps_trained"] for row in rows} == {30}


def test_a_rewound_ticket_trains_all_of_the_targets_steps(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"rewind_step": 20})
    rewound = stored_study.make(tmp_path / "results", lottery)
    rows, trained = moved(rewound, tmp_path / "cells", LOWER, (1,), (0,))
    assert {row["steps_trained"] for row in rows} == {30}
    source = find_network(Place(study=rewound, level=1))
    start = trained["transfer", 1, 0][0].start
    assert torch.equal(start["fc1.weight"], source.weights("start")[0]["fc1.weight"])


def test_what_was_trained_is_not_trained_again(study, tmp_path):
    first, _ = moved(study, tmp_path, LOWER, (2,))
    again, trained = moved(study, tmp_path, LOWER, (1, 2))
    assert {key[:2] for key in trained} == {(name, 1) for name in ALL}
    cells = {row["cell"]: row["val_loss"] for row in again}
    assert all(cells[row["cell"]] == row["val_loss"] for row in first)
    other, trained = moved(study, tmp_path, TargetConfig(lr=0.02), (2,))
    assert not {row["cell"] for row in other} & cells.keys()


def test_without_room_for_its_networks_none_is_trained(study, monkeypatch, capsys):
    cells = sorted((study.parent / "cells").glob("??/*"))
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=10**12, files=10))
    flags = ["--levels", "1", "2", "--replicates", "2", "--lr", "0.7", "--engine", "torch"]
    assert main(["transfer", str(study), *flags]) == 74
    told = "needs about 84 files for these networks, and 10 more can be made: remove some"
    err = capsys.readouterr().err
    assert err == f"lttune: error: {study.parent / 'cells'} {told}\n"
    assert sorted((study.parent / "cells").glob("??/*")) == cells


@pytest.mark.parametrize(("steps", "every"), [(10, 10), (20, 20), (30, 20), (None, 20)])
def test_a_short_target_is_evaluated_at_its_end(study, tmp_path, steps, every):
    # The source evaluates every 20 steps of 40; an interval beyond the end is no configuration.
    rows, _ = moved(study, tmp_path, TargetConfig(steps=steps), (2,), (0,))
    assert {row["steps_trained"] for row in rows} == {steps or 40}
    assert {row["train.eval_every"] for row in rows} == {every}


def test_another_dataset_is_learned(study, tmp_path):
    # Digits mirrored: pictures of the same shape that the ticket was not found on.
    arrays = {name: getattr(DIGITS, name) for name in npz.ARRAYS}
    arrays |= {name: arrays[name][..., ::-1].copy() for name in ("train_x", "test_x")}
    npz.write_sealed(tmp_path / "mirrored.npz", arrays)
    name = str(tmp_path / "mirrored.npz")
    target = TargetConfig(data=name)
    _, trained = moved(study, tmp_path, target, (1,), (0,), datasets={name: load(name)})
    pool = trained["transfer", 1, 0][0].material.pool
    assert torch.equal(pool.x, torch.from_numpy(arrays["train_x"]))


def test_a_mask_from_a_file_is_a_ticket(study, tmp_path):
    found, level = find_network(Place(study=study)), find_network(Place(study=study, level=2))
    write(tmp_path / "mask.safetensors", mask_tensors(level.mask), {})
    start, steps = level.weights("start")
    form = torch_prune(start, level.mask, level.network, steps)
    torch.save(form, tmp_path / "pruned.pt")
    rows, _ = moved(study, tmp_path, LOWER, (2,), (0,))
    dense, _ = junctions(found, ())
    ways = [
        imported(found, dense, tmp_path / "mask.safetensors", None),
        imported(found, dense, tmp_path / "pruned.pt", tmp_path / "pruned.pt"),
    ]
    for at in ways:
        lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path), 0)
        others = train_on_target(dense, {1: at}, LOWER, (0,), lab)
        one, other = (
            next(r for r in table if r["branch"] == "transfer" and r["level"] > 0)
            for table in (rows, others)
        )
        assert other["reused"]
        assert one["cell"] == other["cell"]


def test_every_byte_of_a_ticket_is_in_its_name(study):
    at = junctions(find_network(Place(study=study)), (1,))[1][1]
    ticket = find_network(Place(study=study, level=1))
    names = set()
    for name in ("fc1.weight", "out.bias", "mask"):
        start = {n: value.clone() for n, value in at.start.items()}
        mask = {n: keep.clone() for n, keep in ticket.mask.items()}
        if name == "mask":
            mask["out.weight"][0, 0] ^= True
        else:
            start[name].view(-1)[0] += 1e-3
        names.add(ticket_digest(Ticket(mask=mask, start=start)))
    names.add(ticket_digest(Ticket(mask=ticket.mask, start=at.start)))
    assert len(names) == 4


def test_differences_are_paired():
    one, other = [0.9, 0.8, 0.85, 0.95], [0.88, 0.7, 0.86, 0.9]
    found = paired(one, other)
    low, high = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert found.n == 4
    assert found.half is not None
    assert found.mean - found.half == pytest.approx(low)
    assert found.mean + found.half == pytest.approx(high)
    alone = paired([0.9], [0.7])
    assert (alone.mean, alone.half, alone.n) == (pytest.approx(0.2), None, 1)


def test_lines_pair_by_replicate_whatever_the_order_of_the_rows():
    accuracies = {
        ("transfer", 0): (0.5, 0.6),
        ("transfer", 3): (0.9, 0.7),
        ("transfer_reinit", 3): (0.4, 0.3),
        ("transfer_random", 3): (0.1, 0.1),
    }
    rows = [
        {"branch": b, "level": n, "replicate": r, "density": 0.2 if n else 1.0, "test_accuracy": v}
        for (b, n), values in accuracies.items()
        for r, v in enumerate(values)
    ]
    rows[2], rows[3] = rows[3], rows[2]
    (line,) = lines(rows)
    assert (line.level, line.density, line.accuracy) == (3, 0.2, pytest.approx(0.8))
    assert line.others == {
        "dense": pytest.approx(0.55),
        "reinit": pytest.approx(0.35),
        "random": pytest.approx(0.1),
    }
    gaps = {name: (gap.mean, gap.n) for name, gap in line.differences.items()}
    assert gaps["dense"] == (pytest.approx(0.25), 2)
    assert gaps["reinit"] == (pytest.approx(0.45), 2)
    # 0.5 and 0.4 differ by 0.1: a t-interval of two pairs is 12.7 times half of that.
    half = line.differences["reinit"].half
    assert half == pytest.approx(12.706 * 0.05, rel=1e-4)
    printed = transfer_lines([line])
    assert "+45.00 +- 63.53" in printed[1]
    assert "n = 2" in printed[-1]


def test_the_table_of_the_networks_has_the_records_columns(study, tmp_path):
    rows, _ = moved(study, tmp_path / "cells", LOWER, (2,), (0,))
    schema.write(tmp_path / "x.parquet", [{**row, "study": "x", "trial": 0} for row in rows])
    back = schema.read(tmp_path / "x.parquet")
    assert schema.MEASURES.keys() <= back[0].keys()
    assert [row["target.lr"] for row in back] == [0.05] * 4


def test_a_mask_from_a_file_starts_where_it_is_told(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"rewind_step": 20})
    rewound = stored_study.make(tmp_path / "results", lottery)
    found, level = find_network(Place(study=rewound)), find_network(Place(study=rewound, level=1))
    trained, steps = found.weights("trained")
    write(tmp_path / "mask.safetensors", mask_tensors(level.mask), {})
    form = plain(trained, found.mask, found.network, steps)
    write(tmp_path / "dense.safetensors", form, {})
    dense, _ = junctions(found, ())
    for file, expected in (
        (None, level.weights("start")[0]),
        (tmp_path / "dense.safetensors", masks.apply(trained, level.mask)),
    ):
        at = imported(found, dense, tmp_path / "mask.safetensors", file)
        assert all(torch.equal(at.mask[n], keep) for n, keep in level.mask.items())
        assert all(torch.equal(at.start[n], value) for n, value in expected.items())


def test_a_network_that_was_pretrained_on_other_pictures_is_walked_to_and_transferred(tmp_path):
    arrays = {name: getattr(DIGITS, name) for name in npz.ARRAYS}
    for name in ("train_x", "test_x"):
        arrays[name] = arrays[name][..., ::-1].copy()
    npz.write_sealed(tmp_path / "mirrored.npz", arrays)
    other = {"pretrain.data": str(tmp_path / "mirrored.npz"), "pretrain.steps": 20}
    lottery = LOTTERY.override({**other, "levels": 1})
    study = stored_study.make(tmp_path / "results", lottery)
    found = find_network(Place(study=study, level=1))
    start, mask = found.weights("start")[0], found.mask
    dense = find_network(Place(study=study, level=0)).weights("start")[0]
    assert all(torch.equal(start[name][mask[name]], dense[name][mask[name]]) for name in mask)
    assert main(["transfer", str(study), "--lr", "0.001", "--replicates", "1"]) == 0
    assert len(schema.read(study / "transfer.parquet")) == 1 + 3
