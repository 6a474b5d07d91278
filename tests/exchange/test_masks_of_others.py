"""Masks as other pruners and trainers save them."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from exchanged import NETWORK, same, ticket
from torch import nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import parametrize

from lttune.__main__ import main
from lttune.errors import DataError
from lttune.exchange.tensors import mask_tensors, masks_in, plain, read, torch_prune, weights_in
from lttune.exchange.tensors import write as write_file

WEIGHTS, MASK = ticket(NETWORK)
PRUNED = torch_prune(WEIGHTS, MASK, NETWORK, 0)
PLAIN = plain(WEIGHTS, MASK, NETWORK, 0)
OPTIMIZER = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]}
CHECKPOINTS = {
    "pytorch's examples": {
        "epoch": 3,
        "arch": "lenet",
        "state_dict": PRUNED,
        "best_acc1": torch.tensor(0.9),
        "optimizer": OPTIMIZER,
    },
    "lightning": {
        "epoch": 3,
        "pytorch-lightning_version": "2.5",
        "state_dict": {f"model.{name}": value for name, value in PRUNED.items()},
        "optimizer_states": [OPTIMIZER],
        "hyper_parameters": {"lr": 0.1},
        "loops": {},
    },
    "an ordered one": OrderedDict(model_state_dict=OrderedDict(PRUNED), step=4),
    "masks beside": {"model": PLAIN, "mask": MASK},
    "masks of a name": {"masks": MASK, "net": PLAIN, "epoch": 1},
}


@pytest.mark.parametrize("whose", CHECKPOINTS)
def test_a_state_dict_that_lies_one_mapping_deeper_is_read(tmp_path, whose):
    torch.save(CHECKPOINTS[whose], tmp_path / "x.pt")
    assert same(masks_in(read(tmp_path / "x.pt")).of(NETWORK), MASK)
    assert same(weights_in(read(tmp_path / "x.pt"), NETWORK), WEIGHTS)


def nni(mask, **more):
    """Masks as NNI's ``export_model`` saves them: layer -> parameter -> mask."""
    return {name.removesuffix(".weight"): {"weight": keep.float(), **more} for name, keep in mask}


@pytest.mark.parametrize("bias", [{}, {"bias": torch.ones(7)}, {"bias": None}])
def test_masks_of_nni_are_read(tmp_path, bias):
    torch.save(nni(MASK.items(), **bias), tmp_path / "masks.pth")
    assert same(masks_in(read(tmp_path / "masks.pth")).of(NETWORK), MASK)


def test_masks_of_nni_that_prune_biases_are_refused(tmp_path):
    torch.save(nni(MASK.items(), bias=torch.zeros(7)), tmp_path / "masks.pth")
    with pytest.raises(DataError, match=r"fc1.bias of shape \(7,\) is no layer of the network"):
        masks_in(read(tmp_path / "masks.pth")).of(NETWORK)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(64, 20), nn.Linear(20, 10), nn.Linear(10, 10)


