"""Tickets as files: what plain PyTorch reads of ours."""

from __future__ import annotations

import subprocess
import sys

import pytest
import stored_study
import torch
from exchanged import NETWORK, NORMED, same, ticket
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn.utils import prune

from lttune.__main__ import main
from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.errors import ConfigError
from lttune.exchange.tensors import (
    compact,
    mask_tensors,
    masks_in,
    plain,
    pruned_module,
    read,
    torch_prune,
    weights_in,
    write,
)
from lttune.exchange.tickets import Place, find_network

# To plain PyTorch.

PLAIN = """
import hashlib, json, sys
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(64, 20), nn.Linear(20, 10), nn.Linear(10, 10)

    def forward(self, x):
        return self.out(torch.relu(self.fc2(torch.relu(self.fc1(x)))))

pixels, classes = load_digits(return_X_y=True)
seed = int.from_bytes(hashlib.sha256(b"lttune|0|0|digits-test|0").digest(), "big")
test = np.sort(np.random.default_rng(seed).permutation(1797)[:360])
for path in sys.argv[1:]:
    with safe_open(path, "pt") as file:
        data = json.loads(file.metadata()["dataset"])
    x = (pixels[test] / data["scale"] - data["mean"]) / data["std"]
    module = Net()
    module.load_state_dict(load_file(path))
    found = module(torch.tensor(x, dtype=torch.float32)).argmax(1).numpy()
    print(repr((found == classes[test]).sum() / 360))
assert "lttune" not in sys.modules
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    return stored_study.make(out, replicates=(0, 1), controls=("reinit", "sibling"))


@pytest.mark.slow
def test_plain_pytorch_finds_the_accuracy_of_the_records(study, tmp_path):
    (tmp_path / "plain.py").write_text(PLAIN)
    paths, expected = [], []
    for replicate, level in ((0, 0), (0, 2), (1, 1), (1, 2)):
        path = tmp_path / f"{replicate}-{level}.safetensors"
        flags = f"--replicate {replicate} --level {level} --out {path}"
        assert main(["export", str(study), *flags.split()]) == 0
        paths.append(path)
        row = find_network(Place(study=study, replicate=replicate, level=level)).row
        expected.append(row["end_test_accuracy"])
    done = subprocess.run(
        [sys.executable, "plain.py", *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    printed = [line.removeprefix("np.float64(").rstrip(")") for line in done.stdout.split()]
    assert [float(value) for value in printed] == expected
    assert len(set(expected)) > 2


def test_a_plain_state_dict_is_zero_exactly_outside_the_mask(study):
    found = find_network(Place(study=study, level=2))
    tensors = plain(*found.weights("trained")[:1], found.mask, found.network, 40)
    for name, keep in found.mask.items():
        assert (tensors[name][~keep] == 0).all()
        assert (tensors[name][keep] != 0).all()


def test_batch_norm_comes_along_whole(tmp_path):
    lottery = LotteryConfig(
        levels=1,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="vgg-11-4"),
        train=TrainConfig(lr=0.01, steps=6, eval_every=3, eval_train=0, batch_size=200),
    )
    found = find_network(Place(study=stored_study.make(tmp_path / "results", lottery), level=1))
    weights, steps = found.weights("trained")
    write(tmp_path / "x.safetensors", plain(weights, found.mask, found.network, steps), {})
    module = found.network.make()
    tensors = load_file(tmp_path / "x.safetensors")
    module.load_state_dict(tensors)
    assert {int(v) for n, v in tensors.items() if n.endswith("num_batches_tracked")} == {6}
    data = load("digits")
    x = (torch.from_numpy(data.test_x) / data.scale - data.mean) / data.std
    with torch.no_grad():
        guesses = module.eval()(x).argmax(1).numpy()
    assert (guesses == data.test_y).mean() == found.row["end_test_accuracy"]


@pytest.mark.parametrize("network", [NETWORK, NORMED], ids=["lenet", "resnet"])
def test_the_form_of_torch_prune_is_torchs_own(network):
    weights, mask = ticket(network)
    module = pruned_module(weights, mask, network, 7)
    ours, torchs = torch_prune(weights, mask, network, 7), module.state_dict()
    assert ours.keys() == torchs.keys()
    assert all(torch.equal(ours[n], torchs[n]) and ours[n].dtype == torchs[n].dtype for n in ours)
    fresh = pruned_module(*ticket(network, seed=1), network, 0)
    fresh.load_state_dict(ours)
    x = torch.rand(3, 8, 8)
    plain_module = network.make()
    plain_module.load_state_dict(plain(weights, mask, network, 7))
    assert torch.equal(fresh.eval()(x), plain_module.eval()(x))
    for name in mask:
        prune.remove(module.get_submodule(name.removesuffix(".weight")), "weight")
    assert same(
        dict(sorted(module.state_dict().items())),
        dict(sorted(plain(weights, mask, network, 7).items())),
    )


def test_held_weights_have_the_plain_form_only():
    weights, mask = ticket(NETWORK)
    weights["fc1.weight"][~mask["fc1.weight"]] = 0.5
    for form in (torch_prune, compact):
        with pytest.raises(ConfigError, match="form must be state-dict where pruned weights hold"):
            form(weights, mask, NETWORK, 0)


# And back.


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), density=st.floats(0, 1), normed=st.booleans())
def test_what_is_exported_is_imported(tmp_path_factory, seed, density, normed):
    network = NORMED if normed else NETWORK
    weights, mask = ticket(network, seed, density)
    folder = tmp_path_factory.mktemp("files")
    write(folder / "plain.safetensors", plain(weights, mask, network, 3), {})
    write(folder / "mask.safetensors", mask_tensors(mask), {"a": "b"})
    write(folder / "prune.safetensors", torch_prune(weights, mask, network, 3), {})
    torch.save(torch_prune(weights, mask, network, 3), folder / "prune.pt")
    write(folder / "compact.safetensors", compact(weights, mask, network, 3), {})
    assert read(folder / "mask.safetensors").metadata == {"format": "pt", "a": "b"}
    for name in ("mask.safetensors", "prune.safetensors", "prune.pt", "compact.safetensors"):
        assert same(masks_in(read(folder / name)).of(network), mask)
    for name in ("plain.safetensors", "prune.safetensors", "prune.pt", "compact.safetensors"):
        assert same(weights_in(read(folder / name), network), weights)
