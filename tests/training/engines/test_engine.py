"""The reference engine against a plain PyTorch loop, and its promises about pruned weights."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from lttune.config import ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.errors import ResourceError
from lttune.models import build, masks
from lttune.training.engines.torch import TorchEngine

OPTIMIZERS = [
    TrainConfig(optimizer="sgd", lr=0.1, steps=100),
    TrainConfig(optimizer="sgd", lr=0.1, weight_decay=1e-2, steps=100),
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.9, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adam", lr=2e-3, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1, steps=100),
]
NAMES = [f"{c.optimizer}-wd{c.weight_decay:g}" for c in OPTIMIZERS]


@pytest.fixture(scope="module")
def network():
    return build(ModelConfig(name="lenet-24-12"), (8, 8), 10)


def batches(steps, size=32):
    rng = stream(0, 0, "order")
    return [torch.from_numpy(rng.choice(1437, size, replace=False)) for _ in range(steps)]


def half(network):
    rng = stream(0, 0, "test-mask")
    return {
        name: torch.from_numpy(rng.random(network.shapes[name]) < 0.5) for name in network.prunable
    }


def plain_optimizer(config, parameters):
    kinds = {
        "sgd": lambda: torch.optim.SGD(parameters, config.lr, weight_decay=config.weight_decay),
        "momentum": lambda: torch.optim.SGD(
            parameters, config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        ),
        "adam": lambda: torch.optim.Adam(parameters, config.lr, weight_decay=config.weight_decay),
        "adamw": lambda: torch.optim.AdamW(parameters, config.lr, weight_decay=config.weight_decay),
    }
    return kinds[config.optimizer]()


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("steps", [1, 30])
def test_it_trains_as_a_plain_float64_loop_with_the_mask_in_the_graph(
    config, steps, network, examples
):
    mask, order = half(network), batches(steps)
    start = network.initial_weights(stream(0, 0, "init"))
    session = TorchEngine().open(network, masks.apply(start, mask), mask, config)
    session.run(examples, order, [config.lr] * steps)
    module = network.make().double()
    module.load_state_dict({name: value.double() for name, value in start.items()})
    keep = {name: keep.double() for name, keep in mask.items()}
    optimizer = plain_optimizer(config, module.parameters())
    for index in order:
        x, y = examples.batch(index)
        weights = {n: p * keep.get(n, 1.0) for n, p in module.named_parameters()}
        loss = functional.cross_entropy(torch.func.functional_call(module, weights, x.double()), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    tolerance = 1e-5 if steps == 1 else 1e-3
    for name, value in session.weights().items():
        expected = dict(module.named_parameters())[name].detach() * keep.get(name, 1.0)
        error = (value.double() - expected).norm() / expected.norm().clamp_min(1e-3)
        assert error < tolerance, name


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
def test_pruned_weights_are_exactly_zero_in_every_forward_pass(config, network, examples):
    mask = half(network)
    start = masks.apply(network.initial_weights(stream(0, 0, "init")), mask)
    session = TorchEngine().open(network, start, mask, config)
    seen = []

    def look(module, inputs):
        seen.extend(bool((module.get_parameter(n)[~keep] == 0).all()) for n, keep in mask.items())

    session._module.register_forward_pre_hook(look)
    session.run(examples, batches(40), [config.lr] * 40)
    assert len(seen) == 40 * len(mask)
    assert all(seen)
    assert all((session.weights()[name][~keep] == 0).all() for name, keep in mask.items())


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
def test_every_surviving_weight_tensor_moves(config, network, examples):
    # The first peer's optimizer held the weights of another network: nothing ever moved.
    mask, start = half(network), network.initial_weights(stream(0, 0, "init"))
    session = TorchEngine().open(network, masks.apply(start, mask), mask, config)
    session.run(examples, batches(5), [config.lr] * 5)
    for name, value in session.weights().items():
        assert not torch.equal(value, masks.apply(start, mask)[name]), name


def test_an_optimizer_step_starts_from_fresh_state(network, examples):
    config = OPTIMIZERS[3]
    start = network.initial_weights(stream(0, 0, "init"))
    engine, dense = TorchEngine(), masks.ones(start, network.prunable)
    first = engine.open(network, start, dense, config)
    first.run(examples, batches(10), [config.lr] * 10)
    second = engine.open(network, start, dense, config)
    second.run(examples, batches(10), [config.lr] * 10)
    assert all(torch.equal(first.weights()[n], second.weights()[n]) for n in start)


def test_the_learning_rate_is_the_one_of_the_step(network, examples):
    config = OPTIMIZERS[0]
    start = network.initial_weights(stream(0, 0, "init"))
    session = TorchEngine().open(network, start, masks.ones(start, network.prunable), config)
    session.run(examples, batches(3), [0.0, 0.0, 0.0])
    assert all(torch.equal(session.weights()[name], start[name]) for name in start)


def test_the_start_weights_are_not_written_to(network, examples):
    start = network.initial_weights(stream(0, 0, "init"))
    before = copy.deepcopy(start)
    config = OPTIMIZERS[2]
    session = TorchEngine().open(network, masks.apply(start, half(network)), half(network), config)
    session.run(examples, batches(3), [config.lr] * 3)
    assert all(torch.equal(start[name], before[name]) for name in start)


def test_evaluation_is_the_mean_loss_and_accuracy_also_over_chunks(network, examples):
    start = network.initial_weights(stream(0, 0, "init"))
    config = OPTIMIZERS[0]
    session = TorchEngine().open(network, start, masks.ones(start, network.prunable), config)
    module = network.make()
    module.load_state_dict(start)
    x, y = examples.slice(0, len(examples))
    with torch.no_grad():
        logits = module(x)
    loss, accuracy = session.evaluate(examples)
    assert len(examples) > 1_000
    assert loss == pytest.approx(functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == y).double().mean().item(), abs=1e-9)


def test_inputs_are_normalised_pixels(examples):
    digits = load("digits")
    x, y = examples.batch(torch.tensor([3, 5]))
    expected = (digits.train_x[[3, 5]] / digits.scale - digits.mean) / digits.std
    assert np.allclose(x.numpy(), expected, atol=1e-6)
    assert y.tolist() == digits.train_y[[3, 5]].tolist()


def test_global_random_state_is_neither_read_nor_written(network, examples):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        start = network.initial_weights(stream(0, 0, "init"))
        session = TorchEngine().open(network, start, half(network), OPTIMIZERS[3])
        session.run(examples, batches(3), [1e-3] * 3)
        assert torch.equal(before, torch.random.get_rng_state())
        results.append(session.weights())
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_one_clear_error():
    with pytest.raises(ResourceError, match="'cuda' was asked for"):
        TorchEngine(device="cuda")
