"""The stacked engine: its arithmetic, and that no member's result depends on the others."""

import dataclasses
import itertools
import math
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lttune import masks
from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.data import load, split
from lttune.data.resident import Examples, resident
from lttune.engines.stacked import StackedEngine, supports
from lttune.engines.stacked.engine import _compiled
from lttune.engines.stacked.gang import padded
from lttune.engines.stacked.layout import Layout
from lttune.engines.stacked.rules import RULES
from lttune.engines.stacked.stack import Stack
from lttune.engines.torch import TorchEngine
from lttune.errors import ResourceError
from lttune.lab import Lab
from lttune.models import build
from lttune.seeding import stream
from lttune.store import Store
from lttune.training import Material, Member
from lttune.trial import run_trial

TIMES = {"train_time_s", "eval_time_s", "trained"}
"""Columns of a row that differ every time."""
DIGITS = load("digits")
POOL, TEST = resident(DIGITS)
NETWORK = build(ModelConfig(name="lenet-24-12"), (8, 8), 10)
OPTIMIZERS = [
    TrainConfig(optimizer="sgd", lr=0.1, weight_decay=1e-2),
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.8, weight_decay=1e-3),
    TrainConfig(optimizer="adam", lr=2e-3, weight_decay=1e-3),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1),
]
NAMES = [config.optimizer for config in OPTIMIZERS]
DENSITIES = [1.0, 0.2, 0.02]
DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
    ),
]


def ticket(density, network=NETWORK, replicate=0):
    rng = stream(0, replicate, "test-mask")
    mask = {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }
    weights = network.initial_weights(stream(0, replicate, "init"))
    for name in weights.keys() - mask.keys():
        weights[name] = torch.from_numpy(rng.normal(0, 0.1, network.shapes[name])).float()
    return weights, mask


def materials(device="cpu"):
    pool, test = resident(DIGITS, device)
    made = []
    for replicate in range(3):
        train, validation = split(DIGITS, None, 0, replicate)
        made.append(
            Material(
                pool=pool,
                train=train,
                validation=pool.take(validation),
                test=test,
                train_sample=pool.take(train[: 100 * replicate]),
                classes=10,
            )
        )
    return made


MATERIALS = materials()


def member(
    config, replicate=0, density=0.5, of=MATERIALS, network=NETWORK, order="order", **kwargs
):
    start, mask = ticket(density, network, replicate)
    return Member(
        network=network,
        start=masks.apply(start, mask),
        mask=mask,
        config=config,
        material=of[replicate],
        order=stream(0, replicate, order),
        noise=stream(0, replicate, order),
        **kwargs,
    )


def mixed(of=MATERIALS):
    """Members that have only what a gang must share in common; one of them diverges."""
    base = TrainConfig(optimizer="adam", batch_size=60, steps=40, eval_every=10)

    def varied(replicate=0, density=0.5, more=None, **changes):
        config = dataclasses.replace(base, **changes)
        return member(config, replicate, density, of, **more or {})

    return [
        varied(),
        varied(lr=1e-2, weight_decay=1e-2),
        varied(lr=1e30),
        varied(replicate=1, density=0.1, steps=33, eval_every=7, more={"first_step": 9}),
        varied(replicate=2, eval_test=False, warmup_steps=20, more={"snapshot_step": 13}),
        varied(density=0.02, steps=55),
    ]


def same(one, other):
    assert one.measures == other.measures
    assert one.history == other.history
    assert one.weights.keys() == other.weights.keys()
    for name, value in one.weights.items():
        assert torch.equal(value.isnan(), other.weights[name].isnan())
        assert torch.equal(value.nan_to_num(), other.weights[name].nan_to_num()), name
    assert (one.snapshot is None) == (other.snapshot is None)
    for name, value in (one.snapshot or {}).items():
        assert torch.equal(value, other.snapshot[name])


