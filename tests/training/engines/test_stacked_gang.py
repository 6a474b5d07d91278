"""What a member becomes depends on no other member of its gang."""

import dataclasses
import itertools
import time

import numpy as np
import pytest
import torch
from stacking import MATERIALS, POOL, materials, member, mixed

from lttune.config import ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data.resident import Examples
from lttune.models import build
from lttune.training.engines.stacked import StackedEngine
from lttune.training.protocol import Material

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
    ),
]


def same(one, other):
    assert one.measures == other.measures
    assert one.history == other.history
    assert one.weights.keys() == other.weights.keys()
    for name, value in one.weights.items():
        assert torch.equal(value.isnan(), other.weights[name].isnan())
        assert torch.equal(value.nan_to_num(), other.weights[name].nan_to_num()), name
    assert one.snapshots.keys() == other.snapshots.keys()
    for step, weights in one.snapshots.items():
        for name, value in weights.items():
            assert torch.equal(value, other.snapshots[step][name])


@pytest.mark.parametrize("device", DEVICES)
def test_a_member_is_the_same_alone_in_a_gang_and_in_another_slot(device):
    engine, of = StackedEngine(device, gang=8), materials(device)
    together = engine.train(mixed(of))
    assert [trained.measures["diverged"] for trained in together] == [False] * 2 + [True] + [
        False
    ] * 3
    assert engine.groups(mixed(of)) == [[0, 1, 2, 3, 4, 5]]
    order = [4, 2, 5, 0, 3, 1]
    permuted = [mixed(of)[index] for index in order]
    for index, trained in zip(order, engine.train(permuted), strict=True):
        same(trained, together[index])
    for index, trained in enumerate(together):
        same(engine.train([mixed(of)[index]])[0], trained)


