"""What every network must do, by the checks of ``lttune.testing``, and that they find faults."""

from __future__ import annotations

import pytest
import torch
from own_networks import MLP, made, module_of, page_block, written
from torch import nn

from lttune.errors import ConfigError
from lttune.models.layers import Output
from lttune.testing import check_network
from lttune.testing import networks as checks


@pytest.mark.parametrize("name", ["lenet-12-8", "lenet5", "conv-2", "resnet18-2", "vgg-11-2"])
def test_networks_of_ours(name):
    check_network(name)


def test_the_transformer_of_the_page_and_a_plain_network(tmp_path):
    check_network(written(tmp_path, page_block("patches.py"), "patches.py"))
    check_network(written(tmp_path, MLP))


def test_what_cannot_be_trained_is_refused_as_in_a_study(tmp_path):
    with pytest.raises(ConfigError, match=r"must return an nn\.Module, got 3"):
        check_network(written(tmp_path, "def network(shape, classes): return 3"))


def test_weights_that_are_the_same_in_each_replicate_are_found(tmp_path):
    body = "self.out = nn.Linear(pixels, classes); nn.init.ones_(self.out.weight)"
    network = module_of(body, "return self.out(x.flatten(1))", tmp_path)
    network = made(network.config.name, init="module")
    with pytest.raises(AssertionError, match="must begin each replicate with other prunable"):
        checks.check_drawn(network)


def test_a_gradient_that_is_0_everywhere_is_found():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle, self.out = nn.Linear(64, 64), Output(64, 10)

        def forward(self, x):
            return self.out(x.flatten(1) + 0 * self.idle(x.flatten(1)))

    kinds = {"idle": "fc", "out": "out"}
    network = made_of(Idle, kinds)
    with pytest.raises(AssertionError, match="a finite gradient of idle that is not 0"):
        checks.check_gradients(network, (8, 8))


def made_of(make, kinds):
    """Returns the network of a module of layers."""
    from lttune.config import ModelConfig
    from lttune.models import Network

    parameters = dict(make().named_parameters())
    return Network(
        make=make,
        shapes={name: tuple(value.shape) for name, value in parameters.items()},
        kinds=kinds,
        roles={n: "bias" if n.endswith("bias") else kinds[n.split(".")[0]] for n in parameters},
        buffers={},
        config=ModelConfig(),
    )


def test_logits_that_are_not_finite_are_found():
    class Infinite(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = Output(64, 10)

        def forward(self, x):
            return self.out(x.flatten(1)) + torch.inf

    with pytest.raises(AssertionError, match=r"finite logits \[4, 10\]"):
        checks.check_gradients(made_of(Infinite, {"out": "out"}), (8, 8))
