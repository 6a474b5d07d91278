"""The sparse engine against float64 PyTorch, and its promises about pruned weights and bytes."""

import dataclasses
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn
from torch.nn import functional

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import Examples, resident
from lttune.errors import ResourceError
from lttune.models import Network, build, masks
from lttune.store.store import Store
from lttune.training.engines.sparse import obstacle, supports
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories

pytest.importorskip("numba")
from lttune.training.engines.sparse.engine import SparseEngine, warm
from lttune.training.engines.sparse.kernels import program
from lttune.training.engines.sparse.plan import Plan

OPTIMIZERS = [
    TrainConfig(optimizer="sgd", lr=1.0, steps=100),
    TrainConfig(optimizer="momentum", lr=0.05, momentum=0.9, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adam", lr=2e-3, weight_decay=1e-3, steps=100),
    TrainConfig(optimizer="adamw", lr=2e-3, weight_decay=1e-1, steps=100),
]
NAMES = [config.optimizer for config in OPTIMIZERS]
DENSITIES = [1.0, 0.5, 0.2, 0.05, 0.01]

# The first use on a machine compiles for about half a minute.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def examples():
    return resident(load("digits"))[0]


@pytest.fixture(scope="module")
def network():
    return build(ModelConfig(name="lenet-150-70-20"), (8, 8), 10)


def batches(steps, size):
    rng = stream(0, 0, "order")
    return [torch.from_numpy(rng.choice(1437, size, replace=False)) for _ in range(steps)]


def random_mask(network, density):
    """A mask with an empty row, an empty column and a unit without outgoing weights."""
    rng = stream(0, 0, "test-mask")
    mask = {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }
    if density < 1:
        for keep in mask.values():
            keep[1, :] = False
            keep[:, 2] = False
    return mask


class Reference:
    """Training in float64 by PyTorch, with the mask in the graph."""

    def __init__(self, network, start, mask, config):
        self._module = network.make().double()
        self._module.load_state_dict({name: value.double() for name, value in start.items()})
        self._keep = {name: keep.double() for name, keep in mask.items()}
        decay, parameters = config.weight_decay, list(self._module.parameters())
        if config.optimizer in ("adam", "adamw"):
            kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
            self._optimizer = kind(parameters, config.lr, weight_decay=decay)
        else:
            factor = config.momentum if config.optimizer == "momentum" else 0.0
            self._optimizer = torch.optim.SGD(
                parameters, config.lr, momentum=factor, weight_decay=decay
            )

    def run(self, examples, order):
        for index in order:
            x, y = examples.batch(index)
            weights = {n: p * self._keep.get(n, 1.0) for n, p in self._module.named_parameters()}
            logits = torch.func.functional_call(self._module, weights, x.double())
            self._optimizer.zero_grad()
            functional.cross_entropy(logits, y).backward()
            self._optimizer.step()

    @property
    def weights(self):
        return {n: p.detach() * self._keep.get(n, 1.0) for n, p in self._module.named_parameters()}

    def moments(self, name):
        """Returns the optimizer's moments of a parameter, the first and the second."""
        state = self._optimizer.state[dict(self._module.named_parameters())[name]]
        found = [v for key, v in state.items() if key != "step" and v is not None]
        return [value * self._keep.get(name, 1.0) for value in found]

    def round(self):
        """Rounds weights and moments to what float32 can hold."""
        with torch.no_grad():
            for parameter in self._module.parameters():
                for value in (parameter, *self._optimizer.state[parameter].values()):
                    if value is not None:
                        value.copy_(value.float())


def reference(network, start, mask, config, examples, order):
    """Returns the weights after training in float64."""
    found = Reference(network, start, mask, config)
    found.run(examples, order)
    return found.weights


def trained(engine, network, start, mask, config, examples, order):
    session = engine.open(network, start, mask, config)
    session.run(examples, order, [config.lr] * len(order))
    return session.weights()


def errors(weights, expected):
    return {
        name: float((weights[name].double() - value).norm() / value.norm().clamp_min(1e-3))
        for name, value in expected.items()
    }


def start_of(network):
    start = network.initial_weights(stream(0, 0, "init"))
    rng = stream(0, 0, "test-bias")
    for name, value in start.items():
        if value.ndim == 1:
            start[name] = torch.from_numpy(rng.normal(0, 0.1, value.shape).astype(np.float32))
    return start


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
    expected = reference(network, start, mask, config, examples, order)
    assert max(errors(weights, expected).values()) < 1e-5


@pytest.mark.parametrize("density", DENSITIES)
def test_the_same_run_gives_the_same_bytes_whatever_else_is_trained(density, network, examples):
    mask, start, config = random_mask(network, density), start_of(network), OPTIMIZERS[2]
    order = [*batches(3, 60), *batches(1, 17)]
    alone = trained(SparseEngine(), network, start, mask, config, examples, order)
    engine = SparseEngine()
    session = engine.open(network, start, mask, config)
    for index in order:
        session.run(examples, [index], [config.lr])
        other = engine.open(network, start, random_mask(network, 0.3), OPTIMIZERS[0])
        other.run(examples, batches(1, 130), [1e20])
        other.evaluate(examples)
        session.evaluate(examples)
    assert all(torch.equal(alone[name], value) for name, value in session.weights().items())


@pytest.mark.parametrize("density", DENSITIES)
def test_evaluation_agrees_with_torch_and_load_replaces_the_weights(density, network, examples):
    mask, config = random_mask(network, density), OPTIMIZERS[2]
    ours = SparseEngine().open(network, start_of(network), mask, config)
    first = ours.weights()
    ours.run(examples, batches(30, 60), [config.lr] * 30)
    for weights in (ours.weights(), first):
        ours.load(weights)
        loss, accuracy = ours.evaluate(examples)
        expected = TorchEngine().open(network, weights, mask, config).evaluate(examples)
        assert loss == pytest.approx(expected[0], rel=1e-5)
        assert accuracy == pytest.approx(expected[1], abs=2 / len(examples))


def test_the_learning_rate_is_the_one_of_the_step(network, examples):
    mask, start = random_mask(network, 0.5), start_of(network)
    session = SparseEngine().open(network, start, mask, OPTIMIZERS[0])
    session.run(examples, batches(3, 60), [0.0, 0.0, 0.0])
    found, expected = session.weights(), masks.apply(start, mask)
    assert all(torch.equal(found[name], expected[name]) for name in start)


@pytest.mark.parametrize("density", [1.0, 0.05])
def test_divergence_is_seen(density, network, examples):
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, density), OPTIMIZERS[0]
    )
    session.run(examples, batches(20, 60), [1e20] * 20)
    assert not np.isfinite(session.evaluate(examples)[0])


