"""Trajectories that begin with pretrained weights."""

import pytest
import torch

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.errors import ConfigError
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.checks import check_fit
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.pretraining import initial_weights

PLAIN = LotteryConfig(
    levels=1,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=40, eval_every=20, eval_train=0),
)
ROTATED = PLAIN.override({"pretrain.steps": 30, "pretrain.task": "rotation"})


@pytest.fixture
def lab(tmp_path):
    return Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path))


def walked(config, lab):
    return [levels[0] for levels in trajectories(config, [0], lab)]


def drawn(lab):
    return lab.network(PLAIN).initial_weights(stream(0, 0, "init"))


def test_hidden_layers_are_pretrained_and_logits_of_another_task_newly_drawn(lab):
    initial, cell = initial_weights(ROTATED, 0, lab, lab.network(ROTATED))
    assert cell is not None
    for name, value in drawn(lab).items():
        assert torch.equal(initial[name], value) == name.startswith("out")


def test_pretraining_on_the_same_task_keeps_the_logits(lab):
    config = PLAIN.override({"pretrain.steps": 30})
    initial, _ = initial_weights(config, 0, lab, lab.network(config))
    assert not torch.equal(initial["out.weight"], drawn(lab)["out.weight"])
    long = PLAIN.override({"pretrain.steps": 30, "pretrain.lr": 0.02})
    assert not torch.equal(
        initial_weights(long, 0, lab, lab.network(long))[0]["fc1.weight"], initial["fc1.weight"]
    )


def test_the_trajectory_starts_from_and_rewinds_to_the_pretrained_weights(lab):
    initial, _ = initial_weights(ROTATED, 0, lab, lab.network(ROTATED))
    dense, level = walked(ROTATED, lab)
    assert all(torch.equal(dense.ticket.start[n], initial[n]) for n in initial)
    for name, keep in level.ticket.mask.items():
        assert torch.equal(level.ticket.start[name][keep], initial[name][keep])
    plain = walked(PLAIN, lab)[0].stored.cell.record["history"][0]
    assert dense.stored.cell.record["history"][0]["val_loss"] != plain["val_loss"]


def test_pretraining_is_in_the_keys_and_is_done_once(lab):
    keys = {walked(config, lab)[0].stored.key for config in (PLAIN, ROTATED)}
    assert len(keys) == 2
    assert all(level.stored.reused for level in walked(ROTATED, lab))
    other = ROTATED.override({"pretrain.steps": 31})
    assert walked(other, lab)[0].stored.key not in keys
    # One pretraining serves every pruning rule.
    cells = len(list(lab.store.folder.glob("??/*")))
    walked(ROTATED.override({"prune.fraction": 0.5}), lab)
    assert len(list(lab.store.folder.glob("??/*"))) == cells + 1


def test_pictures_of_another_shape_are_refused():
    datasets = {"digits": load("digits"), "digit-scenes": load("digit-scenes")}
    config = PLAIN.override({"pretrain.steps": 5, "pretrain.data": "digit-scenes"})
    with pytest.raises(ConfigError, match=r"pretrain\.data must have pictures of shape \(8, 8\)"):
        check_fit(config, datasets)
