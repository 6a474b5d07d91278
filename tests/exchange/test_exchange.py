"""Tickets as files: what plain PyTorch reads of ours, and what we read of others."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import stored_study
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import prune

from lttune.__main__ import main
from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.errors import ConfigError, DataError, StorageError
from lttune.exchange.tensors import (
    Contents,
    mask_tensors,
    masks_in,
    plain,
    pruned_module,
    read,
    torch_prune,
    weights_in,
    write,
)
from lttune.exchange.tickets import Place, find
from lttune.models import build, masks

NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
NORMED = build(ModelConfig(name="resnet-20-4"), (8, 8), 10)


def ticket(network, seed=0, density=0.4):
    rng = np.random.default_rng(seed)
    mask = {n: torch.from_numpy(rng.random(network.shapes[n]) < density) for n in network.prunable}
    return masks.apply(network.initial_weights(rng), mask), mask


def same(one, other):
    return list(one) == list(other) and all(torch.equal(one[n], other[n]) for n in one)


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
        row = find(Place(study=study, replicate=replicate, level=level)).row
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
    found = find(Place(study=study, level=2))
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
    found = find(Place(study=stored_study.make(tmp_path / "results", lottery), level=1))
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


def test_held_weights_have_no_torch_prune_form():
    weights, mask = ticket(NETWORK)
    weights["fc1.weight"][~mask["fc1.weight"]] = 0.5
    with pytest.raises(ConfigError, match="form must be state-dict where pruned weights hold"):
        torch_prune(weights, mask, NETWORK, 0)


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
    assert read(folder / "mask.safetensors").metadata == {"format": "pt", "a": "b"}
    for name in ("mask.safetensors", "prune.safetensors", "prune.pt"):
        assert same(masks_in(read(folder / name)).of(network), mask)
    for name in ("plain.safetensors", "prune.safetensors", "prune.pt"):
        assert same(weights_in(read(folder / name), network), weights)


class Foreign(nn.Module):
    """Names of open_lth's LeNet; the output layer is declared last."""

    def __init__(self, widths=(64, 20, 10)):
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.fc_layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.fc = nn.Linear(widths[-1], 10)


def pruned_by_torch(widths=(64, 20, 10)):
    torch.manual_seed(0)
    module = Foreign(widths)
    layers = [*module.fc_layers, module.fc]
    for layer, amount in zip(layers, (0.5, 0.3, 0.2), strict=True):
        prune.l1_unstructured(layer, "weight", amount=amount)
    return module, layers


def test_a_module_pruned_by_torch_is_read_under_our_names(tmp_path):
    module, layers = pruned_by_torch()
    torch.save(module.state_dict(), tmp_path / "module.pt")
    direct = Contents(tensors=dict(module.state_dict()), ordered=True)
    for contents in (direct, read(tmp_path / "module.pt")):
        mask = masks_in(contents).of(NETWORK)
        assert list(mask) == NETWORK.prunable
        for layer, keep in zip(layers, mask.values(), strict=True):
            assert torch.equal(keep, layer.weight_mask.bool())


def test_a_mask_file_of_open_lth_is_read(tmp_path):
    _, mask = ticket(NETWORK)
    names = ("fc_layers.0.weight", "fc_layers.1.weight", "fc.weight")
    theirs = {n: keep.int() for n, keep in zip(names, mask.values(), strict=True)}
    torch.save(theirs, tmp_path / "mask.pth")
    assert same(masks_in(read(tmp_path / "mask.pth")).of(NETWORK), mask)


def test_order_decides_between_layers_of_one_shape_only_where_there_is_one(tmp_path):
    network = build(ModelConfig(name="lenet-10-10"), (8, 8), 10)
    module, layers = pruned_by_torch((64, 10, 10))
    torch.save(module.state_dict(), tmp_path / "module.pt")
    mask = masks_in(read(tmp_path / "module.pt")).of(network)
    assert torch.equal(mask["fc2.weight"], layers[1].weight_mask.bool())
    assert torch.equal(mask["out.weight"], layers[2].weight_mask.bool())
    save_file(module.state_dict(), tmp_path / "module.safetensors")
    with pytest.raises(DataError, match=r"could each be any of fc2\.weight, out\.weight"):
        masks_in(read(tmp_path / "module.safetensors"), "theirs").of(network)


def test_names_that_were_sorted_are_no_order():
    network = build(ModelConfig(name="lenet-10-10"), (8, 8), 10)
    # Sorted, the shapes come in the network's order; the output layer is not the last for that.
    tensors = {"a": torch.ones(10, 64), "b": torch.zeros(10, 10), "c": torch.ones(10, 10)}
    assert masks_in(Contents(tensors=tensors, ordered=True)).of(network)
    with pytest.raises(DataError, match=r"b, c of shape \(10, 10\) could each be any of"):
        masks_in(Contents(tensors=tensors, ordered=False)).of(network)