def reference(config, start, mask, order, examples, steps):
    """Returns weights and last gradients of a plain float64 loop with the mask in the graph."""
    keep = {n: mask.get(n, torch.ones(v.shape)).double() for n, v in start.items()}
    weights = {name: (v.double() * keep[name]).requires_grad_() for name, v in start.items()}
    optimizer = {
        "sgd": lambda p: torch.optim.SGD(p, config.lr, weight_decay=config.weight_decay),
        "momentum": lambda p: torch.optim.SGD(
            p, config.lr, config.momentum, weight_decay=config.weight_decay
        ),
        "adam": lambda p: torch.optim.Adam(p, config.lr, weight_decay=config.weight_decay),
        "adamw": lambda p: torch.optim.AdamW(p, config.lr, weight_decay=config.weight_decay),
    }[config.optimizer](list(weights.values()))
    module = NETWORK.make()
    for index in order[:steps]:
        x, y = examples.batch(index)
        masked = {name: value * keep[name] for name, value in weights.items()}
        optimizer.zero_grad()
        functional.cross_entropy(
            torch.func.functional_call(module, masked, x.double()), y
        ).backward()
        optimizer.step()
    gradients = {name: value.grad for name, value in weights.items()}
    return {n: v.detach() * keep[n] for n, v in weights.items()}, gradients


def stepped(config, tickets, orders, examples, *, shared=False, look=lambda stack: None):
    """Returns a stack of four slots, the tickets in the first ones, after a step a batch."""
    slots, width = 4, 32
    stack = Stack(Layout(NETWORK), RULES[config.optimizer], slots, torch.device("cpu"))
    for slot, (start, mask) in enumerate(tickets):
        stack.fill(slot, start, mask)
    for step in range(len(orders[0])):
        index = torch.zeros(slots, width, dtype=torch.int64)
        share = torch.zeros(slots, width)
        for slot, order in enumerate(orders):
            at, part = padded([order[step]], width)
            index[slot], share[slot] = torch.from_numpy(at[0]), torch.from_numpy(part[0])
        number = np.full((1, 1), step + 1.0)
        rates = np.full((1, slots), config.lr)
        decay, factor = np.full((2, slots), [[config.weight_decay], [config.momentum]])
        scalars = np.stack(RULES[config.optimizer].scalars(rates, decay, factor, number), 1)
        at = index[0] if shared else index
        x, y = examples.batch(at.flatten())
        numbers = torch.from_numpy(scalars[0]).float()
        stack.step(x.view(*at.shape, -1), y.view_as(at), share, numbers)
        look(stack)
    return stack


def orders(size, steps, count=4):
    return [
        [
            torch.from_numpy(stream(0, slot, "order", step).choice(1437, size, replace=False))
            for step in range(steps)
        ]
        for slot in range(count)
    ]


def error(found, expected):
    return float((found.double() - expected).norm() / expected.norm().clamp_min(1e-12))


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", [32, 7])
@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
def test_one_step_of_every_slot_is_that_of_a_float64_loop(config, size, density):
    tickets, order = [ticket(density, replicate=slot) for slot in range(3)], orders(size, 1)
    stack = stepped(config, tickets, order, POOL)
    for slot, (start, mask) in enumerate(tickets):
        expected, _ = reference(config, start, mask, order[slot], POOL, 1)
        for name, value in stack.read(slot).items():
            assert error(value, expected[name]) <= 1e-5, (slot, name)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("density", DENSITIES)