@pytest.mark.parametrize("density", [1.0, 0.05])
@pytest.mark.parametrize(("layer", "following"), [("fc1", "fc2"), ("fc2", "out")])
def test_one_hidden_unit_that_is_no_number_is_seen(layer, following, density, examples):
    # What is not positive may be skipped; what is no number may not.
    network = build(ModelConfig(name="lenet-70-64"), (8, 8), 10)
    start, mask = start_of(network), random_mask(network, density)
    assert Plan(network, mask).parameters.layers[1, 0] == (density == 1)
    unit = int(mask[f"{following}.weight"].sum(0).argmax())
    start[f"{layer}.bias"][unit] = torch.nan
    session = SparseEngine().open(network, start, mask, OPTIMIZERS[2])
    assert np.isnan(session.evaluate(examples)[0])
    session.run(examples, batches(1, 60), [1e-3])
    assert session.weights()["out.bias"].isnan().any()


@pytest.mark.parametrize("bad", [-1, 10])
def test_a_label_outside_of_the_classes_is_an_error(bad, network, examples):
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 0.5), OPTIMIZERS[2]
    )
    labels = examples.y.clone()
    labels[700] = bad
    wrong = Examples(examples.x, labels, examples.shift, examples.gain)
    session.evaluate(examples)
    with pytest.raises(IndexError, match=r"labels must be from 0 to 9, .* got"):
        session.run(wrong, batches(1, 60), [1e-3])
    with pytest.raises(IndexError, match=r"labels must be from 0 to 9, .* got"):
        session.evaluate(wrong)


def test_other_labels_of_the_same_pictures_are_not_confused(network, examples):
    engine = SparseEngine()
    session = engine.open(network, start_of(network), random_mask(network, 0.5), OPTIMIZERS[2])
    shifted = Examples(examples.x, (examples.y + 1) % 10, examples.shift, examples.gain)
    assert session.evaluate(examples) != session.evaluate(shifted)


@pytest.mark.parametrize("bad", [-1, 1437])
def test_a_batch_outside_of_the_examples_is_an_error(bad, network, examples):
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 0.5), OPTIMIZERS[2]
    )
    with pytest.raises(IndexError, match="1437 examples"):
        session.run(examples, [torch.tensor([0, bad])], [1e-3])


def test_other_python_threads_run_meanwhile(network, examples):
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 1.0), OPTIMIZERS[2]
    )
    session.run(examples, batches(1, 60), [1e-3])
    order, ticks, stop = batches(4, 60) * 1_000, [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    session.run(examples, order, [1e-3] * len(order))
    end = time.perf_counter()
    stop.set()
    thread.join()
    # Building the arguments holds the GIL for a moment; a second later only the kernels run.
    middle = [t for t in ticks if (start + end) / 2 < t < end - 0.01]
    assert len(middle) > 5


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
    warm()
    session = SparseEngine().open(
        network, start_of(network), random_mask(network, 0.5), OPTIMIZERS[2]
    )
    session.run(examples, batches(1, 60), [1e-3])
    session.evaluate(examples)
    assert [len(entry.signatures) for entry in (program.train, program.evaluate)] == [1, 1]


def test_only_fully_connected_networks_are_supported(network):
    assert obstacle() == ""
    assert supports(network)
    other = Network(
        make=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Tanh(), nn.Linear(10, 10)),
        shapes={},
        kinds={"1": "fc", "3": "out"},
        roles={},
        config=ModelConfig(),
    )
    assert not supports(other)
    with pytest.raises(ResourceError, match="torch engine"):
        SparseEngine().open(other, {}, {}, OPTIMIZERS[0])


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
