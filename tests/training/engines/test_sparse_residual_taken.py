"""Which residual networks the sparse engine takes."""

import pytest
from sparse_steps import network_of
from torch import nn

from lttune.config import ModelConfig
from lttune.models import build
from lttune.models.resnet import Bottleneck, cifar_resnet
from lttune.training.engines.sparse.blocks import nodes
from lttune.training.engines.sparse.network import beyond_kernels


def changed(change):
    module = cifar_resnet((3, 8, 8), 10, 8, 4)
    change(module)
    return module


def replaced(name, part):
    def change(module):
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, part)

    return lambda: changed(change)


def hooked(module):
    module.block1[0].register_forward_hook(lambda *_: None)


def shared(module):
    module.block1[0].norm2 = module.block1[0].norm1


def patched(module):
    module.block1[0].forward = lambda x: x


REFUSED = [
    replaced("conv1", nn.Conv2d(3, 4, 3, padding=1)),
    replaced("conv1", nn.Conv2d(3, 4, 5, padding=2, bias=False)),
    replaced("norm1", nn.BatchNorm2d(4, momentum=0.2)),
    replaced("norm1", nn.BatchNorm2d(4, eps=1e-3)),
    replaced("norm1", nn.BatchNorm2d(4, affine=False)),
    replaced("block1.1", Bottleneck(4, 1, 1)),
    replaced("average", nn.AdaptiveAvgPool2d(2)),
    lambda: changed(hooked),
    lambda: changed(shared),
    lambda: changed(patched),
]


@pytest.mark.parametrize("module", REFUSED)
def test_other_networks_are_refused(module):
    assert beyond_kernels(network_of(module(), (3, 8, 8))) != ""


def test_basic_blocks_of_any_depth_and_width_are_taken():
    for name in ("resnet-20", "resnet-56", "resnet-20-7", "resnet18", "resnet34-16"):
        network = build(ModelConfig(name=name), (3, 32, 32), 10)
        assert beyond_kernels(network) == ""
        assert len(nodes(network)) == len(network.kinds) - 1
    assert beyond_kernels(network.excluding(["shortcut"])) != ""
    assert beyond_kernels(build(ModelConfig(name="resnet50"), (3, 32, 32), 10)) != ""
    assert beyond_kernels(build(ModelConfig(name="resnet18"), (3, 64, 64), 10)) != ""
