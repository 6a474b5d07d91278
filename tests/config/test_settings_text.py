"""Hyperparameters as people read them, in every list, table and figure."""

import pytest

from lttune.config.fields import settings_text, short_names
from lttune.records.ledger import Trial


@pytest.mark.parametrize(
    ("hparams", "text"),
    [
        (
            {"train.lr": 0.00123456, "train.batch_size": 60, "prune.scope": "layer"},
            "lr=0.00123 batch_size=60 scope=layer",
        ),
        ({}, "base configuration"),
        ({"rewind_step": 500, "train.freeze": True}, "rewind_step=500 freeze=True"),
        # Of names that end alike each says whose it is.
        (
            {"data.name": "mnist", "model.name": "lenet-5", "train.lr": 0.1},
            "data.name=mnist model.name=lenet-5 lr=0.1",
        ),
    ],
)
def test_settings_are_a_line(hparams, text):
    assert settings_text(hparams) == text


def test_a_name_that_is_the_end_of_another_stays_whole():
    names = {"fc1": "fc1", "prune.fc1": "prune.fc1", "prune.fractions.out": "out"}
    assert short_names(names) == names


@pytest.mark.parametrize(
    ("label", "hparams", "name"),
    [
        ("sobol-002 replicate=1", {"train.lr": 0.1}, "007 x lr=0.1 (sobol-002 replicate=1)"),
        (
            "search trial 1 replicate=9",
            {},
            "007 x base configuration (search trial 1 replicate=9)",
        ),
        ("lr=0.1 replicate=2", {"train.lr": 0.1}, "007 x lr=0.1 (replicate=2)"),
        ("lr=0.1", {"train.lr": 0.1}, "007 x lr=0.1"),
        ("", {}, "007 x base configuration"),
    ],
)
def test_a_trial_is_named_by_its_settings_and_its_label_follows(label, hparams, name):
    assert Trial(7, "x", label, hparams, [0], []).name == name
