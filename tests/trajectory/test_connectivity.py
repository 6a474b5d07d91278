"""The error barrier between two trainings of one ticket."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import resident
from lttune.models import build
from lttune.models.layers import Output
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.connectivity import barrier, error, loaded, weights_between
from lttune.trajectory.lab import Lab
from lttune.trajectory.task import weights_of
from lttune.trajectory.trial import run_trial

DIGITS = load("digits")
CONFIG = LotteryConfig(
    levels=1,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=0.02, batch_size=50, steps=80, eval_every=40, eval_train=200),
    prune=PruneConfig(fraction=0.5, fractions={"out": 0.2}),
)
NETWORK = build(CONFIG.model, (8, 8), 10)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([0.1, 0.1, 0.1], 0.0),
        ([0.1, 0.5, 0.1], 0.4),
        ([0.1, 0.0, 0.1], 0.0),
        ([0.0, 0.3, 0.2], 0.2),
        ([0.0, 0.1, 0.2], 0.0),
        ([0.0, 0.2, 0.1, 0.3], 0.1),
    ],
)
def test_a_barrier_is_the_largest_excess_over_the_line_of_the_ends(errors, expected):
    assert barrier(errors) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=11))
def test_a_barrier_is_the_same_either_way_and_between_0_and_1(errors):
    assert 0 <= barrier(errors) <= 1
    assert barrier(errors) == pytest.approx(barrier(errors[::-1]), abs=1e-12)


def test_the_ends_of_the_way_are_the_networks_to_the_bit():
    one, other = (NETWORK.initial_weights(stream(seed, 0, "init")) for seed in (0, 1))
    for share, end in ((0.0, one), (1.0, other)):
        assert all(torch.equal(weights_between(one, other, share)[n], end[n]) for n in end)
    half = weights_between(one, other, 0.5)["fc1.weight"]
    assert torch.allclose(half, (one["fc1.weight"] + other["fc1.weight"]) / 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path_factory.mktemp("store")))
    reports = list(run_trial(CONFIG, [0], ("sibling",), lab))
    return lab, {(row["branch"], row["level"]): row for r in reports for row in r["rows"]}


def oracle(weights, x, y):
    """The error of a fully connected network by NumPy alone, in float64."""
    h = x.reshape(len(x), -1).astype(np.float64)
    for layer in ("fc1", "fc2", "out"):
        w, b = (
            weights[f"{layer}.{part}"].numpy().astype(np.float64) for part in ("weight", "bias")
        )
        h = h @ w.T + b
        h = h if layer == "out" else np.maximum(h, 0)
    return float((h.argmax(1) != y).mean())


@pytest.mark.parametrize("level", [0, 1])
def test_the_barriers_of_the_rows_are_those_of_the_stored_weights(trained, level):
    lab, rows = trained
    cells = [lab.store.read(rows[name, level]["cell"]) for name in ("trunk", "sibling")]
    one, other = (weights_of(cell, NETWORK) for cell in cells)
    assert not torch.equal(one["fc1.weight"], other["fc1.weight"])
    material = lab.material(CONFIG, 0)
    for name, examples in (("test", material.test), ("train", material.train_sample)):
        x = (examples.x.numpy().astype(np.float64) - examples.shift) * examples.gain
        errors = []
        for at in np.linspace(0, 1, 11):
            weights = {n: (1 - at) * one[n] + at * other[n] for n in one}
            errors.append(oracle(weights, x, examples.y.numpy()))
        assert errors[0] == pytest.approx(1 - rows["trunk", level][f"end_{name}_accuracy"])
        assert errors[-1] == pytest.approx(1 - rows["sibling", level][f"end_{name}_accuracy"])
        line = np.linspace(errors[0], errors[-1], 11)
        expected = float((np.array(errors) - line).max())
        assert rows["sibling", level][f"barrier_{name}_error"] == pytest.approx(expected, abs=2e-3)


def test_a_barrier_is_measured_once(trained, monkeypatch):
    lab, rows = trained

    def never(*arguments):
        raise AssertionError("measured again")

    monkeypatch.setattr("lttune.trajectory.connectivity.loaded", never)
    again = [row for r in run_trial(CONFIG, [0], ("sibling",), lab) for row in r["rows"]]
    for row in again:
        assert row["reused"]
        for column in ("barrier_test_error", "barrier_train_error"):
            assert row[column] == rows[row["branch"], row["level"]][column]


def test_a_sibling_that_diverged_has_no_barrier(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    wild = CONFIG.override({"train.optimizer": "sgd", "train.lr": 1e8})
    rows = [row for r in run_trial(wild, [0], ("sibling",), lab) for row in r["rows"]]
    assert [row["branch"] for row in rows] == ["trunk", "sibling"]
    assert rows[1]["diverged"]
    assert rows[1]["barrier_test_error"] is None


def test_without_training_examples_there_is_no_training_barrier(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    config = CONFIG.override({"train.eval_train": 0, "levels": 0})
    row = next(run_trial(config, [0], ("sibling",), lab))["rows"][1]
    assert row["barrier_train_error"] is None
    assert 0 <= row["barrier_test_error"] <= 1


def with_norm():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), Output(12, 10)
    )


def test_running_moments_are_measured_anew():
    torch.manual_seed(0)
    module = with_norm()
    weights = {n: v.clone() for n, v in module.state_dict().items() if v.is_floating_point()}
    network = dataclasses.replace(
        NETWORK,
        make=with_norm,
        shapes={n: tuple(v.shape) for n, v in module.named_parameters()},
        buffers={n: tuple(v.shape) for n, v in module.named_buffers() if v.ndim},
    )
    examples = resident(DIGITS)[0].take(np.arange(600))
    x, y = examples.slice(0, 600)
    hidden = functional.linear(x.flatten(1), weights["1.weight"], weights["1.bias"])
    kept, anew = loaded(network, weights, "cpu"), loaded(network, weights, "cpu", examples)
    assert torch.equal(kept.state_dict()["2.running_mean"], torch.zeros(12))
    found = anew.state_dict()
    assert torch.allclose(found["2.running_mean"], hidden.mean(0), atol=1e-5)
    assert torch.allclose(found["2.running_var"], hidden.var(0), rtol=1e-4)
    assert not anew.training
    # In evaluation mode with these moments: as a batch of all examples, but for Bessel's factor.
    deviation = hidden.var(0) + module[2].eps
    normal = ((hidden - hidden.mean(0)) / deviation.sqrt()).relu()
    logits = functional.linear(normal, weights["4.weight"], weights["4.bias"])
    expected = (logits.argmax(1) != y).float().mean().item()
    assert error(anew, examples) == pytest.approx(expected, abs=2e-3)
    assert error(kept, examples) != error(anew, examples)
