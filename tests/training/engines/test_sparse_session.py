"""What a session of the sparse engine promises: bytes, measures, errors, and no GIL."""

import threading
import time

import numpy as np
import pytest
import torch

from lttune.config import ModelConfig
from lttune.data.resident import Examples
from lttune.models import build, masks

pytest.importorskip("numba")
from sparse_steps import (
    DENSITIES,
    OPTIMIZERS,
    batches,
    evaluations,
    random_mask,
    start_of,
    trained,
)

from lttune.training.engines.sparse.engine import SparseEngine
from lttune.training.engines.sparse.plan import Plan

# The first use on a machine compiles for about half a minute.
pytestmark = pytest.mark.timeout(180)


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
    mask, start = random_mask(network, density), start_of(network)
    found = evaluations(network, start, mask, OPTIMIZERS[2], examples, 30)
    for (loss, accuracy), expected in found:
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
