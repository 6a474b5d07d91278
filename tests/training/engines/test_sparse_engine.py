"""The sparse engine's steps against float64 PyTorch, and what it refuses."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as some
from torch import nn

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.data.resident import resident
from lttune.errors import ResourceError
from lttune.models import Network, build, masks
from lttune.store.store import Store
from lttune.training.engines.sparse.network import MOST_INPUTS, beyond_kernels
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories

pytest.importorskip("numba")
from sparse_steps import (
    DENSITIES,
    NAMES,
    OPTIMIZERS,
    Reference,
    batches,
    errors,
    random_mask,
    reference,
    start_of,
    trained,
)

from lttune.training.engines.sparse.engine import SparseEngine, compile_kernels
from lttune.training.engines.sparse.kernels import program
from lttune.training.engines.sparse.plan import Plan

# The first use on a machine compiles for about half a minute.
pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", [1, 7, 60, 64, 100, 130])
def test_a_step_is_that_of_float64(config, density, size, network, examples):
    start, mask, order = start_of(network), random_mask(network, density), batches(1, size)
    expected = reference(network, start, mask, config, examples, order)
    found = errors(trained(SparseEngine(), network, start, mask, config, examples, order), expected)
    assert max(found.values()) < 1e-5


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("density", DENSITIES)
def test_a_step_in_the_middle_of_training_is_that_of_float64(config, density, network, examples):
    # At Adam's first step m / sqrt(v) is the gradient's sign; here it is a number.
    mask, order = random_mask(network, density), batches(12, 60)
    exact = Reference(network, start_of(network), mask, config)
    exact.run(examples, order[:-1])
    exact.round()
    session = SparseEngine().open(network, exact.weights, mask, config)
    arrays = session._plan.parameters
    for place in session._plan._places:
        weight, bias = f"{place.name}.weight", f"{place.name}.bias"
        for array, value in zip((arrays.first, arrays.second), exact.moments(weight), strict=False):
            array[place.at] = value.numpy().reshape(-1)[place.survivors]
        for array, value in zip((arrays.first, arrays.second), exact.moments(bias), strict=False):
            array[place.bias : place.bias + len(value)] = value.numpy()
    session._done = len(order) - 1
    session.run(examples, order[-1:], [config.lr])
    exact.run(examples, order[-1:])
    assert max(errors(session.weights(), exact.weights).values()) < 1e-5
    for place in session._plan._places:
        weight = f"{place.name}.weight"
        for array, value in zip((arrays.first, arrays.second), exact.moments(weight), strict=False):
            wanted = value.reshape(-1)[place.survivors]
            assert (torch.from_numpy(array[place.at]) - wanted).norm() <= 1e-5 * wanted.norm()


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("size", [1, 7, 60, 64, 100, 130])
def test_a_gradient_is_that_of_float64(density, size, network, examples):
    # One step of SGD at an enormous rate: it is the weights that are rounded away, not the step.
    start, mask, order = start_of(network), random_mask(network, density), batches(1, size)
    config = TrainConfig(optimizer="sgd", lr=1e6, steps=100)
    expected = reference(network, start, mask, config, examples, order)
    weights = trained(SparseEngine(), network, start, mask, config, examples, order)
    for name, value in masks.apply(start, mask).items():
        step, exact = value - weights[name], value.double() - expected[name]
        assert (step - exact).norm() <= 1e-5 * exact.norm(), name


@pytest.mark.parametrize("config", OPTIMIZERS[1:], ids=NAMES[1:])
@pytest.mark.parametrize("density", DENSITIES)
def test_many_steps_stay_near_those_of_float64(config, density, network, examples):
    start, mask, order = start_of(network), random_mask(network, density), batches(20, 60)
    weights = trained(SparseEngine(), network, start, mask, config, examples, order)
    expected = reference(network, start, mask, config, examples, order)
    assert max(errors(weights, expected).values()) < 1e-2


@pytest.mark.parametrize("config", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize("density", DENSITIES)
def test_pruned_weights_are_exactly_zero(config, density, network, examples):
    mask = random_mask(network, density)
    start = start_of(network)
    weights = trained(SparseEngine(), network, start, mask, config, examples, batches(20, 60))
    for name, keep in mask.items():
        assert (weights[name][~keep] == 0).all()
        assert weights[name].dtype == torch.float32
        assert weights[name].shape == keep.shape


@settings(max_examples=15, deadline=None)
@given(
    widths=some.lists(some.integers(1, 150), min_size=1, max_size=4),
    size=some.integers(1, 150),
    density=some.sampled_from([0.0, 0.001, 0.1, 0.3, 0.9, 1.0]),
    seed=some.integers(0, 100),
)
def test_any_widths_depth_and_batch(widths, size, density, seed):
    examples = resident(load("digits"))[0]
    network = build(ModelConfig(name="-".join(["lenet", *map(str, widths)])), (8, 8), 10)
    rng = np.random.default_rng(seed)
    mask = {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }
    config, order = TrainConfig(optimizer="sgd", lr=0.1, steps=100), batches(2, size)
    start = start_of(network)
    weights = trained(SparseEngine(), network, start, mask, config, examples, order)
    exact = Reference(network, start, mask, config)
    exact.run(examples, order)
    # Nearer than float32 rounds, a unit is on either side of its kink, and so is its gradient.
    assume(exact.nearest > 1e-6)
    assert max(errors(weights, exact.weights).values()) < 1e-5


def test_a_trajectory_of_digits_is_trained(tmp_path):
    config = LotteryConfig(
        levels=3,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-24-12"),
        train=TrainConfig(steps=60, eval_every=30, batch_size=32, eval_train=100),
    )
    lab = Lab({"digits": load("digits")}, SparseEngine(), Store(tmp_path))
    assert len(list(trajectories(config, [0], lab))) == 4


def test_numerics_name_what_determines_bytes():
    numerics = SparseEngine().numerics
    assert numerics == SparseEngine().numerics
    assert all(part in numerics for part in ("sparse-", "numba-", "float32", "threads=1", "0.21"))


def test_warm_compiles_all_that_training_needs(network, examples):
    compile_kernels()
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 0.5), OPTIMIZERS[2]
    )
    session.run(examples, batches(1, 60), [1e-3])
    session.evaluate(examples)
    assert [len(entry.signatures) for entry in (program.train, program.evaluate)] == [1, 1]


def test_only_fully_connected_networks_are_supported(network):
    assert beyond_kernels(network) == ""
    other = Network(
        make=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Tanh(), nn.Linear(10, 10)),
        shapes={},
        kinds={"1": "fc", "3": "out"},
        roles={},
        config=ModelConfig(),
    )
    with pytest.raises(ResourceError, match=r"sparse engine trains fully connected .*; use the"):
        SparseEngine().open(other, {}, {}, OPTIMIZERS[0])


def test_pictures_of_more_pixels_than_a_place_can_name_are_refused():
    most, more = (
        build(ModelConfig(name="lenet-2"), (1, pixels), 10)
        for pixels in (MOST_INPUTS, MOST_INPUTS + 1)
    )
    assert beyond_kernels(most) == ""
    assert beyond_kernels(more) == "reads pictures of at most 65,536 pixels"
    with pytest.raises(ResourceError, match="the sparse engine reads pictures of at most"):
        SparseEngine().open(more, {}, {}, OPTIMIZERS[0])


@pytest.mark.parametrize(
    "changes", [{"optimizer": "rmsprop"}, {"precision": "bfloat16"}, {"frozen": ("bias",)}]
)
def test_a_training_that_is_not_plain_is_refused(changes, network):
    config = dataclasses.replace(OPTIMIZERS[0], **changes)
    with pytest.raises(ResourceError, match="use the torch engine"):
        SparseEngine().open(network, {}, {}, config)


def test_a_layer_changes_its_kernels_at_the_crossover(network):
    def kinds(density):
        return Plan(network, random_mask(network, density)).parameters.layers[:, 0].tolist()

    assert 1 in kinds(1.0)
    assert kinds(0.05) == [0, 0, 0, 0]
