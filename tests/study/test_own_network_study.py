"""Studies of networks of one's own: what is trained, recorded, shown, exported, read again."""

from __future__ import annotations

import contextlib
import runpy
import sys

import pytest
import torch
from own_networks import MLP, left, page_block, run, written
from own_parts import worked_in_copy
from safetensors.torch import load_file
from sealed_cells import sealed_cells

from lttune.__main__ import main as lttune
from lttune.models.architectures import FAMILIES
from lttune.records.schema import read
from lttune.store.sealed import read_object, write_object

LAYERS = {
    "cut": 32 * 16,
    "attention:in_proj_weight": 96 * 32,
    "attention.out_proj": 32 * 32,
    "wide": 64 * 32,
    "narrow": 32 * 64,
    "head": 10 * 32,
}
"""Prunable weights of the page's transformer on digits."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the page's files, in which its study was run."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("patches.py", "my_study.py", "plain.py"):
        (folder / name).write_text(page_block(name))
    with contextlib.chdir(folder):
        assert run(folder)[0] == 0
    return folder


@pytest.fixture
def copy(home, tmp_path, monkeypatch):
    """A copy of the folder, worked in, whose networks nobody has made known."""
    folder = worked_in_copy(home, tmp_path, monkeypatch)
    for name in [name for name in FAMILIES if ":" in name]:
        monkeypatch.delitem(FAMILIES, name)
    return folder


def test_each_layer_of_the_transformer_keeps_its_exact_count(home):
    rows = read(home / "results" / "patches" / "layers.parquet")
    assert {(row["level"], row["replicate"]) for row in rows} == {
        (level, replicate) for level in range(4) for replicate in range(2)
    }
    for row in rows:
        fraction = "0.1" if row["layer"] == "head" else "0.3"
        assert row["size"] == LAYERS[row["layer"]]
        assert row["surviving"] == left(row["size"], fraction, row["level"])
    assert {row["layer"]: row["kind"] for row in rows} == {
        **dict.fromkeys(LAYERS, "fc"),
        "cut": "conv",
        "head": "out",
    }


def test_records_and_report_have_every_network(home):
    rows = read(home / "results" / "patches" / "records.parquet")
    trunk = [row for row in rows if row["branch"] == "trunk"]
    assert len(trunk) == 2 * 4
    assert len(rows) == 2 * (4 + 2 * 3)
    for row in trunk:
        kept = {
            layer: left(size, "0.1" if layer == "head" else "0.3", row["level"])
            for layer, size in LAYERS.items()
        }
        assert row["surviving"] == sum(kept.values())
        for layer, count in kept.items():
            assert row[f"density.{layer}"] == pytest.approx(count / LAYERS[layer])
        assert row["model.name"] == "./patches.py:network"
    dense = [row["test_accuracy"] for row in trunk if row["level"] == 0]
    assert min(dense) > 0.5
    page = (home / "results" / "patches" / "report.html").read_text()
    assert "attention:in_proj_weight" in page
    assert "Has a small transformer winning tickets on digits?" in page


@pytest.mark.parametrize("form", ["state-dict", "compact", "torch-prune"])
def test_a_ticket_is_exported_without_the_code(copy, form):
    (copy / "patches.py").unlink()
    words = ["export", "results/patches", "--level", "2", "--form", form]
    assert lttune(words) == 0
    assert not any(":" in name and hasattr(FAMILIES[name], "code") for name in FAMILIES)


def test_pruned_weights_were_zero_after_training_and_the_ticket_loads_in_plain_pytorch(
    copy, monkeypatch
):
    assert lttune(["export", "results/patches", "--level", "3"]) == 0
    monkeypatch.syspath_prepend(str(copy))
    made = runpy.run_path("plain.py")
    monkeypatch.delitem(sys.modules, "patches")
    assert made["logits"].shape == (1, 10)
    tensors, masks = load_file("ticket.safetensors"), load_file("ticket.mask.safetensors")
    for layer, size in LAYERS.items():
        fraction = "0.1" if layer == "head" else "0.3"
        name = layer.replace(":", ".") if ":" in layer else f"{layer}.weight"
        assert int(masks[f"mask.{name}"].sum()) == left(size, fraction, 3)
        assert int(tensors[name].count_nonzero()) == left(size, fraction, 3)


def test_what_a_ticket_started_from_is_read_without_the_code(copy):
    (copy / "patches.py").unlink()
    for level in ("0", "2"):
        words = ["export", "results/patches", "--level", level, "--weights", "start"]
        assert lttune([*words, "--out", f"start{level}.safetensors"]) == 0
    dense, ticket = load_file("start0.safetensors"), load_file("start2.safetensors")
    assert torch.equal(dense["position"], ticket["position"])
    assert bool((dense["norm1.weight"] == 1).all())
    alive = ticket["wide.weight"] != 0
    assert torch.equal(ticket["wide.weight"][alive], dense["wide.weight"][alive])


@pytest.mark.parametrize(
    "words",
    [
        ["report", "results/patches"],
        ["export", "results/patches", "--csv"],
        ["export", "results/patches", "--level", "1"],
        ["masks", "results/patches:0/0/2", "results/patches:1/1/2"],
        ["doctor", "results/patches"],
        ["doctor", "results/patches", "--repair"],
    ],
)
def test_no_command_that_reads_a_study_runs_the_code_that_it_names(copy, words):
    (copy / "patches.py").write_text("open('ran', 'w').close()\n")
    (copy / "results/patches/patches.py").write_text("open('ran', 'w').close()\n")
    if "--repair" in words:
        (copy / "results/patches/records.parquet").unlink()
    assert lttune(words) == 0
    assert not (copy / "ran").exists()
    if "--repair" in words:
        assert len(read(copy / "results/patches/records.parquet")) == 2 * (4 + 2 * 3)


def test_what_trains_needs_the_code_from_the_user_and_the_right_one(copy, capsys):
    words = ["transfer", "results/patches", "--levels", "1", "--lr", "0.001", "--replicates", "1"]
    text = (copy / "patches.py").read_text()
    (copy / "other.py").write_text(f"{text}\n")
    for more, told in (
        ([], "model.name: this needs the code of './patches.py:network', which no command takes"),
        (["--network", "other.py:network"], "--network must be the study's ./patches.py:network,"),
    ):
        assert lttune([*words, *more]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"lttune: error: {told}")
        assert said.count("\n") == 1
    (copy / "patches.py").rename(copy / "moved.py")
    assert lttune([*words, "--network", "moved.py:network"]) == 0
    assert len(read(copy / "results/patches/transfer.parquet")) == 1 + 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"networks": 3}, "networks must be a list of objects with a name and a source, got 3"),
        ({"networks": [3]}, "networks must be a list of objects with a name and a source, got [3]"),
        ({"name": "lenet5"}, "networks[0].name must be a name with a colon, got 'lenet5'"),
        ({"shapes": {"wide.weight": [-1, 3]}}, "networks[0].shapes must be an object of lists of"),
        ({"roles": {}}, "networks[0].roles must be of each of its shapes, got {}"),
        ({"kinds": {"wide": 3}}, "networks[0].kinds must be an object of texts"),
        ({"kinds": {"norm1": "fc"}}, "networks[0].kinds must be of layers whose weights are"),
        ({"state": {"x": "y"}}, "networks[0].state must be of its shapes and buffers"),
        ({"constants": ["x"]}, "networks[0].constants must be of its buffers"),
        ({"classes": "ten"}, "networks[0].classes must be a whole number, got 'ten'"),
    ],
)
def test_a_strangers_description_is_one_line(copy, capsys, change, told):
    sheet = read_object(copy / "results/patches/study.json")
    if "networks" not in change:
        change = {"networks": [sheet["networks"][0] | change]}
    write_object(copy / "results/patches/study.json", sheet | change)
    assert lttune(["export", "results/patches", "--level", "1"]) == 74
    said = capsys.readouterr().err
    assert said.startswith("lttune: error: results/patches/study.json: ")
    assert told in said
    assert said.count("\n") == 1


def test_no_room_is_made_for_what_a_description_promises(copy, capsys):
    sheet = read_object(copy / "results/patches/study.json")
    network = sheet["networks"][0]
    network["shapes"]["wide.weight"] = [1_000_000, 1_000_000]
    write_object(copy / "results/patches/study.json", sheet)
    assert lttune(["export", "results/patches", "--level", "1"]) == 74
    said = capsys.readouterr().err
    assert "is not of its network: wide.weight must be of shape (1000000, 1000000)" in said


def test_a_finished_study_trains_nothing_again_wherever_its_file_is(copy):
    cells = sealed_cells(copy / "results/cells")
    (copy / "elsewhere").mkdir()
    (copy / "patches.py").rename(copy / "elsewhere/moved.py")
    flags = ["--name", "again", "--lottery.model.name", "elsewhere/moved.py:network"]
    assert run(copy, *flags)[0] == 0
    assert sealed_cells(copy / "results/cells") == cells
    assert all(row["reused"] for row in read(copy / "results/again/records.parquet"))


def test_changed_code_is_another_study_that_trains_anew(copy):
    text = (copy / "patches.py").read_text()
    (copy / "patches.py").write_text(text.replace("torch.relu", "nn.functional.gelu"))
    code, told = run(copy)
    assert code == 3
    assert "(source of ./patches.py:network: " in told
    assert told.count("\n") == 1
    assert run(copy, "--name", "gelu", "--replicates", "1")[0] == 0
    rows = read(copy / "results/gelu/records.parquet")
    assert not any(row["reused"] for row in rows)


def test_the_first_lines_say_what_can_be_pruned(copy):
    code, said = run(copy, "--name", "other", "--plan")
    assert code == 0
    assert not (copy / "results/other").exists()
    lines = said.splitlines()
    assert lines[0].startswith("engine: torch (the sparse engine trains fully connected networks")
    weights, rest = sum(LAYERS.values()), 4 * 32 + 32 + 4 * 32 + 96 + 32 + 64 + 32 + 10
    assert lines[1] == (
        f"./patches.py:network: {weights:,} of {weights + rest:,} parameters can be pruned, in 6 "
        "layers"
    )


def test_a_network_that_was_pretrained_is_read_without_the_code_too(copy):
    flags = ["--lottery.pretrain.steps", "5", "--lottery.pretrain.task", "rotation"]
    code, said = run(copy, "--name", "turned", "--replicates", "1", *flags)
    assert code == 0, said
    (copy / "patches.py").unlink()
    for name in [name for name in FAMILIES if ":" in name]:
        del FAMILIES[name]
    sheet = read_object(copy / "results/turned/study.json")
    assert [one["classes"] for one in sheet["networks"]] == [10, 4]
    assert lttune(["export", "results/turned", "--level", "2", "--weights", "start"]) == 0


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (None, "net.py:network cannot be imported: net.py: No such file or directory"),
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError: No module"),
        ("def network(shape): pass", "cannot be made for pictures of 1 x 8 x 8 and 10 classes"),
        ("x = 1", "cannot be imported: net.py has no function 'network'"),
    ],
)
def test_a_network_that_cannot_be_had_is_one_line_before_anything_starts(copy, source, told):
    if source is not None:
        (copy / "net.py").write_text(source)
    code, said = run(copy, "--name", "other", "--lottery.model.name", "net.py:network")
    assert code == 2
    assert said.startswith("lttune: error: model.name: net.py:network ")
    assert told in said
    assert said.count("\n") == 1
    assert not (copy / "results/other").exists()


def test_its_mistake_is_told_with_those_of_others_and_of_nothing_that_follows_from_it(copy):
    flags = ["--lottery.model.name", "nope.py:network", "--controls", "transfer"]
    code, said = run(copy, "--name", "other", *flags)
    assert code == 2
    first, second = said.splitlines()
    assert first.startswith("lttune: error: model.name: nope.py:network cannot be imported")
    assert second.startswith("lttune: error: target must be given for the control 'transfer'")


def test_an_engine_that_cannot_train_it_says_so_in_one_line(copy):
    code, said = run(copy, "--name", "other", "--engine", "sparse")
    assert code == 5
    assert said.startswith("lttune: error: engine must be torch here: sparse was asked for, but ")
    assert "trains fully connected networks only" in said
    assert said.count("\n") == 1


def test_a_plain_network_of_ones_own_is_trained_by_the_sparse_engine(copy):
    pytest.importorskip("numba")
    name = written(copy, MLP)
    flags = ["--lottery.model.name", name, "--replicates", "1", "--controls", "reinit"]
    found = {}
    for engine in ("sparse", "torch"):
        code, said = run(copy, "--name", engine, "--engine", engine, *flags)
        assert code == 0, said
        rows = read(copy / "results" / engine / "records.parquet")
        found[engine] = [(row["surviving"], row["test_accuracy"]) for row in rows]
    for (kept, one), (same, other) in zip(found["sparse"], found["torch"], strict=True):
        assert kept == same
        assert one == pytest.approx(other, abs=0.02)
