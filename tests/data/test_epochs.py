"""A length in epochs is as many steps as its batches, counted where the data is known."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from lttune.config import DataConfig, LotteryConfig, TrainConfig
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import MOST_STEPS
from lttune.data import Dataset, load
from lttune.data.epochs import counted_lengths, in_steps, steps_of_epoch
from lttune.errors import ConfigError
from lttune.training.engines.torch import TorchEngine
from lttune.training.schedule import batches
from lttune.trajectory.checks import check_fit
from lttune.trajectory.lab import Lab
from lttune.trajectory.notebook.memory import MemoryStore

DIGITS = {"digits": load("digits")}
BASE = LotteryConfig(
    levels=1,
    data=DataConfig(name="digits"),
    train=TrainConfig(batch_size=60, eval_every=10),
).override({"model.name": "lenet-20-10"})
"""1,200 pictures to train on: 20 steps an epoch."""


def pictures(count: int, name: str = "few.npz") -> Dataset:
    return Dataset(
        name=name,
        train_x=np.zeros((count, 2, 2), np.uint8),
        train_y=np.arange(count) % 2,
        test_x=np.zeros((2, 2, 2), np.uint8),
        test_y=np.arange(2),
        classes=2,
        scale=255.0,
        mean=0.0,
        std=1.0,
        validation=1,
        source="made here",
    )


def steps(hparams, base=BASE, datasets=DIGITS) -> int:
    return in_steps(base.override(hparams), datasets).train.steps


def refusal(hparams, base=BASE) -> str:
    with pytest.raises(ConfigError) as error:
        in_steps(base.override(hparams), DIGITS)
    assert "\n" not in str(error.value)
    return str(error.value)


@given(
    count=st.integers(3, 90),
    validation=st.integers(1, 40),
    batch=st.integers(1, 50),
    share=st.sampled_from([1.0, 0.7, 0.29, 0.05]),
    task=st.sampled_from(["classes", "rotation"]),
)
def test_an_epoch_has_as_many_steps_as_torchs_loader_has_batches(
    count, validation, batch, share, task
):
    dataset = pictures(count)
    most = min(validation, count - 1)
    data = DataConfig(name="few.npz", validation=most, subsample=share, task=task)
    lab = Lab({"few.npz": dataset}, TorchEngine(), MemoryStore())
    config = dataclasses.replace(BASE, data=data)
    drawn = lab.material(config, 0).train
    loader = DataLoader(TensorDataset(torch.from_numpy(drawn)), batch, shuffle=True)
    found = steps_of_epoch(dataset, data, batch)
    assert found == len(loader) == len(list(loader))
    # As they are drawn: an epoch ends where each example was seen once.
    ours = batches(drawn, batch, np.random.default_rng(0))
    seen = torch.cat([next(ours) for _ in range(found)])
    assert sorted(seen.tolist()) == sorted(drawn.tolist())
    changes = {"train.batch_size": batch, "train.epochs": 3, "train.eval_every": 1}
    assert in_steps(config.override(changes), {"few.npz": dataset}).train.steps == 3 * len(loader)


@given(epochs=st.integers(1, 400), batch=st.integers(1, 300), size=st.integers(1, 300))
def test_as_many_epochs_are_as_many_passes_of_torchs_sampler(epochs, batch, size):
    dataset = pictures(size + 1)
    changes = {"data.name": "few.npz", "train.batch_size": batch, "train.eval_every": 1}
    found = steps({**changes, "train.epochs": epochs}, datasets={"few.npz": dataset})
    sampler = RandomSampler(range(size))
    assert found == epochs * len(DataLoader(range(size), batch, sampler=sampler, drop_last=False))


@pytest.mark.parametrize(
    ("epochs", "count"),
    [(1, 20), (2.5, 50), (0.5, 10), (0.53, 10), (0.55, 11), (0.29 * 5, 29), (1.999, 39), (12, 240)],
)
def test_a_part_of_an_epoch_is_whole_steps_rounded_down(epochs, count):
    assert count == int(Fraction(str(epochs)) * 20)
    assert steps({"train.epochs": epochs}) == count


def test_what_was_counted_is_counted_the_same_again_and_anew_where_it_changes():
    config = in_steps(BASE.override({"train.epochs": 4, "train.eval_every": 1}), DIGITS)
    assert (config.train.steps, config.train.epochs) == (80, 4.0)
    assert in_steps(config, DIGITS) == config
    assert steps({"train.batch_size": 500}, config) == 4 * 3
    assert steps({"data.subsample": 0.1}, config) == 4 * 2
    assert steps({"data.task": "rotation"}, config) == 4 * 92
    assert in_steps(BASE, {}) is BASE, "without a length in epochs no data is looked at"
    plain = config.by_steps()
    assert plain == BASE.override({"train.steps": 80, "train.eval_every": 1})
    assert plain.by_steps() is plain


def test_every_length_counts_its_own_examples_and_batches():
    other = pictures(101, "other.npz")
    config = BASE.override(
        {
            **dict.fromkeys(STEPS_OF, 3),
            "pretrain.task": "rotation",
            "target.data": "other.npz",
            "target.batch_size": 7,
        }
    )
    found = in_steps(config, {**DIGITS, "other.npz": other})
    # 1,437 pictures in four turns, without 237; 100 in batches of 7.
    assert found.train.steps == 60
    assert found.pretrain.steps == 3 * len(DataLoader(range(4 * 1437 - 237), 60))
    assert found.target.steps == 3 * len(DataLoader(range(100), 7))
    told = list(map(str, counted_lengths(config, {**DIGITS, "other.npz": other})))
    assert told == [
        "train.epochs 3: 60 steps, 20 an epoch",
        "pretrain.epochs 3: 276 steps, 92 an epoch",
        "target.epochs 3: 45 steps, 15 an epoch",
    ]


@pytest.mark.parametrize("path", STEPS_OF)
def test_less_than_a_step_and_more_than_any_are_one_line(path):
    line = refusal({path: 0.04})
    assert line == f"{path} must be one step or more, and an epoch has 20, got 0.04"
    assert steps({"train.epochs": 0.05, "train.eval_every": 1}) == 1
    for huge in (5e7 + 0.1, 1e300):
        line = refusal({path: huge})
        assert line.startswith(
            f"{path} must be at most {MOST_STEPS} steps (a network of more would"
        )
    assert steps({"train.epochs": 5e7}) == MOST_STEPS


@pytest.mark.parametrize(
    ("hparams", "rule"),
    [
        ({"train.eval_every": 41}, "train.eval_every must be at most train.steps (40), got 41"),
        (
            {"train.warmup_steps": 41},
            "train.warmup_steps must be a whole number from 0 to train.steps (40), got 41",
        ),
        (
            {"rewind_step": 40},
            "rewind_step must be a whole number from 0 to below train.steps (40), got 40",
        ),
        (
            {"prune.step": 40},
            "prune.step must be from rewind_step (0) to below train.steps (40), got 40",
        ),
        (
            {"prune.step": 3, "rewind_step": 5},
            "prune.step must be from rewind_step (5) to below train.steps (40), got 3",
        ),
    ],
)
def test_what_goes_by_the_steps_is_checked_when_they_are_known(hparams, rule):
    asked = {"train.epochs": 2, **hparams}
    assert refusal(asked) == f"train.epochs 2: 40 steps, 20 an epoch: {rule}"
    with pytest.raises(ConfigError, match="got") as error:
        check_fit(BASE.override(asked), DIGITS)
    assert str(error.value) == f"train.epochs 2: 40 steps, 20 an epoch: {rule}"
    # The steps that stood there before say nothing.
    assert steps({"train.epochs": 30, **hparams} | {"prune.step": None}) == 600


def test_the_steps_of_a_scale_are_no_bound_of_epochs():
    short = BASE.override({"train.steps": 20})
    changes = {"train.epochs": 10, "train.eval_every": 100, "rewind_step": 150}
    found = check_fit(short.override(changes), DIGITS)
    assert (found.train.steps, found.rewind_step) == (200, 150)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (
            "train.batch_size",
            5000,
            "train.batch_size must be 1..1200, the training split of digits, got 5000",
        ),
        ("data.validation", 1437, "data.validation must be 1..1436 for digits, got 1437"),
    ],
)
def test_data_of_which_no_epoch_can_be_counted_is_told_once(path, value, line):
    asked = BASE.override({"train.epochs": 2, "train.eval_every": 1, path: value})
    with pytest.raises(ConfigError) as error:
        check_fit(asked, DIGITS)
    assert str(error.value) == line
