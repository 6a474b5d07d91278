"""What is in a cell's key, and what a replicate's material is."""

import dataclasses
import socket

import numpy as np
import pytest
import torch

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

TINY = LotteryConfig(
    levels=2,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-12"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=20, eval_every=10, eval_train=100),
)
DIGITS = load("digits")
CONTROLS = ("reinit", "random")


def lab(folder, dataset=DIGITS, seed=0):
    return Lab({dataset.name: dataset}, TorchEngine(), Store(folder), seed)


def rows(lab, config=TINY, replicates=(0,)):
    reports = list(run_trial(config, replicates, CONTROLS, lab))
    return [row for report in reports for row in report["rows"]]


def lasting(found):
    times = ("train_time_s", "eval_time_s", "trained", "host", "reused")
    return [{k: v for k, v in row.items() if k not in times} for row in found]


def test_every_network_of_a_study_has_a_key_of_its_own(tmp_path):
    found = rows(lab(tmp_path), replicates=(0, 1))
    assert len(found) == 2 * (1 + 2 * 3)
    assert len({row["cell"] for row in found}) == len(found)
    assert not any(row["reused"] for row in found)


@pytest.mark.parametrize(
    "hparams",
    [
        {"prune.fraction": 0.4},
        {"prune.fractions.out": 0.5},
        {"prune.scope": "global"},
        {"train.lr": 1e-3},
        {"rewind_step": 5},
    ],
)
def test_a_shared_store_never_gives_a_trial_the_networks_of_another(hparams, tmp_path):
    shared = lab(tmp_path / "shared")
    rows(shared)
    other = TINY.override(hparams)
    alone = rows(lab(tmp_path / "alone"), other)
    assert lasting(rows(shared, other)) == lasting(alone)


@pytest.mark.parametrize(
    ("hparams", "shape", "prunable"),
    [
        ({}, (12, 64), 2),
        ({"model.name": "lenet-11"}, (11, 64), 2),
        ({"data.pool": 2}, (12, 16), 2),
        ({"prune.exclude": ("out",)}, (12, 64), 1),
        ({"data.task": "rotation"}, (12, 64), 2),
    ],
)
def test_a_network_is_built_once_for_all_that_decides_about_it(hparams, shape, prunable, tmp_path):
    found, other = lab(tmp_path), TINY.override(hparams)
    plain, network = found.network(TINY), found.network(other)
    assert (network.shapes["fc1.weight"], len(network.prunable)) == (shape, prunable)
    assert network.shapes["out.weight"][0] == (4 if "data.task" in hparams else 10)
    assert network is found.network(other.override({"train.lr": 0.5}))
    assert (network is plain) == (not hparams)


def test_another_dataset_of_the_same_name_is_another_network(tmp_path):
    pictures = DIGITS.train_x.copy()
    pictures[0, 0, 0] ^= 1
    changed = dataclasses.replace(DIGITS, train_x=pictures)
    keys = [lab(tmp_path, dataset).identity(TINY, 0) for dataset in (DIGITS, changed)]
    assert keys[0] != keys[1]


def test_another_numerics_class_is_another_network(tmp_path):
    one = lab(tmp_path)
    other = lab(tmp_path)
    other.engine.numerics = "another/engine"
    assert one.identity(TINY, 0) != other.identity(TINY, 0)


def test_a_network_keeps_the_host_that_trained_it(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "first")
    trained = rows(lab(tmp_path))
    monkeypatch.setattr(socket, "gethostname", lambda: "second\n")
    deeper = dataclasses.replace(TINY, levels=3)
    found = rows(lab(tmp_path), deeper)
    assert {row["host"] for row in trained} == {"first"}
    hosts = [(row["host"], row["reused"]) for row in found]
    assert set(hosts) == {("first", True), (r"second\n", False)}


def test_numerics_name_the_threads_and_the_version():
    threads = torch.get_num_threads()
    try:
        names = [TorchEngine(threads=n).numerics for n in (1, 2)]
    finally:
        torch.set_num_threads(threads)
    assert names[0] != names[1]
    assert torch.__version__.partition("+")[0] in names[0]


def test_training_accuracy_is_measured_on_training_examples(tmp_path):
    here = lab(tmp_path)
    material = here.material(TINY, 0)
    training = {DIGITS.train_x[i].tobytes() for i in material.train}
    sample = [picture.numpy().tobytes() for picture in material.train_sample.x]
    assert len(sample) == 100
    assert set(sample) <= training
    held_out = np.setdiff1d(np.arange(1437), material.train)
    assert len(held_out) == len(material.validation) == DIGITS.validation


def test_validation_and_training_examples_do_not_overlap(tmp_path):
    material = lab(tmp_path).material(TINY, 0)
    held_out = np.setdiff1d(np.arange(1437), material.train)
    assert torch.equal(material.validation.x, torch.from_numpy(DIGITS.train_x[held_out]))
    assert torch.equal(material.validation.y, torch.from_numpy(DIGITS.train_y[held_out]))


def test_controls_of_two_replicates_are_drawn_apart(tmp_path, monkeypatch):
    starts = []
    engine = TorchEngine()
    train = engine.train
    monkeypatch.setattr(
        engine,
        "train",
        lambda members: (starts.extend(m.start for m in members), train(members))[1],
    )
    list(run_trial(TINY, (0, 1), ("reinit",), Lab({"digits": DIGITS}, engine, Store(tmp_path))))
    # Dense of both, then trunk of both and control of both, at each level.
    first, second = (start["out.weight"] for start in starts[4:6])
    assert not torch.equal(
        first[(first != 0) & (second != 0)], second[(first != 0) & (second != 0)]
    )


@pytest.mark.parametrize("whole", [0, 1, 4])
def test_a_kill_loses_no_more_than_the_group_in_training(whole, tmp_path, monkeypatch):
    found = lab(tmp_path)
    train, calls = found.engine.train, []

    def killed(members):
        calls.append(len(members))
        if len(calls) > whole:
            raise KeyboardInterrupt
        return train(members)

    monkeypatch.setattr(found.engine, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        rows(found, replicates=(0, 1, 2))
    assert calls == [1] * (whole + 1)
    assert len(list(tmp_path.glob("??/*/seal.json"))) == whole
    monkeypatch.undo()
    again = rows(found, replicates=(0, 1, 2))
    assert sum(row["reused"] for row in again) == whole


def test_another_step_to_rewind_to_is_another_dense_cell_of_the_same_network(tmp_path):
    dense = [rows(lab(tmp_path), TINY.override({"rewind_step": s}))[0] for s in (0, 5)]
    assert dense[0]["cell"] != dense[1]["cell"]
    assert not dense[1]["reused"]
    assert dense[0]["val_loss"] == dense[1]["val_loss"]


def test_another_seed_of_the_study_is_another_draw_of_everything(tmp_path):
    first, second = (rows(lab(tmp_path, seed=seed)) for seed in (0, 1))
    assert {row["cell"] for row in first}.isdisjoint(row["cell"] for row in second)
    assert [row["val_loss"] for row in first] != [row["val_loss"] for row in second]
