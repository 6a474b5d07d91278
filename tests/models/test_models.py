"""Networks: their layers, kinds and counts, which pictures they take, how they start."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lttune.config import ModelConfig
from lttune.config.seeding import stream
from lttune.errors import ConfigError
from lttune.models import build
from lttune.models.layers import Dropout

GREY, DIGIT, COLOUR, MNIST = (8, 8), (1, 8, 8), (3, 32, 32), (28, 28)
WITH_NORM = ["resnet-20-4", "resnet18-4", "resnet50-4", "vgg-11-4", "vgg-19-4", "densenet-22-12"]
WITHOUT_NORM = ["lenet-30-20", "lenet5", "conv-2", "conv-4", "conv-6"]


def network(name, shape=COLOUR, **config):
    return build(ModelConfig(name=name, **config), shape, 10)


def weights_of(net):
    """Returns kind -> number of prunable weights."""
    counts = Counter()
    for layer, kind in net.kinds.items():
        counts[kind] += math.prod(net.shapes[f"{layer}.weight"])
    return dict(counts)


def parameters_of(net):
    return sum(map(math.prod, net.shapes.values()))


def initial(net, replicate=0):
    return net.initial_weights(stream(0, replicate, "init"))


def started(net):
    module = net.make()
    module.load_state_dict(initial(net), strict=False)
    return module


def test_lenet_300_100_has_the_papers_layers_kinds_and_count():
    net = network("lenet-300-100", MNIST)
    assert net.kinds == {"fc1": "fc", "fc2": "fc", "out": "out"}
    assert net.shapes["fc1.weight"] == (300, 784)
    assert sum(weights_of(net).values()) == 266_200
    assert parameters_of(net) == 266_610


def test_the_lenets_of_figure_31_have_19_9_to_978_6_thousand_weights():
    widths = ["25-9", "50-17", "100-34", "150-50", "200-67"]
    widths += ["300-100", "400-134", "500-167", "700-233", "900-300"]
    found = [sum(weights_of(network(f"lenet-{w}", MNIST)).values()) for w in widths]
    assert found == sorted(found)
    assert [round(count / 1000, 1) for count in (found[0], found[-1])] == [19.9, 978.6]


@pytest.mark.parametrize(
    ("name", "printed", "conv", "fully_connected"),
    [
        # Millions of all weights as Figure 2 prints them, and the counts of the convolutions.
        ("conv-2", 4.3, 38_592, 4_259_840),
        ("conv-4", 2.4, 259_776, 2_162_688),
        # Figure 2 prints 1.7M: a slip, these layers have 2.3M.
        ("conv-6", 2.3, 1_144_512, 1_114_112),
    ],
)
def test_the_conv_networks_have_the_papers_weights(name, printed, conv, fully_connected):
    found = weights_of(network(name))
    assert found == {"conv": conv, "fc": fully_connected, "out": 2_560}
    assert round(sum(found.values()) / 1e6, 1) == printed


def test_conv_6_has_2_261_184_weights_and_not_the_printed_1_7_million():
    assert sum(weights_of(network("conv-6")).values()) == 2_261_184


def test_resnet_20_has_the_papers_weights():
    net = network("resnet-20")
    assert weights_of(net) == {"conv": 267_696, "shortcut": 2_560, "out": 640}
    assert round((267_696 + 2_560) / 1000) == 270
    # The paper's 274K, everything that is stored: biases, batch norm and its moments.
    assert round((parameters_of(net) + sum(map(math.prod, net.buffers.values()))) / 1000) == 274


@pytest.mark.parametrize(
    ("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)]
)
def test_cifar_resnets_have_the_parameters_of_he_et_al_table_6(depth, millions):
    net = network(f"resnet-{depth}")
    # Theirs have no weights on the shortcuts.
    shortcuts = sum(math.prod(s) for name, s in net.shapes.items() if ".shortcut." in name)
    count = parameters_of(net) - shortcuts
    assert count / 1e6 == pytest.approx(millions, abs=0.05 if depth == 110 else 0.006)
    assert Counter(net.kinds.values()) == {"conv": depth - 1, "shortcut": 2, "out": 1}


def test_vgg_19_has_the_papers_weights():
    found = weights_of(network("vgg-19"))
    assert found == {"conv": 20_018_880, "out": 5_120}


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_a_vgg_has_one_fully_connected_layer_instead_of_three(depth):
    kinds = network(f"vgg-{depth}").kinds
    assert Counter(kinds.values()) == {"conv": depth - 3, "out": 1}


@pytest.mark.parametrize(
    ("name", "millions"),
    [("densenet-40-12", 1.0), ("densenet-100-12", 7.0), ("densenet-100-24", 27.2)],
)
def test_densenets_have_the_parameters_of_huang_et_al_table_2(name, millions):
    net = network(name)
    assert round(parameters_of(net) / 1e6, 1) == millions
    depth = int(name.split("-")[1])
    assert Counter(net.kinds.values()) == {"conv": depth - 1, "out": 1}


def test_lenet_5_is_the_classic_on_28_pixels_and_padded_on_8():
    assert parameters_of(network("lenet5", MNIST)) == 61_706
    assert network("lenet5", MNIST).shapes["fc1.weight"] == (120, 16 * 5 * 5)
    assert network("lenet5", (12, 12)).shapes["fc1.weight"] == (120, 16)
    assert network("lenet5", GREY).shapes["fc1.weight"] == (120, 16 * 2 * 2)
    kinds = {"conv1": "conv", "conv2": "conv", "fc1": "fc", "fc2": "fc", "out": "out"}
    assert network("lenet5", GREY).kinds == kinds


def test_layers_have_readable_names():
    assert list(network("vgg-11").kinds)[:2] == ["conv1", "conv2"]
    assert {"block2.1.conv1", "block2.1.shortcut.conv"} <= network("resnet-20").kinds.keys()
    assert {"block4.3.conv3", "block1.1.shortcut.conv"} <= network("resnet50").kinds.keys()
    assert {"block3.6.conv", "transition2.conv"} <= network("densenet-22-12").kinds.keys()


@pytest.mark.parametrize(
    ("name", "factor"), [("resnet-20-32", 2), ("resnet18-128", 2), ("vgg-16-32", 0.5)]
)
def test_a_width_multiplies_all_channels(name, factor):
    plain = network(name.rpartition("-")[0])
    for parameter, shape in network(name).shapes.items():
        normal = plain.shapes[parameter]
        assert shape[0] == (normal[0] if parameter.startswith("out.") else factor * normal[0])


@pytest.mark.parametrize("name", ["resnet-20", "resnet18", "resnet50", "vgg-19", "densenet-22-12"])
@pytest.mark.parametrize("shape", [GREY, DIGIT, (3, 15, 11), MNIST, (3, 64, 64)])
def test_logits_are_one_row_an_example_whatever_the_pictures(name, shape):
    with torch.device("meta"):
        module = network(name, shape).make()
        assert module(torch.empty(3, *shape)).shape == (3, 10)


@pytest.mark.parametrize("name", ["lenet5", "conv-2", "conv-6"])
@pytest.mark.parametrize("shape", [GREY, (3, 15, 11), MNIST, COLOUR])
def test_networks_with_hidden_layers_fit_the_pictures_too(name, shape):
    with torch.device("meta"):
        module = network(name, shape).make()
        assert module(torch.empty(3, *shape)).shape == (3, 10)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("conv-6", (3, 7, 32), "at least 8 pixels an edge, got 7 x 32"),
        ("lenet5", (7, 7), "at least 8"),
        ("resnet-20", (3, 3), "at least 4"),
        ("resnet18", (7, 9), "at least 8"),
        ("vgg-11", (3, 7, 7), "at least 8"),
        ("densenet-22-12", (3, 3), "at least 4"),
        ("resnet-20", (64,), "no pictures"),
    ],
)
def test_pictures_that_are_too_small_are_refused(name, shape, message):
    with pytest.raises(ConfigError, match=message):
        network(name, shape)


@pytest.mark.parametrize("name", [*WITHOUT_NORM, *WITH_NORM])
def test_the_gradient_reaches_every_parameter(name):
    torch.manual_seed(0)
    module = started(network(name, (16, 16)))
    loss = functional.cross_entropy(module(torch.randn(16, 16, 16)), torch.arange(16) % 10)
    loss.backward()
    silent = [n for n, p in module.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("name", WITH_NORM)
def test_convolutions_before_batch_norm_have_no_bias(name):
    module = network(name).make()
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) > 5
    assert all(part.bias is None for part in convolutions)


@pytest.mark.parametrize("name", [*WITHOUT_NORM, *WITH_NORM])
def test_every_weight_of_a_convolution_or_linear_layer_is_prunable_and_nothing_else(name):
    net = network(name)
    matrices = [n for n, shape in net.shapes.items() if len(shape) > 1]
    assert net.prunable == matrices
    assert net.kinds["out"] == "out"
    assert all(("shortcut" in layer) == (kind == "shortcut") for layer, kind in net.kinds.items())


def test_excluding_kinds_leaves_the_others():
    net = network("resnet-20").excluding(("shortcut", "out"))
    assert weights_of(net) == {"conv": 267_696}
    assert net.shapes == network("resnet-20").shapes


@pytest.mark.parametrize("name", ["resnet-20", "resnet18", "vgg-11", "densenet-22-12"])
def test_dropout_is_refused_without_hidden_fully_connected_layers(name):
    with pytest.raises(ConfigError, match=rf"model.dropout must be 0 for {name}.* got 0\.5"):
        network(name, dropout=0.5)


@pytest.mark.parametrize("name", WITHOUT_NORM)
def test_dropout_follows_each_hidden_fully_connected_layer(name):
    parts = list(network(name, dropout=0.5).make())
    places = [i for i, part in enumerate(parts) if isinstance(part, Dropout)]
    assert [type(parts[i - 1]) for i in places] == [nn.ReLU] * 2
    assert [isinstance(parts[i - 2], nn.Linear) for i in places] == [True] * 2


def test_only_weights_are_prunable():
    assert network("lenet-300-100").prunable == ["fc1.weight", "fc2.weight", "out.weight"]


@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-20", "densenet-22-12"])
def test_biases_start_at_zero(name):
    weights = initial(network(name))
    biases = [value for n, value in weights.items() if n.endswith((".bias", "running_mean"))]
    assert biases
    assert not any(value.any() for value in biases)
    assert all(value.dtype == torch.float32 for value in weights.values())


@pytest.mark.parametrize("norm_init", ["ones", "uniform"])
def test_batch_norm_starts_at_one_or_uniform(norm_init):
    net = network("resnet-20", norm_init=norm_init, init_scale=3.0)
    weights = initial(net)
    scales = [n for n, role in net.roles.items() if role == "norm" and n.endswith("weight")]
    values = torch.cat([weights[n] for n in scales])
    assert len(values) == 16 * 7 + 32 * 7 + 64 * 7
    if norm_init == "ones":
        assert bool((values == 1).all())
    else:
        assert 0 <= values.min() < 0.01
        assert 0.99 < values.max() < 1
        assert values.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / len(values)))
    variances = [value for n, value in weights.items() if n.endswith("running_var")]
    assert len(variances) == len(scales)
    assert all(bool((value == 1).all()) for value in variances)


def test_roles_say_what_a_parameter_is():
    roles = network("resnet-20").roles
    assert roles["conv1.weight"] == "conv"
    assert roles["block2.1.shortcut.conv.weight"] == "shortcut"
    assert roles["block2.1.shortcut.norm.weight"] == roles["norm1.bias"] == "norm"
    assert (roles["out.weight"], roles["out.bias"]) == ("out", "bias")


@pytest.mark.parametrize("name", ["lenet-300-100", "resnet-20"])
def test_a_stream_gives_the_same_weights_and_another_replicate_others(name):
    net = network(name)
    first, again, other = initial(net), initial(net), initial(net, 1)
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not any(torch.equal(first[n], other[n]) for n in net.prunable)


def test_making_a_network_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    initial(network("resnet-20"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_new_networks_activations_neither_vanish_nor_grow():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((16, 3, 32, 32), np.float32))
    for name in ("resnet-20", "vgg-11-16", "densenet-22-12"):
        with torch.no_grad():
            spread = started(network(name)).train()(x).std().item()
        assert 0.1 < spread < 10