def test_unique_shapes_need_no_order(tmp_path):
    module, layers = pruned_by_torch()
    save_file(module.state_dict(), tmp_path / "module.safetensors")
    mask = masks_in(read(tmp_path / "module.safetensors")).of(NETWORK)
    for layer, keep in zip(layers, mask.values(), strict=True):
        assert torch.equal(keep, layer.weight_mask.bool())


def test_layers_without_a_mask_are_dense():
    keep = torch.zeros(10, 20)
    mask = masks_in(Contents(tensors={"fc2.weight_mask": keep}, ordered=True)).of(NETWORK)
    assert masks.layer_densities(mask) == {"fc1": 1.0, "fc2": 0.0, "out": 1.0}


def test_an_idle_mask_elsewhere_is_no_obstacle():
    _, mask = ticket(NETWORK)
    tensors = {f"{n}_mask": keep.float() for n, keep in mask.items()}
    tensors["fc1.bias_mask"] = torch.ones(20)
    assert same(masks_in(Contents(tensors=tensors, ordered=False)).of(NETWORK), mask)
    tensors["fc1.bias_mask"][3] = 0
    with pytest.raises(DataError, match=r"fc1.bias of shape \(20,\) is no layer"):
        masks_in(Contents(tensors=tensors, ordered=False)).of(NETWORK)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fc1.weight_mask": torch.full((20, 64), 0.5)}, "must hold 0 and 1 only"),
        ({"fc1.weight_mask": torch.ones(20, 63)}, r"must have shape \(20, 64\), found \(20, 63\)"),
        ({"fc1.weight": torch.full((20, 64), 0.5)}, "no mask is there"),
        ({}, "no mask is there"),
        ({"x_mask": torch.zeros(7, 7)}, r"x of shape \(7, 7\) is no layer of the network"),
    ],
)
def test_masks_that_cannot_be_meant_are_refused(tensors, message):
    with pytest.raises(DataError, match=message):
        masks_in(Contents(tensors=tensors, ordered=True), "theirs").of(NETWORK)


def test_weights_must_be_all_there():
    tensors = plain(*ticket(NETWORK), NETWORK, 0)
    del tensors["fc2.bias"]
    with pytest.raises(DataError, match=r"fc2.bias of the network are not there"):
        weights_in(Contents(tensors=tensors, ordered=True), NETWORK)


class Bomb:
    def __reduce__(self):
        return (print, ("boom",))


def test_pickles_are_never_run(tmp_path, capsys):
    torch.save({"fc1.weight": Bomb()}, tmp_path / "bomb.pth")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps({"fc1.weight": Bomb()}, 2))
    for name in ("bomb.pth", "raw.pth"):
        with pytest.raises(DataError, match="must hold tensors only"):
            read(tmp_path / name)
    assert "boom" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "no safetensors and no torch file"), (b"\x08" + b"\0" * 7 + b"{oh no", "is damaged")],
)
def test_damaged_files_are_named(tmp_path, data, message):
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.pt")


def test_a_file_must_map_names_to_tensors(tmp_path):
    torch.save(OrderedDict(model={"fc1.weight": torch.ones(2)}), tmp_path / "x.pt")
    with pytest.raises(DataError, match="must hold a mapping of names to tensors"):
        read(tmp_path / "x.pt")
    with pytest.raises(StorageError, match="cannot read"):
        read(tmp_path / "absent.pt")


# Of a study.


def test_the_start_is_the_initial_draw_under_the_mask(study):
    for replicate in (0, 1):
        found = find(Place(study=study, replicate=replicate, level=2))
        weights, steps = found.weights("start")
        drawn = found.network.initial_weights(stream(0, replicate, "init"))
        assert same(weights, masks.apply(drawn, found.mask))
        assert steps == 0


def test_a_rewound_start_is_the_dense_networks_at_that_step(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"rewind_step": 20})
    study = stored_study.make(tmp_path / "results", lottery)
    found = find(Place(study=study, level=2))
    short = lottery.override({"train.steps": 20, "rewind_step": 0, "levels": 0})
    other = find(Place(study=stored_study.make(tmp_path / "short", short)))
    weights, steps = found.weights("start")
    # A training of 20 steps ends where one of 40 is rewound to.
    assert same(weights, masks.apply(other.weights("trained")[0], found.mask))
    assert steps == 20


