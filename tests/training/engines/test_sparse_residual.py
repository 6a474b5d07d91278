"""Residual networks in the sparse engine against float64 PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lttune.config import TrainConfig
from lttune.models.masks import apply
from lttune.training.engines.torch import TorchEngine

pytest.importorskip("numba")
from residual_steps import Exact, opened, resnet
from sparse_steps import (
    NAMES,
    OPTIMIZERS,
    batches,
    errors,
    evaluations,
    pictures,
    random_mask,
    trained,
)

from lttune.training.engines.sparse.engine import SparseEngine

# The first use on a machine compiles for about a minute.
pytestmark = pytest.mark.timeout(240)

DENSITIES = [1.0, 0.3, 0.05]
SHAPES = [(8, 8), (7, 5), (3, 6, 9)]
"""Grey, grey with odd edges, coloured; halved twice."""
SGD = TrainConfig(optimizer="sgd", lr=0.1, steps=100)


def check(network, examples, density, config, order, bar=1e-5):
    """Compares steps with float64: weights, and batch norm's running moments."""
    start, mask = opened(network), random_mask(network, density)
    exact = Exact(network, start, mask, config)
    exact.run(examples, order)
    found = trained(SparseEngine(), network, start, mask, config, examples, order)
    rounded = trained(TorchEngine(), network, apply(start, mask), mask, config, examples, order)
    # Nearer than float32 rounds, a place is on either side of its kink, and so is its gradient.
    bar = bar if exact.nearest > 1e-6 else 1e-3
    expected = exact.weights | {name: exact.moments_of_norms[name] for name in network.buffers}
    theirs = errors(rounded, expected)
    for name, error in errors(found, expected).items():
        # A channel's only weight has no gradient before batch norm, but what float32 rounds off.
        assert error < max(bar, 4 * theirs[name]), name
    assert list(found) == [*network.shapes, *network.buffers]
    for name, keep in mask.items():
        assert (found[name][~keep] == 0).all()


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", [2, 7, 16, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_float64(density, size, shape, examples):
    check(resnet(shape), pictures(examples, shape), density, SGD, batches(1, size))


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(("width", "depth"), [(17, 8), (4, 20)])
def test_a_step_of_a_wide_and_of_a_deep_one_is_that_of_float64(density, width, depth, examples):
    # More channels than a group has; dense, the wide one is for Winograd's algorithm.
    check(resnet((8, 8), width, depth), examples, density, SGD, batches(1, 37))


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("density", DENSITIES)
def test_every_optimizer_takes_the_steps_of_float64(config, density, examples):
    # Adam's first step is the gradient's sign, so that rounding decides about some.
    bar = 1e-5 if config.optimizer in ("sgd", "momentum") else 1e-3
    check(resnet((8, 8)), examples, density, config, batches(2, 32), bar)


def test_running_moments_after_many_batches_are_as_near_as_the_torch_engines(examples):
    network = resnet((8, 8))
    start, mask, order = opened(network), random_mask(network, 0.3), batches(20, 60)
    config = TrainConfig(optimizer="sgd", lr=1e-9, steps=100)
    exact = Exact(network, start, mask, config)
    exact.run(examples, order)
    moments = {name: exact.moments_of_norms[name] for name in network.buffers}
    found, theirs = (
        errors(
            trained(engine(), network, apply(start, mask), mask, config, examples, order), moments
        )
        for engine in (SparseEngine, TorchEngine)
    )
    assert all(error < max(1e-5, 2 * theirs[name]) for name, error in found.items())


@pytest.mark.parametrize("density", DENSITIES)
def test_the_same_run_gives_the_same_bytes_whatever_else_is_trained(density, examples):
    network, other = resnet((8, 8)), resnet((8, 8), 3)
    mask, start, config = random_mask(network, density), opened(network), OPTIMIZERS[1]
    order = [*batches(3, 60), *batches(1, 17)]
    alone = trained(SparseEngine(), network, start, mask, config, examples, order)
    engine = SparseEngine()
    session = engine.open(network, start, mask, config)
    for index in order:
        session.run(examples, [index], [config.lr])
        beside = engine.open(other, opened(other), random_mask(other, 0.3), OPTIMIZERS[0])
        beside.run(examples, batches(1, 130), [1e20])
        beside.evaluate(examples)
        session.evaluate(examples)
    assert all(torch.equal(alone[name], value) for name, value in session.weights().items())


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(("shape", "depth"), [*((shape, 8) for shape in SHAPES), ((8, 8), 14)])
def test_evaluation_agrees_with_torch_and_load_replaces_the_weights(
    density, shape, depth, examples
):
    network, examples = resnet(shape, 6, depth), pictures(examples, shape)
    mask, start = random_mask(network, density), opened(network)
    found = evaluations(network, start, mask, OPTIMIZERS[1], examples, 20)
    for (loss, accuracy), expected in found:
        assert loss == pytest.approx(expected[0], rel=1e-5)
        assert accuracy == pytest.approx(expected[1], abs=2 / len(examples))


def test_what_is_no_number_is_seen_and_leaves_no_trace(examples):
    network = resnet((8, 8))
    start, mask, config = opened(network), random_mask(network, 1.0), OPTIMIZERS[1]
    broken = {name: value.clone() for name, value in start.items()}
    broken["block2.1.norm1.bias"][2] = torch.nan
    session = SparseEngine().open(network, broken, mask, config)
    assert np.isnan(session.evaluate(examples)[0])
    session.run(examples, batches(1, 60), [1e-3])
    assert session.weights()["out.weight"].isnan().any()
    session = SparseEngine().open(network, broken, mask, config)
    session.evaluate(examples)
    session.load(start)
    fresh = SparseEngine().open(network, start, mask, config)
    for one in (session, fresh):
        # Seven examples leave most lanes as they were.
        one.run(examples, batches(2, 7), [1e-3, 1e-3])
    assert all(torch.equal(fresh.weights()[n], v) for n, v in session.weights().items())


def test_one_value_a_channel_has_no_variance(examples):
    network = resnet((4, 4))
    session = SparseEngine().open(
        network, opened(network), random_mask(network, 1.0), OPTIMIZERS[0]
    )
    with pytest.raises(ValueError, match="must have more than 1 value a channel"):
        session.run(pictures(examples, (4, 4)), batches(1, 1), [0.1])


LEAN = """
import sys, torch
from lttune.training.engines.sparse.engine import compile_kernels
compile_kernels()
print([name for name in sys.modules if "sparse.residual" in name])
"""


@pytest.mark.slow
def test_other_networks_load_no_kernel_of_them():
    done = subprocess.run(
        [sys.executable, "-c", LEAN],
        env=os.environ,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr
