import dataclasses
import math

import pytest
from accepted import accepting
from hypothesis import given
from hypothesis import strategies as st

from lttune.config import LotteryConfig, PruneConfig, TrainConfig, from_dict
from lttune.config.lottery.data import DATASET_SETTINGS
from lttune.config.presets import LENET_300_100
from lttune.errors import ConfigError

BAD = [
    ("train.lr", 0.0),
    ("train.lr", -1e-3),
    ("train.lr", math.nan),
    ("train.lr", math.inf),
    ("train.lr", True),
    ("train.lr", "1e-3"),
    ("train.momentum", 1.0),
    ("train.weight_decay", -1.0),
    ("train.batch_size", 0),
    ("train.batch_size", 2.5),
    ("train.steps", 0),
    ("train.eval_every", 0),
    ("train.eval_every", 50_001),
    ("train.eval_train", -1),
    ("train.warmup_steps", 50_001),
    ("train.eval_test", 1),
    ("prune.fraction", 0.0),
    ("prune.fraction", 1.0),
    ("prune.fraction", 20),
    ("prune.fractions.fc1", 1.0),
    ("prune.fractions.fc1", -0.1),
    ("levels", -1),
    ("levels", 2.5),
    ("levels", 10**6),
    ("min_density", 1.0),
    ("rewind_step", 50_000),
    ("rewind_step", -1),
    ("data.validation", 0),
    ("model.name", "lenet"),
    ("model.name", "lenet-300-0"),
]


@pytest.mark.parametrize(("path", "value"), BAD)
def test_a_bad_value_is_named_with_its_field_and_rule(path, value):
    with pytest.raises(ConfigError) as caught:
        LotteryConfig().override({path: value})
    message = str(caught.value)
    assert message.startswith(f"{path} must be ")
    assert repr(value) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("path", "value", "hint"),
    [
        ("data.name", "mnsit", "'mnist'"),
        ("train.optimizer", "adan", "'adam"),
        ("prune.scope", "globl", "'global'"),
        ("train.learning_rate", 1.0, "train."),
        ("trian.lr", 1.0, "'train.lr'"),
    ],
)
def test_an_unknown_name_lists_the_valid_ones_and_the_nearest(path, value, hint):
    with pytest.raises(ConfigError, match="must be one of") as caught:
        LotteryConfig().override({path: value})
    assert hint in str(caught.value)


def test_override_replaces_nothing_else():
    base = LENET_300_100
    changed = base.override({"train.lr": 0.1, "prune.fractions.fc1": 0.5, "levels": 3})
    expected = base.flat() | {"train.lr": 0.1, "prune.fractions.fc1": 0.5, "levels": 3}
    assert changed.flat() == expected
    assert base.flat()["train.lr"] == 1.2e-3


@given(
    lr=st.floats(1e-6, 10),
    batch=st.integers(1, 999),
    fc1=st.floats(0, 0.99),
    levels=st.integers(0, 200),
)
def test_plain_values_read_back_to_an_equal_configuration(lr, batch, fc1, levels):
    config = LENET_300_100.override(
        {"train.lr": lr, "train.batch_size": batch, "prune.fractions.fc1": fc1, "levels": levels}
    )
    again = from_dict(config.nested())
    assert again == config


def test_the_preset_is_the_papers_figure_2():
    train, prune = LENET_300_100.train, LENET_300_100.prune
    assert (train.optimizer, train.lr, train.batch_size) == ("adam", 1.2e-3, 60)
    assert (train.steps, train.eval_every, train.eval_test) == (50_000, 100, True)
    assert (prune.scope, prune.fractions) == ("layer", {"fc1": 0.2, "fc2": 0.2, "out": 0.1})
    assert LENET_300_100.model.name == "lenet-300-100"
    assert LENET_300_100.levels == 24


def test_the_table_has_every_setting_that_names_a_dataset():
    assert set(DATASET_SETTINGS) == accepting("./mine.npz")


def test_every_dataset_is_named_once_the_own_first():
    names = [f"./{number}.npz" for number in range(len(DATASET_SETTINGS))]
    config = LotteryConfig().override(dict(zip(DATASET_SETTINGS, names, strict=True)))
    assert config.dataset_names == names
    assert config.override(dict.fromkeys(DATASET_SETTINGS, "digits")).dataset_names == ["digits"]
    assert LotteryConfig().dataset_names == ["mnist"]


def test_configurations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().lr = 1.0  # type: ignore[misc]


def test_fractions_of_two_configurations_are_not_one_object():
    assert PruneConfig().fractions is not PruneConfig().fractions