def test_gradients_are_those_of_a_float64_loop(density, shared):
    config = TrainConfig(optimizer="sgd", lr=0.1)
    tickets, order = [ticket(density, replicate=slot) for slot in range(3)], orders(20, 1)
    if shared:
        order = [order[0]] * 4
    stack = stepped(config, tickets, order, POOL, shared=shared)
    for slot, (start, mask) in enumerate(tickets):
        _, expected = reference(config, start, mask, order[slot], POOL, 1)
        for i, layer in enumerate(("fc1", "fc2", "out")):
            weights, biases = stack._to_weights[i][slot], stack._to_biases[i][slot, :, 0]
            assert error(weights, expected[f"{layer}.weight"]) <= 1e-5
            assert error(biases, expected[f"{layer}.bias"]) <= 1e-5


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
def test_pruned_weights_are_exactly_zero_after_every_step(config):
    tickets = [ticket(0.3, replicate=slot) for slot in range(4)]
    looks = []

    def look(stack):
        for slot, (_, mask) in enumerate(tickets):
            weights = stack.read(slot)
            looks.append(all(bool((weights[name][~k] == 0).all()) for name, k in mask.items()))

    stepped(config, tickets, orders(16, 20), POOL, look=look)
    assert looks == [True] * 80


def test_an_empty_slot_stays_zero():
    stack = stepped(OPTIMIZERS[2], [ticket(1.0)], orders(16, 5, count=1), POOL)
    for slot in (1, 2, 3):
        assert all(bool((value == 0).all()) for value in stack.read(slot).values())


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
def test_thirty_steps_are_nearly_those_of_the_torch_engine(config):
    config = dataclasses.replace(config, batch_size=50, steps=30, eval_every=10)

    def make():
        return [member(config, replicate, order="thirty") for replicate in range(3)]

    for ours, theirs in zip(
        StackedEngine(gang=4).train(make()), TorchEngine().train(make()), strict=True
    ):
        for name, value in ours.weights.items():
            assert error(value, theirs.weights[name].double()) < 1e-3, name
        assert [e["step"] for e in ours.history] == [e["step"] for e in theirs.history]
        for mine, other in zip(ours.history, theirs.history, strict=True):
            assert mine["val_loss"] == pytest.approx(other["val_loss"], rel=1e-4)
            assert mine["test_accuracy"] == pytest.approx(other["test_accuracy"], abs=0.01)
        assert ours.measures.keys() == theirs.measures.keys()


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
    assert kept.snapshot is not None
    assert plain.snapshot is None


def test_a_snapshot_is_the_weights_after_its_step():
    config = TrainConfig(batch_size=60, steps=20, eval_every=10)
    whole = StackedEngine(gang=2).train([member(config, snapshot_step=13)])[0]
    short = dataclasses.replace(config, steps=13)
    until = StackedEngine(gang=2).train([member(short)])[0]
    assert whole.snapshot is not None
    assert all(torch.equal(whole.snapshot[n], until.weights[n]) for n in until.weights)


def test_times_of_members_add_up_to_the_time_that_passed():
    began = time.perf_counter()
    trained = StackedEngine(gang=8).train(mixed())
    passed = time.perf_counter() - began
    total = sum(t.times["train_time_s"] for t in trained)
    assert 0.3 * passed < total <= passed
    assert all(0 < t.times["eval_time_s"] < t.times["train_time_s"] for t in trained)


def test_the_last_batch_of_an_epoch_counts_its_own_examples_only():
    # 1,200 training examples in batches of 700: every second batch is one of 500.
    config = TrainConfig(optimizer="sgd", lr=0.1, batch_size=700, steps=4, eval_every=4)
    ours = StackedEngine(gang=2).train([member(config)])[0]
    theirs = TorchEngine().train([member(config)])[0]
    assert all(error(v, theirs.weights[n].double()) < 1e-5 for n, v in ours.weights.items())


def test_padding_repeats_the_first_example_with_no_share():
    index, share = padded([torch.tensor([5, 6, 7]), torch.tensor([8])], 4)
    assert index.tolist() == [[5, 6, 7, 5], [8, 8, 8, 8]]
    assert share.tolist() == [[np.float32(1 / 3)] * 3 + [0.0], [1.0, 0.0, 0.0, 0.0]]


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