def test_trained_from_its_exported_start_a_ticket_ends_as_it_did(study):
    found = find(Place(study=study, level=1))
    weights, _ = found.weights("start")
    module = pruned_module(weights, found.mask, found.network, 0)
    data = load("digits")
    seed = int.from_bytes(hashlib.sha256(b"lttune|0|0|split|0").digest(), "big")
    train = np.sort(np.random.default_rng(seed).permutation(1437)[237:])
    seed = int.from_bytes(hashlib.sha256(b"lttune|0|0|order|1").digest(), "big")
    rng, optimizer = np.random.default_rng(seed), torch.optim.Adam(module.parameters(), lr=0.01)
    x = torch.from_numpy((data.train_x / data.scale - data.mean) / data.std).float()
    y, done = torch.from_numpy(data.train_y), 0
    while done < 40:
        order = rng.permutation(train)
        for i in range(0, len(order), 60)[: 40 - done]:
            batch = order[i : i + 60]
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
            optimizer.step()
            done += 1
    trained, _ = found.weights("trained")
    for name in found.mask:
        layer = module.get_submodule(name.removesuffix(".weight"))
        assert torch.allclose(layer.weight_orig * layer.weight_mask, trained[name], atol=1e-4)


def test_a_file_says_what_it_is(study, tmp_path):
    path = tmp_path / "x.safetensors"
    assert main(["export", str(study), "--level", "2", "--out", str(path)]) == 0
    said = read(path).metadata
    row = find(Place(study=study, level=2)).row
    assert said["form"] == "state-dict"
    assert said["weights"] == "trained"
    assert json.loads(said["density"]) == row["density"]
    assert json.loads(said["measures"])["end_test_accuracy"] == row["end_test_accuracy"]
    assert json.loads(said["config"]) == stored_study.digits_study.LOTTERY.nested()
    assert json.loads(said["dataset"])["digest"] == load("digits").digest()
    assert json.loads(said["ticket"])["cell"] == row["cell"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trial": 3}, "trial must be one of 0; got"),
        ({"replicate": 2}, "replicate must be one of 0, 1; got"),
        ({"level": 3}, "level must be one of 0, 1, 2; got"),
        ({"branch": "random"}, "branch must be one of reinit, sibling, trunk; got"),
        ({"branch": "reinit", "level": 1}, "branch must be one whose weights are kept"),
    ],
)
def test_a_network_that_is_not_there_is_named(study, changes, message):
    with pytest.raises(ConfigError, match=message):
        find(Place(study=study, **changes))


def test_a_branch_that_keeps_its_weights_has_no_start(study):
    found = find(Place(study=study, level=1, branch="sibling"))
    assert same(found.mask, find(Place(study=study, level=1)).mask)
    assert found.weights("trained")[1] == 40
    with pytest.raises(ConfigError, match="weights must be trained for a branch"):
        found.weights("start")


def test_a_lost_network_is_named(tmp_path):
    study = stored_study.make(tmp_path / "results")
    found = find(Place(study=study, level=2))
    first = find(Place(study=study, level=1)).row["cell"]
    (tmp_path / "results" / "cells" / first[:2] / first / "record.json").write_text("{}")
    assert found.weights("trained")
    with pytest.raises(StorageError, match="store lacks a network on the way"):
        found.weights("start")
    with pytest.raises(StorageError, match="has no sound network"):
        find(Place(study=study, level=1))


def test_a_start_that_is_not_the_stored_networks_own_is_refused(tmp_path):
    study = stored_study.make(tmp_path / "results", trials=({}, {"train.lr": 0.003}))
    ledger = json.loads((study / "trials.json").read_text())
    ledger["trials"][0]["hparams"] = {"train.lr": 0.003}
    (study / "trials.json").write_text(json.dumps(ledger))
    with pytest.raises(StorageError, match="was trained by another lttune"):
        find(Place(study=study, level=1)).weights("start")


def test_another_dataset_of_the_name_is_refused(tmp_path):
    study = stored_study.make(tmp_path / "results")
    sheet = json.loads((study / "study.json").read_text())
    sheet["dataset"]["digest"] = "0" * 64
    (study / "study.json").write_text(json.dumps(sheet))
    with pytest.raises(DataError, match="digits here is not the dataset of the study"):
        find(Place(study=study))


def test_a_learned_mask_has_a_start_only(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"method": "supermask", "levels": 1})
    found = find(Place(study=stored_study.make(tmp_path / "results", lottery), level=1))
    assert 0 < masks.density(found.mask) < 1
    drawn = found.network.initial_weights(stream(0, 0, "init"))
    assert same(found.weights("start")[0], masks.apply(drawn, found.mask))
    with pytest.raises(ConfigError, match="weights must be start where a mask was learned"):
        found.weights("trained")
