"""The smaller form of a ticket: the same outputs with fewer units, read in plain PyTorch."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import stored_study
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lttune.__main__ import main
from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.errors import ConfigError
from lttune.exchange.tensors import layers_told, plain, smaller, units_told, write
from lttune.models import build, masks

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"
(READER,) = [
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    if "def read_smaller" in block
]
IN_A_ROW = {
    "lenet-30-20": (8, 8),
    "lenet5": (28, 28),
    "conv-2": (3, 8, 8),
    "conv-4": (8, 8),
    "conv-6": (3, 8, 8),
    "vgg-11-8": (3, 16, 16),
    "vgg-13-8": (8, 8),
}


def network_of(name, shape=None):
    config = ModelConfig(name=name, init="he_normal", init_scale=2.0)
    return build(config, shape or IN_A_ROW[name], 10)


def drawn(network, seed=0):
    """Weights of which none is special, biases and moments of batch norm included."""
    noise = torch.Generator().manual_seed(seed)
    weights = network.initial_weights(np.random.default_rng(seed))
    for name, value in weights.items():
        if name.endswith("bias") or name.endswith("running_mean"):
            value.normal_(0, 0.3, generator=noise)
        elif name not in network.prunable:
            value.uniform_(0.5, 1.5, generator=noise)
    return weights


def whole_channels(network, density, seed=0):
    """A mask of whole units, of all layers but the logits'."""
    rng = np.random.default_rng(seed)
    mask = {}
    for name in network.prunable:
        shape = network.shapes[name]
        alive = np.ones(shape[0], bool) if name == "out.weight" else rng.random(shape[0]) < density
        edges = (-1, *[1] * (len(shape) - 1))
        mask[name] = torch.from_numpy(alive).view(edges).expand(shape).clone()
    return mask


def single_weights(network, density, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: torch.from_numpy(rng.random(network.shapes[name]) < density)
        for name in network.prunable
    }


def read_plainly(path):
    names = {}
    exec(READER, names)
    return names["read_smaller"](path)


def both(network, weights, mask, tmp_path):
    """Returns the smaller network as plain PyTorch reads it, and what the dense and it give."""
    weights = masks.apply(weights, mask)
    dense = network.make()
    dense.load_state_dict(plain(weights, mask, network, 7))
    tensors = smaller(weights, mask, network, 7)
    path = tmp_path / "small.safetensors"
    write(path, tensors, {"layers": layers_told(tensors, network)})
    small = read_plainly(path)
    x = torch.randn(50, *IN_A_ROW[network.config.name], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return small, dense.eval()(x), small(x)


def parameters(module):
    return sum(value.numel() for value in module.parameters())


def close(one, other):
    scale = float(one.abs().max())
    assert one.shape == other.shape
    assert float((one - other).abs().max()) < 2e-5 * scale


@pytest.mark.parametrize("mask_of", [whole_channels, single_weights])
@pytest.mark.parametrize("name", sorted(IN_A_ROW))
def test_outputs_are_the_same_to_rounding(name, mask_of, tmp_path):
    network = network_of(name)
    density, most = (0.5, 0.6) if mask_of is whole_channels else (0.1, 1.0)
    small, expected, found = both(network, drawn(network), mask_of(network, density), tmp_path)
    assert expected.std(0).max() > 0
    close(expected, found)
    assert parameters(small) < most * parameters(network.make())


def test_a_network_with_all_its_weights_stays_as_it_is(tmp_path):
    network = network_of("conv-2")
    weights = drawn(network)
    small, expected, found = both(network, weights, single_weights(network, 2.0), tmp_path)
    assert parameters(small) == parameters(network.make())
    assert torch.equal(expected, found)
    state = small.state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights.items())


def test_which_units_go(tmp_path):
    network = network_of("conv-2")
    weights, mask = drawn(network), single_weights(network, 2.0)
    for layer, gone in (("conv1", 30), ("conv2", 20), ("fc1", 100)):
        mask[f"{layer}.weight"][:gone] = False
    # Whether an empty channel is silent or says the same everywhere is up to its bias.
    weights["conv1.bias"][:10] = -1.0
    # A unit that nobody reads is in no output, and then is nothing that it alone reads.
    mask["out.weight"][:, 7] = False
    mask["fc2.weight"][:, 150] = False
    mask["fc2.weight"][7, 150] = True
    small, expected, found = both(network, weights, mask, tmp_path)
    close(expected, found)
    # Of 20 that say something before a padded convolution one stays for all, if they do.
    speak = int((weights["conv1.bias"][10:30] > 0).sum())
    assert speak > 1
    assert small.conv1.out_channels == small.conv2.in_channels == 64 - 30 + 1
    assert small.conv2.out_channels == 64 - 20
    assert small.fc1.in_features == (64 - 20) * 4 * 4
    assert small.fc1.out_features == 256 - 100 - 1
    assert small.fc2.out_features == 256 - 1
    assert small.out.weight.shape == (10, 255)