@pytest.mark.parametrize("broken", [None, "_sgd", "_momentum", "_adam", "_adamw"])
def test_updates_are_compiled_for_all_rules_or_for_none(broken, monkeypatch, caplog):
    compiled = []

    def stand_in(update, **options):
        def call(*arguments):
            if update.__name__ == broken:
                raise RuntimeError("no compiler")
            compiled.append(update.__name__)
            update(*arguments)

        return call

    monkeypatch.setattr(torch, "compile", stand_in)
    rules = _compiled(torch.device("cpu"))
    if broken:
        assert rules is None
        [record] = caplog.records
        assert record.getMessage().endswith("not compiled here, hence slower: no compiler")
    else:
        assert rules.keys() == RULES.keys()
        assert compiled == [rule.update.__name__ for rule in RULES.values()]


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


def test_what_is_one_fully_connected_network_is_supported():
    def network(*parts):
        module = nn.Sequential(*parts)
        linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
        return dataclasses.replace(NETWORK, make=lambda: module, kinds=dict.fromkeys(linear, "fc"))

    assert supports(NETWORK)
    assert supports(build(ModelConfig(name="lenet-9-8-7-6"), (8, 8), 10))
    flat, linear = nn.Flatten(), nn.Linear(4, 4)
    assert supports(network(flat, linear))
    assert supports(network(flat, linear, nn.ReLU(), nn.Linear(4, 4)))
    assert not supports(NETWORK.excluding(["out"]))
    assert not supports(network(flat, linear, nn.Tanh(), nn.Linear(4, 4)))
    assert not supports(network(nn.Conv2d(1, 4, 3), flat, linear))
    assert not supports(network(flat, linear, nn.Linear(4, 4)))
    assert not supports(network(flat, nn.Linear(4, 4, bias=False)))
    assert not supports(dataclasses.replace(NETWORK, make=lambda: linear))


def test_numerics_name_what_determines_bytes():
    names = {
        StackedEngine(gang=4).numerics,
        StackedEngine(gang=8).numerics,
        StackedEngine(gang=8, threads=2).numerics,
        StackedEngine(gang=8, shared_batches=True).numerics,
    }
    torch.set_num_threads(1)
    assert len(names) == 4
    assert all(torch.__version__.partition("+")[0] in name for name in names)


def test_factors_are_never_rounded():
    torch.backends.cuda.matmul.allow_tf32 = True
    StackedEngine(gang=2).train([member(TrainConfig(batch_size=60, steps=2, eval_every=2))])
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_one_clear_error():
    with pytest.raises(ResourceError, match="'cuda' was asked for"):
        StackedEngine("cuda")


def test_a_trial_by_the_laboratory(tmp_path):
    config = LotteryConfig(
        levels=2,
        rewind_step=20,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-40-20"),
        train=TrainConfig(lr=5e-3, batch_size=60, steps=200, eval_every=50, eval_train=500),
        prune=PruneConfig(fraction=0.5),
    )
    lab = Lab({"digits": DIGITS}, StackedEngine(gang=4), Store(tmp_path / "whole"))
    reports = list(run_trial(config, range(3), ("reinit", "random"), lab))
    assert [len(report["rows"]) for report in reports] == [3, 9, 9]
    assert all(row["test_accuracy"] > 0.9 for row in reports[0]["rows"])
    assert all(
        row["test_accuracy"] > 0.8 and math.isfinite(row["val_loss"])
        for report in reports
        for row in report["rows"]
    )
    again = Lab({"digits": DIGITS}, StackedEngine(gang=4), Store(tmp_path / "one"))
    alone = [row for report in run_trial(config, [1], ["random"], again) for row in report["rows"]]
    rows = [
        row
        for report in reports
        for row in report["rows"]
        if row["replicate"] == 1 and row["branch"] != "reinit"
    ]
    for one, other in zip(alone, rows, strict=True):
        assert all(one[n] == other[n] for n in one if n not in TIMES)
