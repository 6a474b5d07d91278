"""A small trajectory for a notebook, a network of a cell, and what two trajectories compare."""

from __future__ import annotations

import torch
from torch import nn

from lttune import LotteryConfig

CONFIG = LotteryConfig(levels=3).override(
    {
        "data.name": "digits",
        "model.name": "lenet-20-10",
        "train.lr": 0.01,
        "train.steps": 40,
        "train.eval_every": 20,
        "train.eval_train": 100,
        "prune.fraction": 0.5,
    }
)


def network(shape, classes):
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(4 * height * width, classes),
    )


def ends(found):
    """Returns what was trained, bit for bit: rows without times, masks, starts, weights."""
    times = ("train_time_s", "eval_time_s", "trained", "host", "reused")
    rows = [
        {name: value for name, value in one.row.items() if name not in times}
        for level in found
        for one in level.networks
    ]
    tensors = [
        (name, value)
        for level in found
        for group in (level.mask, level.start, level.weights)
        for name, value in group.items()
    ]
    return rows, tensors


def assert_same(one, other):
    (rows, tensors), (others, other_tensors) = one, other
    assert rows == others
    assert [name for name, _ in tensors] == [name for name, _ in other_tensors]
    for (_, value), (_, another) in zip(tensors, other_tensors, strict=True):
        assert torch.equal(value, another)
        assert value.dtype == another.dtype
