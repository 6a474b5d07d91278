import math

import numpy as np
import pytest
import torch
from scipy import stats

from lttune.config import ModelConfig
from lttune.models import build
from lttune.models.initialisers import glorot_normal
from lttune.seeding import stream


def lenet():
    return build(ModelConfig(), (28, 28), 10)


def test_lenet_300_100_has_the_papers_layers_kinds_and_count():
    network = lenet()
    assert network.kinds == {"fc1": "fc", "fc2": "fc", "out": "out"}
    assert network.shapes["fc1.weight"] == (300, 784)
    weights = sum(math.prod(network.shapes[name]) for name in network.prunable)
    assert weights == 266_200
    assert sum(map(math.prod, network.shapes.values())) == 266_610


def test_only_weights_are_prunable():
    assert lenet().prunable == ["fc1.weight", "fc2.weight", "out.weight"]


@pytest.mark.parametrize(
    ("shape", "std"), [((300, 784), 0.0430), ((100, 300), 0.0707), ((10, 100), 0.1348)]
)
def test_glorot_normal_has_the_papers_spread_and_is_gaussian(shape, std):
    sample = glorot_normal(shape, np.random.default_rng(0)).double().flatten().numpy()
    assert math.sqrt(2 / sum(shape)) == pytest.approx(std, abs=5e-5)
    assert sample.std() == pytest.approx(std, rel=5 / math.sqrt(2 * sample.size))
    assert stats.kstest(sample / math.sqrt(2 / sum(shape)), "norm").pvalue > 1e-3


def test_biases_start_at_zero():
    weights = lenet().initial_weights(stream(0, 0, "init"))
    assert all(not weights[name].any() for name in weights if name.endswith(".bias"))
    assert all(weights[name].dtype == torch.float32 for name in weights)


def test_a_stream_gives_the_same_weights_and_another_replicate_others():
    first, again = (lenet().initial_weights(stream(0, 0, "init")) for _ in range(2))
    other = lenet().initial_weights(stream(0, 1, "init"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["fc1.weight"], other["fc1.weight"])


def test_the_module_computes_relu_layers():
    network = build(ModelConfig(name="lenet-4-3"), (2, 2), 2)
    weights = network.initial_weights(stream(0, 0, "init"))
    module = network.make()
    module.load_state_dict(weights)
    x = torch.randn(5, 2, 2)
    hidden = torch.relu(x.flatten(1) @ weights["fc1.weight"].T)
    hidden = torch.relu(hidden @ weights["fc2.weight"].T)
    assert torch.allclose(module(x), hidden @ weights["out.weight"].T, atol=1e-6)


def test_making_a_network_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    lenet().initial_weights(stream(0, 0, "init"))
    assert torch.equal(before, torch.random.get_rng_state())
