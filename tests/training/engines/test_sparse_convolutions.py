"""Convolutions in the sparse engine against float64 PyTorch, and which chains of them it takes."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lttune.config import ModelConfig, TrainConfig
from lttune.models import build
from lttune.models.layers import Output
from lttune.training.engines.sparse.network import beyond_kernels, stages

pytest.importorskip("numba")
from sparse_steps import (
    NAMES,
    OPTIMIZERS,
    Reference,
    batches,
    errors,
    evaluations,
    network_of,
    pictures,
    random_mask,
    start_of,
    trained,
)

from lttune.training.engines.sparse.convolutions import memory
from lttune.training.engines.sparse.convolutions.plan import ConvolutionPlan
from lttune.training.engines.sparse.engine import SparseEngine

# The first use on a machine compiles for about a minute.
pytestmark = pytest.mark.timeout(240)

DENSITIES = [1.0, 0.3, 0.05]
SHAPES = [(8, 8), (7, 5), (3, 6, 9)]
"""Grey, grey with odd edges, coloured."""


def chain(shape, *modules, classes=10):
    """A network of convolutions of so many channels, "pool" between them, and two linear layers."""
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    parts = [nn.Unflatten(1, (1, height))] if len(shape) == 2 else []
    for module in modules:
        if module == "pool":
            parts.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        else:
            parts += [nn.Conv2d(channels, module, 3, padding=1), nn.ReLU()]
            channels = module
    parts += [nn.Flatten(), nn.Linear(channels * height * width, 20), nn.ReLU()]
    return network_of(nn.Sequential(*parts, Output(20, classes)), shape)


def check(network, examples, density, config, order):
    """Compares steps with float64."""
    start, mask = start_of(network), random_mask(network, density)
    exact = Reference(network, start, mask, config)
    exact.run(examples, order)
    found = trained(SparseEngine(), network, start, mask, config, examples, order)
    # Nearer than float32 rounds, a place is on either side of its kink, and so is its gradient.
    bar = 1e-5 if exact.nearest > 1e-7 else 1e-3
    assert max(errors(found, exact.weights).values()) < bar
    for name, keep in mask.items():
        assert (found[name][~keep] == 0).all()
        assert found[name].shape == keep.shape


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", [1, 7, 16, 60, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_float64(density, size, shape, examples):
    # Dense, the second of these is for Winograd's algorithm.
    network = chain(shape, 17, 18, "pool")
    config = TrainConfig(optimizer="sgd", lr=1.0, steps=100)
    check(network, pictures(examples, shape), density, config, batches(1, size))


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("density", DENSITIES)
def test_every_optimizer_takes_the_steps_of_float64(config, density, examples):
    # Adam's first step is the gradient's sign, so that rounding decides about some: see there.
    network = chain((8, 8), 4, "pool")
    start, mask, order = start_of(network), random_mask(network, density), batches(3, 32)
    exact = Reference(network, start, mask, config)
    exact.run(examples, order)
    found = trained(SparseEngine(), network, start, mask, config, examples, order)
    assert max(errors(found, exact.weights).values()) < (
        1e-5 if config.optimizer == "sgd" else 1e-3
    )


@pytest.mark.parametrize(
    "modules", [(3, "pool"), (2, "pool", 3, "pool"), (4, 3, 5, "pool", 6, "pool")]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_chain(modules, shape, examples):
    network = chain(shape, *modules)
    assert [stage.channels for stage in stages(network)] == [m for m in modules if m != "pool"]
    config = TrainConfig(optimizer="sgd", lr=0.5, steps=100)
    check(network, pictures(examples, shape), 0.5, config, batches(2, 37))


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("depth", [2, 4])
def test_a_step_of_the_papers_networks_is_that_of_float64(density, depth, examples):
    network = build(ModelConfig(name=f"conv-{depth}"), (8, 8), 10)
    config = TrainConfig(optimizer="sgd", lr=0.1, steps=100)
    check(network, examples, density, config, batches(1, 7))


def test_the_mask_alone_chooses_the_algorithm():
    network = chain((8, 8), 16, 16, "pool", 5, "pool")

    def dense(density):
        plan = ConvolutionPlan(network, stages(network), random_mask(network, density))
        return plan.parameters.layers[:, memory.CONV_DENSE].tolist()

    assert dense(1.0) == [0, 1, 0]
    assert dense(0.3) == [0, 0, 0]


@pytest.mark.parametrize("density", DENSITIES)
def test_the_same_run_gives_the_same_bytes_whatever_else_is_trained(density, examples):
    network, other = chain((8, 8), 17, 18, "pool"), chain((8, 8), 7, "pool")
    mask, start, config = random_mask(network, density), start_of(network), OPTIMIZERS[2]
    order = [*batches(3, 60), *batches(1, 17)]
    alone = trained(SparseEngine(), network, start, mask, config, examples, order)
    engine = SparseEngine()
    session = engine.open(network, start, mask, config)
    for index in order:
        session.run(examples, [index], [config.lr])
        beside = engine.open(other, start_of(other), random_mask(other, 0.3), OPTIMIZERS[0])
        beside.run(examples, batches(1, 130), [1e20])
        beside.evaluate(examples)
        session.evaluate(examples)
    assert all(torch.equal(alone[name], value) for name, value in session.weights().items())


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_evaluation_agrees_with_torch_and_load_replaces_the_weights(density, shape, examples):
    network, examples = chain(shape, 5, 18, "pool"), pictures(examples, shape)
    mask, start = random_mask(network, density), start_of(network)
    found = evaluations(network, start, mask, OPTIMIZERS[2], examples, 20)
    for (loss, accuracy), expected in found:
        assert loss == pytest.approx(expected[0], rel=1e-5)
        assert accuracy == pytest.approx(expected[1], abs=2 / len(examples))


def test_what_is_no_number_is_seen_and_leaves_no_trace(examples):
    network = chain((8, 8), 5, "pool")
    start, mask, config = start_of(network), random_mask(network, 1.0), OPTIMIZERS[2]
    broken = {name: value.clone() for name, value in start.items()}
    broken["1.bias"][2] = torch.nan
    session = SparseEngine().open(network, broken, mask, config)
    assert np.isnan(session.evaluate(examples)[0])
    session.load(start)
    fresh = SparseEngine().open(network, start, mask, config)
    for one in (session, fresh):
        # Seven examples leave most lanes as they were.
        one.run(examples, batches(2, 7), [1e-3, 1e-3])
    assert all(torch.equal(fresh.weights()[n], v) for n, v in session.weights().items())
    session.load(broken)
    session.run(examples, batches(1, 60), [1e-3])
    assert session.weights()[list(start)[-1]].isnan().any()


def test_pictures_of_another_size_are_an_error(examples):
    network = chain((7, 5), 5, "pool")
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 1.0), OPTIMIZERS[0]
    )
    with pytest.raises(ValueError, match=r"pictures must be of \(1, 7, 5\) pixels, got \(8, 8\)"):
        session.evaluate(examples)


def changed(**changes):
    """Conv-2's beginning with another convolution."""
    settings = {"kernel_size": 3, "padding": 1} | changes
    return [nn.Conv2d(3, 4, **settings), nn.ReLU(), nn.MaxPool2d(2)]


