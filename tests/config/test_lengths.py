"""Lengths in epochs as they are given: which unit holds, and which values are none."""

from __future__ import annotations

import json
import math

import pytest

from lttune.config import LotteryConfig, PretrainConfig, TargetConfig, TrainConfig, from_dict
from lttune.config.lottery.length import STEPS_OF, joined_settings
from lttune.errors import ConfigError

BASE = LotteryConfig()


@pytest.mark.parametrize("value", [0, 0.0, -1, -0.5, math.inf, -math.inf, math.nan, 10**400, True])
@pytest.mark.parametrize("path", STEPS_OF)
def test_epochs_are_a_finite_number_above_zero(path, value):
    with pytest.raises(ConfigError) as error:
        BASE.override({path: value})
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{path} must be a finite number > 0 or None, got ")


def test_whole_epochs_are_numbers_as_others_are():
    for kind in (TrainConfig, PretrainConfig, TargetConfig):
        assert kind(epochs=3) == kind(epochs=3.0)
        assert type(kind(epochs=3).epochs) is float
        assert kind().epochs is None


@pytest.mark.parametrize(("epochs", "steps"), STEPS_OF.items())
def test_the_unit_that_is_given_last_holds(epochs, steps):
    in_epochs = BASE.override({epochs: 3})
    assert in_epochs.has_epochs
    assert in_epochs.flat()[epochs] == 3.0
    in_steps = in_epochs.override({steps: 500})
    assert (in_steps.flat()[epochs], in_steps.flat()[steps]) == (None, 500)
    assert not in_steps.has_epochs
    # Of another value the length stays what it is.
    assert in_epochs.override({"train.lr": 0.1}).flat()[epochs] == 3.0
    assert in_epochs.override({epochs: None}) == BASE
    with pytest.raises(ConfigError) as error:
        BASE.override({epochs: 3, steps: 500})
    assert str(error.value) == f"{epochs} must be left out where {steps} is given, got 3"
    assert BASE.override({epochs: None, steps: 500}) == BASE.override({steps: 500})


def test_all_mistakes_are_told_with_a_length_in_both_units():
    with pytest.raises(ConfigError) as error:
        BASE.override({"train.epochs": 3, "train.steps": 500, "train.lr": -1, "levels": -1})
    lines = str(error.value).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["train.epochs", "train.lr", "levels"]


def test_a_sheet_has_both_as_they_were_counted():
    asked = BASE.override({"train.epochs": 2.5, "target.epochs": 1, "rewind_step": 70_000})
    plain = json.loads(json.dumps(asked.nested()))
    assert plain["train"]["epochs"] == 2.5
    assert from_dict(plain) == asked
    plain["train"]["steps"] = 2_292
    assert from_dict(plain).train.steps == 2_292
    del plain["train"]["epochs"], plain["rewind_step"]
    assert from_dict(plain).train.epochs is None, "as a sheet of an older version"


def test_what_goes_by_steps_that_are_not_known_yet_is_whole_and_bounded():
    asked = {"train.epochs": 2}
    for path in ("train.warmup_steps", "train.eval_every", "rewind_step", "prune.step"):
        assert BASE.override({**asked, path: 70_000}).flat()[path] == 70_000
        for value in (-1, 1.5, 10**12):
            with pytest.raises(ConfigError, match=f"^{path} must be "):
                BASE.override({**asked, path: value})


def test_where_both_are_written_into_one_training_the_epochs_hold():
    config = LotteryConfig(train=TrainConfig(epochs=2, steps=50, eval_every=100))
    assert config.has_epochs


def test_a_pretraining_and_a_target_are_trained_by_steps():
    train = TrainConfig(epochs=2)
    assert PretrainConfig(steps=30, epochs=1).training(train).epochs is None
    assert TargetConfig(steps=300, epochs=1).training(train).epochs is None


COUNTED = {"train.epochs": 4.0, "train.steps": 80, "target.epochs": None, "target.steps": None}


@pytest.mark.parametrize(
    ("hparams", "own"),
    [
        ({}, {"train.steps": 80}),
        ({"train.lr": 0.1}, {"train.steps": 80}),
        ({"train.batch_size": 7}, {}),
        ({"train.epochs": 7}, {"train.epochs": 7}),
        ({"data.subsample": 0.5}, {}),
        ({"train.steps": 7}, {"train.epochs": None, "train.steps": 7}),
        ({"target.epochs": 2}, {"train.steps": 80, "target.epochs": 2, "target.steps": "-"}),
    ],
)
def test_of_a_trial_the_steps_are_known_that_are_the_bases(hparams, own):
    expected = {"train.epochs": 4.0, "target.epochs": None, "target.steps": None, **hparams, **own}
    expected = {path: value for path, value in expected.items() if value != "-"}
    assert joined_settings(COUNTED, hparams) == expected


def test_a_trial_of_a_base_in_steps_has_the_bases_steps_whatever_its_batches():
    base = {"train.epochs": None, "train.steps": 80}
    assert joined_settings(base, {"train.batch_size": 7})["train.steps"] == 80
    older = {"train.steps": 80}
    assert joined_settings(older, {"train.steps": 7}) == {"train.steps": 7}
