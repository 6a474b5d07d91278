"""Steps of the stacked engine against loops of one network in float64."""

import dataclasses

import numpy as np
import pytest
import torch
from stacking import NETWORK, OPTIMIZERS, POOL, member, ticket
from torch.nn import functional

from lttune.config import TrainConfig
from lttune.config.seeding import stream
from lttune.training.engines.stacked import StackedEngine
from lttune.training.engines.stacked.engine import _compiled
from lttune.training.engines.stacked.gang import at_one_width
from lttune.training.engines.stacked.layout import Layout
from lttune.training.engines.stacked.rules import RULES
from lttune.training.engines.stacked.stack import Stack
from lttune.training.engines.torch import TorchEngine

NAMES = [config.optimizer for config in OPTIMIZERS]
DENSITIES = [1.0, 0.2, 0.02]


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
            at, part = at_one_width([order[step]], width)
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


def test_the_last_batch_of_an_epoch_counts_its_own_examples_only():
    # 1,200 training examples in batches of 700: every second batch is one of 500.
    config = TrainConfig(optimizer="sgd", lr=0.1, batch_size=700, steps=4, eval_every=4)
    ours = StackedEngine(gang=2).train([member(config)])[0]
    theirs = TorchEngine().train([member(config)])[0]
    assert all(error(v, theirs.weights[n].double()) < 1e-5 for n, v in ours.weights.items())


def test_padding_repeats_the_first_example_with_no_share():
    index, share = at_one_width([torch.tensor([5, 6, 7]), torch.tensor([8])], 4)
    assert index.tolist() == [[5, 6, 7, 5], [8, 8, 8, 8]]
    assert share.tolist() == [[np.float32(1 / 3)] * 3 + [0.0], [1.0, 0.0, 0.0, 0.0]]


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


def test_factors_are_never_rounded():
    torch.backends.cuda.matmul.allow_tf32 = True
    StackedEngine(gang=2).train([member(TrainConfig(batch_size=60, steps=2, eval_every=2))])
    assert not torch.backends.cuda.matmul.allow_tf32