class Kept(nn.Module):
    """A parametrization of one's own, which has a mask."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def test_a_sparsifier_of_torch_ao_is_read(tmp_path):
    module = Net()
    dense = {name: value.clone() for name, value in module.state_dict().items()}
    layers = {"fc1": 0.5, "fc2": 0.7, "out": 0.9}
    asked = [{"tensor_fqn": f"{n}.weight", "sparsity_level": s} for n, s in layers.items()]
    sparsifier = WeightNormSparsifier(sparse_block_shape=(1, 1), zeros_per_block=1)
    sparsifier.prepare(module, asked)
    sparsifier.step()
    torch.save(sparsifier.state_dict(), tmp_path / "sparsifier.pt")
    torch.save(module.state_dict(), tmp_path / "module.pt")
    mask = masks_in(read(tmp_path / "sparsifier.pt")).of(NETWORK)
    for name, share in layers.items():
        theirs = getattr(module, name).parametrizations.weight[0].mask.bool()
        assert torch.equal(mask[f"{name}.weight"], theirs)
        assert float(theirs.float().mean()) == pytest.approx(1 - share, abs=0.01)
    # Its modules keep their weights, but leave their masks out.
    found = weights_in(read(tmp_path / "module.pt"), NETWORK)
    assert all(torch.equal(found[name], value) for name, value in dense.items())
    with pytest.raises(DataError, match=r"no mask is there; .*'fc1.parametrizations.weight.orig"):
        masks_in(read(tmp_path / "module.pt"))


def test_masks_of_parametrizations_are_read(tmp_path):
    module = Net()
    for name, keep in MASK.items():
        layer = getattr(module, name.removesuffix(".weight"))
        parametrize.register_parametrization(layer, "weight", Kept(keep))
    torch.save(module.state_dict(), tmp_path / "x.pt")
    assert same(masks_in(read(tmp_path / "x.pt")).of(NETWORK), MASK)
    assert list(weights_in(read(tmp_path / "x.pt"), NETWORK)) == list(WEIGHTS)
    parametrize.register_parametrization(module.fc1, "weight", Kept(torch.ones(20, 64)))
    torch.save(module.state_dict(), tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"fc1.weight must have one mask, found another: fc1"):
        masks_in(read(tmp_path / "x.pt"))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "student.net."])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_a_wrapper_puts_before_every_name_is_left_out(tmp_path, prefix, suffix):
    wrapped = {prefix + name: value for name, value in PRUNED.items()}
    wrapped[f"{prefix}fc1.bias_mask"] = torch.ones(20)
    path = tmp_path / f"x{suffix}"
    torch.save(wrapped, path) if suffix == ".pt" else write_file(path, wrapped, {})
    assert same(masks_in(read(path)).of(NETWORK), MASK)
    assert same(weights_in(read(path), NETWORK), WEIGHTS)


def test_masks_are_compared_under_the_names_of_the_first(tmp_path, capsys):
    torch.save({f"module.{name}_mask": keep for name, keep in MASK.items()}, tmp_path / "a.pt")
    write_file(tmp_path / "b.safetensors", mask_tensors(MASK), {})
    for names in (("a.pt", "b.safetensors"), ("b.safetensors", "a.pt")):
        assert main(["masks", *(str(tmp_path / name) for name in names)]) == 0
        (overall,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("all")]
        assert overall.split()[-2] == "1.0000"


def test_layers_of_one_shape_are_told_apart_under_a_prefix(tmp_path):
    # fc2 and out are alike but for their names, and safetensors keeps no order of a module.
    masks = {
        f"module.{n}.weight_mask": torch.full((10, 10), k) for n, k in (("fc2", 1), ("out", 0))
    }
    write_file(tmp_path / "x.safetensors", masks, {})
    shapes = {"fc1.weight": (10, 64), "fc2.weight": (10, 10), "out.weight": (10, 10)}
    found = masks_in(read(tmp_path / "x.safetensors")).fitted(shapes)
    assert [bool(keep.all()) for keep in found.values()] == [True, True, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": PRUNED, "ema": PRUNED},
            r"model.fc1.weight, ema.fc1.weight of shape .* could",
        ),
        (
            {"a": {"state_dict": PRUNED}, "epoch": 3},
            r"'a' \(mapping of 1\), 'epoch' \(int\)$",
        ),
        ([PRUNED], "must hold a mapping of names .*; found a list$"),
        ({"fc1": 3}, r"found 'fc1' \(int\)$"),
        ({"fc1.weight": torch.ones(2), "epoch": 3}, r"found 'fc1.weight' \(2\), 'epoch' \(int\)$"),
        (dict.fromkeys("abcdefgh", 1), r"'f' \(int\), 2 more$"),
        (PLAIN, r"no mask is there; .* found 'fc1.weight' \(20x64\), 'fc1.bias' \(20\), .*"),
        ({"state_dict": PLAIN}, "no mask is there; .*; found 'fc1.weight'"),
        ({"state": {"fc1.weight": {"threshold": 0.1}}}, r"found 'state' \(mapping of 1\)$"),
    ],
)
def test_what_is_unknown_is_refused_with_what_was_found(tmp_path, values, message):
    torch.save(values, tmp_path / "x.pt")
    with pytest.raises(DataError, match=message) as error:
        masks_in(read(tmp_path / "x.pt"), "theirs").of(NETWORK)
    assert "\n" not in str(error.value)


def test_a_module_that_was_saved_whole_is_refused_by_its_class(tmp_path):
    torch.save(nn.Linear(3, 3), tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"needs code to be read: torch.nn.modules.linear.Linear$"):
        read(tmp_path / "x.pt")
