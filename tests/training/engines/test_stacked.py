"""Which networks are fully connected, what the stacked engine refuses and says, and a trial."""

import dataclasses
import math

import pytest
import torch
from stacking import DIGITS, NETWORK, member
from torch import nn

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.errors import ResourceError
from lttune.models import build
from lttune.store.store import Store
from lttune.training.engines.plain import fully_connected
from lttune.training.engines.stacked import StackedEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

TIMES = {"train_time_s", "eval_time_s", "trained", "host"}
"""Columns of a row that differ every time."""


def test_what_is_one_fully_connected_network_is_known():
    def network(*parts):
        module = nn.Sequential(*parts)
        linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
        return dataclasses.replace(NETWORK, make=lambda: module, kinds=dict.fromkeys(linear, "fc"))

    assert fully_connected(NETWORK)
    assert fully_connected(build(ModelConfig(name="lenet-9-8-7-6"), (8, 8), 10))
    flat, linear = nn.Flatten(), nn.Linear(4, 4)
    assert fully_connected(network(flat, linear))
    assert fully_connected(network(flat, linear, nn.ReLU(), nn.Linear(4, 4)))
    assert not fully_connected(NETWORK.excluding(["out"]))
    assert not fully_connected(network(flat, linear, nn.Tanh(), nn.Linear(4, 4)))
    assert not fully_connected(network(nn.Conv2d(1, 4, 3), flat, linear))
    assert not fully_connected(network(flat, linear, nn.Linear(4, 4)))
    assert not fully_connected(network(flat, nn.Linear(4, 4, bias=False)))
    assert not fully_connected(dataclasses.replace(NETWORK, make=lambda: linear))


@pytest.mark.parametrize(
    ("changes", "network"),
    [
        ({"optimizer": "rmsprop"}, NETWORK),
        ({"precision": "bfloat16"}, NETWORK),
        ({"frozen": ("bias",)}, NETWORK),
        ({}, build(ModelConfig(name="lenet-24-12", dropout=0.5), (8, 8), 10)),
    ],
)
def test_one_member_that_it_cannot_train_is_refused(changes, network):
    odd = member(TrainConfig(steps=2, eval_every=1, **changes), network=network)
    with pytest.raises(ResourceError, match=r"the stacked engine .*; use the torch engine"):
        StackedEngine(gang=2).train([member(TrainConfig(steps=2, eval_every=1)), odd])


def test_numerics_name_what_determines_bytes():
    names = {
        StackedEngine(gang=4).numerics,
        StackedEngine(gang=8).numerics,
        StackedEngine(gang=8, threads=2).numerics,
        StackedEngine(gang=8, shared_batches=True).numerics,
    }
    torch.set_num_threads(1)
    assert len(names) == 4
    assert all(torch.__version__.partition("+")[0] in name for name in names)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none_is_one_clear_error():
    with pytest.raises(ResourceError, match="'cuda' was asked for"):
        StackedEngine("cuda")


def test_a_trial_by_the_laboratory(tmp_path):
    config = LotteryConfig(
        levels=2,
        rewind_step=20,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-40-20"),
        train=TrainConfig(lr=5e-3, batch_size=60, steps=200, eval_every=50, eval_train=500),
        prune=PruneConfig(fraction=0.5),
    )
    lab = Lab({"digits": DIGITS}, StackedEngine(gang=4), Store(tmp_path / "whole"))
    reports = list(run_trial(config, range(3), ("reinit", "random"), lab))
    assert [len(report["rows"]) for report in reports] == [3, 9, 9]
    assert all(row["test_accuracy"] > 0.9 for row in reports[0]["rows"])
    assert all(
        row["test_accuracy"] > 0.8 and math.isfinite(row["val_loss"])
        for report in reports
        for row in report["rows"]
    )
    again = Lab({"digits": DIGITS}, StackedEngine(gang=4), Store(tmp_path / "one"))
    alone = [row for report in run_trial(config, [1], ["random"], again) for row in report["rows"]]
    rows = [
        row
        for report in reports
        for row in report["rows"]
        if row["replicate"] == 1 and row["branch"] != "reinit"
    ]
    for one, other in zip(alone, rows, strict=True):
        assert all(one[n] == other[n] for n in one if n not in TIMES)
