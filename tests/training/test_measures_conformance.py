"""What ``lttune.testing`` finds of a measurement of one's own."""

from __future__ import annotations

import pytest
import torch
from own_files import writer
from own_networks import MLP, written

from lttune.errors import ConfigError
from lttune.testing import check_measure

SOUND = """
    module, (x, y) = network.module(), network.examples()
    losses = nn.functional.cross_entropy(module(x), y)
    (gradient,) = torch.autograd.grad(losses, [next(module.parameters())])
    return {"gradient": gradient.norm(), "depth": network.level}
"""

NORMED = """
from torch import nn

def network(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.BatchNorm1d(9), nn.Linear(9, classes))
"""


@pytest.fixture
def own(tmp_path):
    return writer(
        tmp_path,
        "step, network",
        "import math\nimport numpy as np\nimport torch\nfrom torch import nn\n",
    )


def test_a_sound_measurement_passes(own):
    check_measure(own(SOUND))


def test_one_that_knows_its_network_is_checked_on_that(own, tmp_path):
    name = own("return network.weights['1.weight'].norm()")
    check_measure(name, network=written(tmp_path, MLP))
    with pytest.raises(ConfigError, match=r"own\.py:part cannot be used: KeyError: '1\.weight'"):
        check_measure(name)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return math.nan", "must give a finite part of a sound network"),
        ("seen.append(0); return len(seen)", "must give the same numbers of the same network"),
        ("network.weights['3.bias'].add_(1); return 1", "must leave network.weights as it was"),
        ("network.weights.clear(); return 1", "must leave network.weights as it was"),
        ("network.weights['3.bias'].requires_grad_(); return 1", "must leave network.weights as"),
        ("[k.zero_() for k in network.mask.values()]; return 1", "must leave network.mask as it"),
        ("network.examples()[0].zero_(); return 1", r"must leave what network\.examples\(\) gives"),
        ("network.module().train(); return 1", r"must leave the mode of network\.module\(\) as"),
        (
            "m = network.module(); m.train(); m(network.examples()[0]); m.eval(); return 1",
            r"must leave the buffers of network\.module\(\) as they were",
        ),
        (
            "next(network.module().parameters()).data.zero_(); return 1",
            r"must leave the parameters of network\.module\(\) as they were",
        ),
        (
            "network.module()(network.examples()[0]).sum().backward(); return 1",
            r"must leave no gradients in network\.module\(\): torch\.autograd\.grad",
        ),
        ("torch.rand(1); return 1", "must draw from generators of its own, no global one"),
        ("np.random.rand(); return 1", "must draw from generators of its own, no global one"),
        ("torch.set_grad_enabled(False); return 1", "must leave PyTorch's threads and settings as"),
    ],
)
def test_what_no_measurement_may_do_is_found(own, tmp_path, body, told):
    with pytest.raises(AssertionError, match=told):
        check_measure(own(body), network=written(tmp_path, NORMED))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("body", ["return None", "return {'a b': 1}", "return 1 / 0"])
def test_what_gives_no_numbers_is_refused_as_in_a_study(own, body):
    with pytest.raises(ConfigError, match=r"^train\.measure: \S+/own\.py:part "):
        check_measure(own(body))


def test_what_is_the_name_of_no_function_is_refused():
    with pytest.raises(ConfigError, match=r"^train\.measure must be functions"):
        check_measure("margins")
