"""Networks of one's own in training: as a plain loop would, masks hold, draws are their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from own_networks import MLP, made, page_block, written
from torch.nn import functional
from torch_sessions import POOL, batches, half

from lttune.config import SupermaskConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.models.masks import apply
from lttune.pruning.criteria import CRITERIA, Evidence
from lttune.training.engines.torch import TorchEngine
from lttune.training.engines.torch.supermask import SupermaskSession
from lttune.trajectory.connectivity import loaded, weights_between

TIED = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.a = nn.Linear(64, 20)
        self.b = nn.Linear(64, 20)
        self.b.weight = self.a.weight
        self.fixed = nn.Linear(20, 20)
        self.fixed.requires_grad_(False)
        self.register_buffer("order", torch.arange(19, -1, -1))
        self.out = nn.Linear(20, classes)

    def forward(self, x):
        x = self.norm(x).flatten(1)
        return self.out(torch.relu(self.fixed(self.a(x)[:, self.order]) + self.b(x.flip(1))))

network = Net
"""
OPTIMIZERS = [
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.9, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1, steps=100),
]
SOURCES = {"transformer": page_block("patches.py"), "tied": TIED}


def without_dropout(source):
    return source.replace("dropout=0.1", "dropout=0.0")


def start_of(network, replicate=0):
    return network.initial_weights(stream(0, replicate, "init"))


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda c: c.optimizer)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_it_trains_as_a_plain_float64_loop_with_the_mask_in_the_graph(config, source, tmp_path):
    network = made(written(tmp_path, without_dropout(source)))
    mask, order = half(network), batches(20)
    start = apply(start_of(network), mask)
    session = TorchEngine().open(network, start, mask, config)
    session.run(POOL, order, [config.lr] * len(order))
    trained = session.weights()

    module = network.opened("cpu").double().train()
    module.load_state_dict({n: v.double() for n, v in start.items()}, strict=False)
    kinds = {"momentum": torch.optim.SGD, "adamw": torch.optim.AdamW}
    more = {"momentum": config.momentum} if config.optimizer == "momentum" else {}
    optimizer = kinds[config.optimizer](
        module.parameters(), config.lr, weight_decay=config.weight_decay, **more
    )
    for index in order:
        x, y = POOL.batch(index)
        named = dict(module.named_parameters())
        weights = {n: p * mask[n] if n in mask else p for n, p in named.items()}
        optimizer.zero_grad()
        logits = torch.func.functional_call(module, weights, x.double())
        functional.cross_entropy(logits, y).backward()
        optimizer.step()
    for name, value in module.named_parameters():
        keep = mask.get(name, torch.ones(1))
        if name == "attention.in_proj_bias" and config.optimizer == "adamw":
            continue  # A bias of keys changes no softmax: AdamW makes steps of its rounding.
        assert torch.allclose(trained[name].double(), value * keep, atol=2e-4), name
    for name, keep in mask.items():
        assert not trained[name][~keep].any()
        assert bool((trained[name] != start[name])[keep].any())


def test_what_is_fixed_or_constant_stays_and_running_moments_move(tmp_path):
    network = made(written(tmp_path, TIED))
    start, mask = start_of(network), half(network)
    session = TorchEngine().open(network, apply(start, mask), mask, OPTIMIZERS[1])
    session.run(POOL, batches(5), [0.01] * 5)
    trained = session.weights()
    for name in ("fixed.weight", "fixed.bias", "order"):
        assert torch.equal(trained[name], start[name])
    assert bool(trained["norm.running_mean"].any())
    session.load(start)
    assert all(torch.equal(value, start[n]) for n, value in session.weights().items())


def dropped(network, noise, disturb=False):
    start = start_of(network)
    mask = {n: torch.ones(network.shapes[n], dtype=torch.bool) for n in network.prunable}
    session = TorchEngine().open(network, start, mask, OPTIMIZERS[0], noise)
    for batch in batches(6):
        if disturb:
            torch.rand(7)
        session.run(POOL, [batch], [0.05])
        session.evaluate(POOL)
    return session.weights()


def test_draws_of_dropout_are_the_replicates_own_whatever_else_draws(tmp_path):
    network = made(written(tmp_path, page_block("patches.py")))
    before = torch.random.get_rng_state()
    first = dropped(network, stream(0, 0, "order-noise"))
    assert torch.equal(before, torch.random.get_rng_state())
    again = dropped(network, stream(0, 0, "order-noise"), disturb=True)
    other = dropped(network, stream(0, 1, "order-noise"))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    still = made(written(tmp_path, without_dropout(page_block("patches.py")), "still.py"))
    found = dropped(still, stream(0, 0, "order-noise"))
    assert not torch.equal(first["head.weight"], found["head.weight"])


def test_a_supermask_is_learned_on_it(tmp_path):
    network = made(written(tmp_path, page_block("patches.py")))
    start, config = start_of(network), TrainConfig(optimizer="momentum", lr=10.0)
    found = []
    for _ in range(2):
        noise = stream(0, 0, "noise")
        session = SupermaskSession(
            network, start, config, SupermaskConfig(), torch.device("cpu"), noise
        )
        session.run(POOL, batches(3), [10.0] * 3)
        found.append(session.weights())
    name = "attention.in_proj_weight"
    assert torch.equal(found[0][name], found[1][name])
    assert len(found[0][name].unique()) > 2
    assert torch.equal(found[0]["position"], start["position"])


@pytest.mark.parametrize("criterion", sorted(CRITERIA))
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_criterion_scores_each_weight_and_the_same_twice(criterion, source, tmp_path):
    network = made(written(tmp_path, source))
    initial, trained = start_of(network), start_of(network, 1)
    mask = {n: torch.ones(network.shapes[n], dtype=torch.bool) for n in network.prunable}
    inputs, labels = POOL.batch(torch.arange(150))
    found = []
    for _ in range(2):
        evidence = Evidence(
            initial=initial,
            trained=trained,
            mask=mask,
            network=network,
            inputs=inputs,
            labels=labels,
            rng=np.random.default_rng(0),
        )
        torch.rand(3)
        found.append(CRITERIA[criterion](evidence))
    for name in network.prunable:
        assert found[0][name].shape == network.shapes[name]
        assert bool(found[0][name].isfinite().all())
        assert torch.equal(found[0][name], found[1][name])


def test_between_two_networks_constants_stay_and_moments_are_measured(tmp_path):
    network = made(written(tmp_path, TIED))
    one, other = start_of(network), start_of(network, 1)
    between = weights_between(one, other, 0.5)
    assert torch.equal(between["order"], one["order"])
    module = loaded(network, between, "cpu", POOL.take(np.arange(100)))
    moments = dict(module.named_buffers())
    assert torch.equal(moments["order"], one["order"])
    assert bool(moments["norm.running_mean"].any())


def test_a_networks_own_global_draws_are_not_taken_for_ours(tmp_path):
    network = made(written(tmp_path, MLP))
    plain = dropped(network, stream(0, 0, "order-noise"))
    assert all(
        torch.equal(value, plain[name])
        for name, value in dropped(network, stream(0, 1, "order-noise")).items()
    )