TAIL = [nn.Flatten(), nn.Linear(64, 10)]
REFUSED = [
    changed(stride=2),
    changed(kernel_size=5, padding=2),
    changed(bias=False),
    changed(padding_mode="circular"),
    changed(dilation=2, padding=2),
    [nn.Conv2d(3, 3, 3, padding=1, groups=3), nn.ReLU(), nn.MaxPool2d(2)],
    changed()[:2],
    [changed()[0], nn.MaxPool2d(2)],
    [*changed()[:2], nn.MaxPool2d(3)],
    [*changed()[:2], nn.MaxPool2d(2, ceil_mode=True)],
    [*changed()[:2], nn.AvgPool2d(2)],
    [changed()[0], nn.BatchNorm2d(4), *changed()[1:]],
]


@pytest.mark.parametrize("parts", REFUSED)
def test_other_chains_are_refused(parts):
    assert beyond_kernels(network_of(nn.Sequential(*parts, *TAIL), (3, 8, 8))) != ""


def test_such_chains_are_taken():
    for pooling in (nn.MaxPool2d(2), nn.MaxPool2d((2, 2)), nn.MaxPool2d(2, (2, 2))):
        taken = network_of(nn.Sequential(*changed(padding="same")[:2], pooling, *TAIL), (3, 8, 8))
        assert beyond_kernels(taken) == ""
        assert stages(taken)[0].pooled
    assert beyond_kernels(dataclasses.replace(taken, pictures=())) != ""


LEAN = """
import sys, torch
from lttune.config import ModelConfig, TrainConfig
from lttune.training.engines.sparse.engine import compile_kernels
compile_kernels()
print(any("convolutions" in name for name in sys.modules))
"""


@pytest.mark.slow
def test_networks_without_convolutions_load_no_kernel_of_them():
    done = subprocess.run(
        [sys.executable, "-c", LEAN],
        env=os.environ,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "False\n", done.stderr