def test_an_empty_layer_leaves_one_unit_and_the_same_constant(tmp_path):
    for name, layer in (("lenet-30-20", "fc1"), ("conv-2", "conv2"), ("vgg-11-8", "conv3")):
        network = network_of(name)
        mask = single_weights(network, 2.0)
        mask[f"{layer}.weight"][:] = False
        small, expected, found = both(network, drawn(network), mask, tmp_path)
        close(expected, found)
        assert len(getattr(small, layer).weight) == 1
        assert expected.std(0).max() < 1e-6


def test_batch_norm_goes_with_its_channels(tmp_path):
    network = network_of("vgg-11-8")
    weights, mask = drawn(network), whole_channels(network, 0.5)
    small, *_ = both(network, weights, mask, tmp_path)
    alive = mask["conv8.weight"].flatten(1).any(1)
    assert torch.equal(small.norm8.running_var, weights["norm8.running_var"][alive])
    assert small.norm8.num_batches_tracked == 7
    assert small.out.in_features == int(alive.sum())


@pytest.mark.parametrize(
    ("name", "shape"), [("resnet-20-4", (8, 8)), ("resnet18-4", (8, 8)), ("densenet-22-12", (8, 8))]
)
def test_what_is_not_in_a_row_is_refused_with_the_reason(name, shape):
    network = network_of(name, shape)
    weights = drawn(network)
    with pytest.raises(ConfigError, match=f"must not be smaller for {name}, .* residual") as error:
        smaller(weights, {}, network, 0)
    assert "\n" not in str(error.value)


def test_a_network_of_ones_own_is_refused():
    network = dataclasses.replace(network_of("lenet-30-20"), source="ab" * 32)
    with pytest.raises(ConfigError, match="whose code is not lttune's own"):
        smaller(drawn(network), {}, network, 0)


COMPARED = """
import sys
from sklearn.datasets import load_digits
from torch.nn.functional import relu, linear, conv2d, max_pool2d
x = torch.tensor(load_digits().data[:200], dtype=torch.float32).view(-1, 1, 8, 8) / 16
dense = load_file(sys.argv[2])
def layer(x, name, act=relu):
    return act(linear(x, dense[f"{name}.weight"], dense[f"{name}.bias"]))
with torch.no_grad():
    y = relu(conv2d(x, dense["conv1.weight"], dense["conv1.bias"], padding=1))
    y = relu(conv2d(y, dense["conv2.weight"], dense["conv2.bias"], padding=1))
    y = layer(layer(max_pool2d(y, 2).flatten(1), "fc1"), "fc2")
    y = layer(y, "out", lambda x: x)
    small = read_smaller(sys.argv[1])(x[:, 0])
assert (y - small).abs().max() < 2e-5 * y.abs().max(), (y - small).abs().max()
assert "lttune" not in sys.modules
"""


def test_a_ticket_of_whole_channels_is_exported_smaller(tmp_path, capsys):
    lottery = LotteryConfig(
        levels=2,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="conv-2"),
        train=TrainConfig(steps=20, eval_every=20, eval_test=False, eval_train=0),
        prune=PruneConfig(structure="channel", fraction=0.5, fractions={}),
    )
    study = stored_study.make(tmp_path / "results", lottery)
    files = [tmp_path / f"{form}.safetensors" for form in ("smaller", "state-dict")]
    for form, path in zip(("smaller", "state-dict"), files, strict=True):
        assert main(["export", str(study), *f"--level 2 --form {form} --out {path}".split()]) == 0
    printed = capsys.readouterr().out.splitlines()
    found = re.fullmatch(
        r"units: conv1 (\d+) of 64, conv2 (\d+) of 64, fc1 (\d+) of 256, fc2 (\d+) of 256, "
        r"out 10 of 10; parameters: ([\d,]+) of ([\d,]+)",
        printed[1],
    )
    assert found is not None
    conv1, conv2, fc1, fc2 = map(int, found.groups()[:4])
    assert 16 <= conv1 <= 17
    assert (conv2, fc1, fc2) == (16, 64, 64)
    tensors = load_file(files[0])
    assert len(tensors["fc1.weight"]) == fc1
    count = sum(value.numel() for value in tensors.values())
    assert found.group(5) == f"{count:,}"
    assert files[0].stat().st_size < 0.1 * files[1].stat().st_size
    with safe_open(files[0], "pt") as file:
        shapes = json.loads(file.metadata()["shapes"])
    assert shapes == {name: list(value.shape) for name, value in tensors.items()}
    assert not files[0].with_suffix(".mask.safetensors").exists()
    assert len(READER.splitlines()) <= 20
    done = subprocess.run(
        [sys.executable, "-c", READER + COMPARED, *map(str, files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_words_of_what_is_left():
    network = network_of("lenet-30-20")
    weights, mask = drawn(network), single_weights(network, 2.0)
    mask["fc1.weight"][:10] = False
    tensors = smaller(masks.apply(weights, mask), mask, network, 0)
    left = 20 * 64 + 20 + 20 * 20 + 20 + 200 + 10
    assert units_told(tensors, network) == (
        f"units: fc1 20 of 30, fc2 20 of 20, out 10 of 10; parameters: {left:,} of "
        f"{left + 10 * (64 + 1 + 20):,}"
    )
