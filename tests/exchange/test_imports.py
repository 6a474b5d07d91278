"""Masks and weights of others, and files that are none."""

from __future__ import annotations

import itertools
import pickle
from collections import OrderedDict

import pytest
import torch
from exchanged import NETWORK, same, ticket
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from lttune.config import ModelConfig
from lttune.errors import DataError, StorageError
from lttune.exchange.tensors import (
    Contents,
    masks_in,
    plain,
    read,
    weights_in,
)
from lttune.models import build, masks


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
    ("name", "data", "message"),
    [
        ("x.pt", b"", "no safetensors and no torch file: ."),
        ("x.pt", b"hello", "no safetensors and no torch file: ."),
        ("x.safetensors", b"x", "no safetensors and no torch file: ."),
        ("x.pt", b"\x08" + b"\0" * 7 + b"{oh no", "is damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_a_file_must_map_names_to_tensors(tmp_path):
    torch.save(OrderedDict(a={"model": {"fc1.weight": torch.ones(2)}}), tmp_path / "x.pt")
    with pytest.raises(DataError, match="must hold a mapping of names to tensors"):
        read(tmp_path / "x.pt")
    with pytest.raises(StorageError, match="cannot read"):
        read(tmp_path / "absent.pt")


def test_a_disk_that_fails_is_not_told_as_a_bad_file(tmp_path, monkeypatch):
    def fail(*args, **options):
        raise OSError(5, "Input/output error")

    torch.save({"fc1.weight": torch.ones(2)}, tmp_path / "x.pt")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(StorageError, match=r"cannot read .*x\.pt: Input/output error"):
        read(tmp_path / "x.pt")