def materials_of(shape, device):
    """Materials whose pictures have another size: digits repeated, then cut."""
    repeats = -(-shape[0] * shape[1] // 64)
    pixels = POOL.x.flatten(1).repeat(1, repeats)[:, : shape[0] * shape[1]].view(-1, *shape)
    pool = Examples(pixels.to(device), POOL.y.to(device), POOL.shift, POOL.gain)
    few = pool.take(np.arange(60))
    return [
        Material(
            pool=pool, train=np.arange(300), validation=few, test=few, train_sample=few, classes=10
        )
    ] * 8


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", [(7, 7), (7, 11), (9, 9), (2, 3), (8, 8)])
@pytest.mark.parametrize("name", ["lenet-1", "lenet-2", "lenet-3", "lenet-1-1", "lenet-17-3"])
def test_slots_are_alike_whatever_the_sizes_of_a_network(name, shape, shared, device):
    # Where a slot's matrix began within a cache line decided about the last bit of its products.
    network, of = build(ModelConfig(name=name), shape, 10), materials_of(shape, device)
    config = TrainConfig(lr=1e-2, batch_size=20, steps=12, eval_every=6)
    engine = StackedEngine(device, gang=8, shared_batches=shared)

    def made(slot):
        order = stream(0, 0 if shared else slot, "order")
        return dataclasses.replace(
            member(config, slot, 0.9 if slot % 2 else 0.3, of, network), order=order
        )

    together = engine.train([made(slot) for slot in range(8)])
    backwards = engine.train([made(slot) for slot in reversed(range(8))])
    for slot, trained in enumerate(together):
        same(backwards[7 - slot], trained)
        same(engine.train([made(slot)])[0], trained)


def test_a_full_gang_is_the_same_as_its_members_alone():
    config = TrainConfig(batch_size=60, steps=5, eval_every=5)
    network = build(ModelConfig(name="lenet-300-100"), (8, 8), 10)
    engine = StackedEngine(gang=8)

    def make():
        return [member(config, i % 3, 0.1 * (i + 1), network=network) for i in range(8)]

    together = engine.train(make())
    for index in (0, 3, 7):
        same(engine.train([make()[index]])[0], together[index])


def test_members_beyond_a_gang_are_trained_as_well():
    engine, members = StackedEngine(gang=4), mixed()
    assert engine.groups(members) == [[0, 1, 2, 3], [4, 5]]
    for index, trained in enumerate(engine.train(members)):
        same(StackedEngine(gang=4).train([mixed()[index]])[0], trained)


def test_the_same_engine_twice_gives_the_same_bytes():
    engine = StackedEngine(gang=8)
    for one, other in zip(engine.train(mixed()), engine.train(mixed()), strict=True):
        same(one, other)


def test_every_course_has_its_own_stops_and_steps():
    plain, _, wild, late, kept, longer = StackedEngine(gang=8).train(mixed())
    stops = [[entry["step"] for entry in t.history] for t in (plain, late, kept, longer)]
    assert stops[0] == stops[2] == [0, 10, 20, 30, 40]
    assert stops[1] == [9, 14, 21, 28, 33]
    assert stops[3] == [0, 10, 20, 30, 40, 50, 55]
    assert [t.measures["steps_trained"] for t in (plain, late, longer)] == [40, 24, 55]
    assert wild.history[-1]["val_loss"] is None
    assert len(wild.history) == 2
    assert "test_loss" not in kept.history[0]
    assert list(kept.snapshots) == [13]
    assert plain.snapshots == {}


def test_a_snapshot_is_the_weights_after_its_step():
    config = TrainConfig(batch_size=60, steps=20, eval_every=10)
    whole = StackedEngine(gang=2).train([member(config, snapshot_steps=(13,))])[0]
    short = dataclasses.replace(config, steps=13)
    until = StackedEngine(gang=2).train([member(short)])[0]
    assert all(torch.equal(whole.snapshots[13][n], until.weights[n]) for n in until.weights)


def test_times_of_members_add_up_to_the_time_that_passed():
    began = time.perf_counter()
    trained = StackedEngine(gang=8).train(mixed())
    passed = time.perf_counter() - began
    total = sum(t.times["train_time_s"] for t in trained)
    assert 0.3 * passed < total <= passed
    assert all(0 < t.times["eval_time_s"] < t.times["train_time_s"] for t in trained)


def test_a_group_shares_network_optimizer_batch_size_and_pool():
    config = TrainConfig(batch_size=60, steps=10, eval_every=5)
    wide = build(ModelConfig(name="lenet-25-12"), (8, 8), 10)
    other_pool = [dataclasses.replace(MATERIALS[0], pool=POOL.take(np.arange(1437)))]
    members = [
        member(config),
        member(config, network=wide),
        member(dataclasses.replace(config, lr=1.0, weight_decay=0.1, steps=20), 1),
        member(dataclasses.replace(config, optimizer="sgd")),
        member(dataclasses.replace(config, batch_size=61)),
        member(config, of=other_pool),
        member(dataclasses.replace(config, warmup_steps=3, eval_every=3), first_step=2),
    ]
    assert StackedEngine(gang=64).groups(members) == [[0, 2, 6], [1], [3], [4], [5]]
    assert StackedEngine(gang=2).groups(members)[:2] == [[0, 2], [6]]
    assert StackedEngine().groups([]) == []
    assert StackedEngine().train([]) == []


def test_members_with_labels_of_their_own_are_trained_on_them():
    # Noisy or renamed labels are a replicate's own, over the same pictures.
    config = TrainConfig(batch_size=60, steps=10, eval_every=5)
    pool = MATERIALS[0].pool
    renamed = pool.relabelled((pool.y.numpy() + 1) % 10)
    of = [MATERIALS[0], dataclasses.replace(MATERIALS[1], pool=renamed)]
    engine = StackedEngine(gang=2)

    def made():
        return [member(config, replicate, of=of) for replicate in range(2)]

    assert engine.groups(made()) == [[0], [1]]
    for index, trained in enumerate(engine.train(made())):
        same(engine.train([made()[index]])[0], trained)


def test_with_shared_batches_a_group_has_one_data_order():
    config = TrainConfig(batch_size=60, steps=10, eval_every=5)
    members = [member(config, r, order=o) for o, r in itertools.product("ab", (0, 1))]
    members += [member(dataclasses.replace(config, lr=1.0), 1, order="a")]
    assert StackedEngine(shared_batches=True).groups(members) == [[0], [1, 4], [2], [3]]


def test_with_shared_batches_a_member_is_the_same_alone_too():
    engine = StackedEngine(gang=4, shared_batches=True)
    assert engine.numerics != StackedEngine(gang=4).numerics
    assert engine.groups(mixed()) == [[0, 1, 2, 5], [3], [4]]
    together = engine.train(mixed())
    for index, trained in enumerate(together):
        same(engine.train([mixed()[index]])[0], trained)
    for ours, theirs in zip(together, StackedEngine(gang=4).train(mixed()), strict=True):
        if not ours.measures["diverged"]:
            assert ours.measures["val_loss"] == pytest.approx(theirs.measures["val_loss"], rel=1e-3)
