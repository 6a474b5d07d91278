"""Studies of torchvision's networks: their own layers, counts and records."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
import torch
from own_networks import COLOUR, left, made, page_block, run
from safetensors.torch import load_file
from torchvision.models import resnet18

from lttune.__main__ import main as lttune
from lttune.data import load
from lttune.models.own import read_code
from lttune.records.schema import read

BRIEF = [
    *("--lottery.model.name", "torchvision:resnet18", "--lottery.data.name", "./digits32.npz"),
    *("--lottery.levels", "3", "--lottery.train.steps", "4", "--lottery.train.eval-every", "4"),
    *("--lottery.train.batch-size", "16", "--lottery.train.eval-train", "0"),
    *("--replicates", "1", "--controls", "reinit", "--control-densities", "0.7"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which ResNet-18 was trained on digits of 32 x 32 pixels."""
    folder = tmp_path_factory.mktemp("home")
    digits = load("digits")
    parts = {"train": (digits.train_x, digits.train_y), "test": (digits.test_x, digits.test_y)}
    arrays = {}
    for part, (x, y) in parts.items():
        enlarged = np.kron(x[:60], np.ones((1, 4, 4), np.uint8)) * 15
        arrays |= {f"{part}_x": enlarged, f"{part}_y": y[:60]}
    np.savez(folder / "digits32.npz", **arrays)
    (folder / "my_study.py").write_text(page_block("my_study.py"))
    with contextlib.chdir(folder):
        code, said = run(folder, *BRIEF)
    assert code == 0, said
    return folder


def shapes_of_resnet18():
    """Returns the weight matrices of torchvision's ResNet-18 of ten classes."""
    with torch.device("meta"):
        module = resnet18(weights=None, num_classes=10)
    named = module.named_parameters()
    return {n.removesuffix(".weight"): tuple(p.shape) for n, p in named if p.dim() > 1}


@pytest.mark.slow
def test_its_layers_are_torchvisions_with_exact_counts_at_every_level(home):
    shapes = shapes_of_resnet18()
    assert shapes["conv1"] == (64, 3, 7, 7)
    rows = read(home / "results" / "patches" / "layers.parquet")
    assert [row["level"] for row in rows] == [level for level in range(4) for _ in shapes]
    for row in rows:
        size = math.prod(shapes[row["layer"]])
        assert row["kind"] == ("out" if row["layer"] == "fc" else "conv")
        fraction = "0.1" if row["layer"] == "fc" else "0.3"
        assert (row["size"], row["surviving"]) == (size, left(size, fraction, row["level"]))


@pytest.mark.slow
def test_its_records_and_report_are_there(home):
    rows = read(home / "results" / "patches" / "records.parquet")
    assert [(row["branch"], row["level"]) for row in rows if row["branch"] == "trunk"] == [
        ("trunk", level) for level in range(4)
    ]
    assert {row["branch"] for row in rows} == {"trunk", "reinit"}
    assert all(row["numerics"].startswith("torch-") for row in rows)
    page = (home / "results" / "patches" / "report.html").read_text()
    assert "torchvision:resnet18" in page


@pytest.mark.slow
def test_its_ticket_holds_its_mask_and_loads_into_torchvisions_own(home, tmp_path, monkeypatch):
    monkeypatch.chdir(home)
    out = str(tmp_path / "ticket.safetensors")
    assert lttune(["export", "results/patches", "--level", "3", "--out", out]) == 0
    tensors = load_file(out)
    module = resnet18(weights=None, num_classes=10)
    module.load_state_dict(tensors)
    assert int(tensors["bn1.num_batches_tracked"]) == 4
    for layer, shape in shapes_of_resnet18().items():
        kept = left(math.prod(shape), "0.1" if layer == "fc" else "0.3", 3)
        assert int(tensors[f"{layer}.weight"].count_nonzero()) == kept
    assert bool(module.eval()(torch.zeros(2, 3, 32, 32)).isfinite().all())


def test_a_last_batch_of_one_picture_is_refused_before_batch_norm_does(tmp_path):
    (tmp_path / "my_study.py").write_text(page_block("my_study.py"))
    flags = ["--lottery.data.name", "digits", "--lottery.train.batch-size", "109"]
    with contextlib.chdir(tmp_path):
        # Our ResNet-18 has maps of one pixel on digits, of which 1,200 are trained on.
        code, said = run(tmp_path, *flags, "--lottery.model.name", "resnet18-4")
        # Eleven pictures a step, and no epoch comes to its end.
        fewer = run(tmp_path, *flags[:-1], "11", "--lottery.model.name", "resnet18-4", "--plan")
    assert fewer[0] == 0
    assert code == 2
    assert said == (
        "lttune: error: train.batch_size must leave no single picture of the 1,200 that are "
        "trained on, got 109: Expected more than 1 value per channel when training, got input size "
        "torch.Size([1, 32, 1, 1])\n"
    )


@pytest.mark.parametrize(
    ("name", "layers", "out"),
    [("mobilenet_v2", 53, "classifier.1"), ("squeezenet1_1", 26, "classifier.1")],
)
def test_the_layer_of_the_logits_is_found_wherever_it_is(name, layers, out):
    network = made(f"torchvision:{name}", COLOUR)
    assert len(network.kinds) == layers
    assert [layer for layer, kind in network.kinds.items() if kind == "out"] == [out]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layers", "out"),
    [
        ("vgg11_bn", 11, "classifier.6"),
        ("densenet121", 121, "classifier"),
        ("resnet101", 105, "fc"),
        ("swin_t", 53, "head"),
    ],
)
def test_the_networks_that_the_page_names_take_small_pictures(name, layers, out):
    network = made(f"torchvision:{name}", COLOUR)
    assert len(network.kinds) == layers
    assert [layer for layer, kind in network.kinds.items() if kind == "out"] == [out]


def test_grey_pictures_are_given_to_all_three_channels():
    grey = made("torchvision:squeezenet1_1", (32, 32)).opened("cpu").eval()
    colours = made("torchvision:squeezenet1_1", COLOUR).opened("cpu").eval()
    colours.load_state_dict(grey.state_dict())
    x = torch.rand(2, 32, 32)
    assert torch.equal(grey(x), colours(x[:, None].expand(-1, 3, -1, -1)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("googlenet", "must return logits of shape (2, 10) in training, got GoogLeNetOutputs"),
        ("alexnet", "cannot be trained: RuntimeError: Given input size: (256x1x1)"),
        ("resnet19", "must be one of torchvision:alexnet, "),
    ],
)
def test_what_does_not_fit_is_refused_with_what_torchvision_says(name, told):
    with pytest.raises(ValueError, match=r"^model\.name") as error:
        made(f"torchvision:{name}", COLOUR)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_another_version_of_torchvision_is_another_network(monkeypatch):
    first = read_code("torchvision:resnet18")
    assert first.digest != read_code("torchvision:resnet34").digest
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert read_code("torchvision:resnet18").digest != first.digest


def test_no_weights_are_fetched(monkeypatch):
    def fetched(*arguments, **options):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fetched)
    monkeypatch.setattr("torch.hub.download_url_to_file", fetched)
    made("torchvision:squeezenet1_0", COLOUR)
