"""A space is checked at its corners before anything starts."""

from __future__ import annotations

import json

import pytest
from digits_study import LOTTERY, STUDY
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lttune.data import load
from lttune.errors import ConfigError
from lttune.study.checks import check_space
from lttune.study.declared import describe_space

DATASETS = {"digits": load("digits")}


def words(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_a_sound_space_passes():
    check_space(STUDY.space, LOTTERY, DATASETS)
    check_space({}, LOTTERY, DATASETS)


@pytest.mark.parametrize(
    ("path", "distribution", "message"),
    [
        ("train.lr", FloatDistribution(0, 1), r"train\.lr = 0\.0: train\.lr must be .* > 0"),
        ("prune.fraction", FloatDistribution(0.1, 1), r"prune\.fraction = 1\.0: .*in \(0, 1\)"),
        ("train.batch_size", IntDistribution(0, 9), r"train\.batch_size = 0: .*>= 1"),
        ("train.eval_every", IntDistribution(1, 80), r"= 80: .*at most train\.steps \(40\)"),
        ("train.optimizer", CategoricalDistribution(["sgd", "sdg"]), r"'sdg': .*mean 'sgd'"),
        ("model.name", CategoricalDistribution(["lenet-5", "resnet"]), r"'resnet': .*lenet-H1"),
        ("train.rate", FloatDistribution(0, 1), r"hyperparameter must be one of .*train\.lr"),
        ("prune.fractions.fc9", FloatDistribution(0.1, 0.2), r"fc1, fc2"),
        (
            "prune.fractions.out",
            FloatDistribution(0.001, 0.2),
            r"remove one of .* weights of out",
        ),
    ],
)
def test_a_corner_that_is_no_configuration_is_named(path, distribution, message):
    with pytest.raises(ConfigError, match=message) as error:
        check_space({path: distribution}, LOTTERY, DATASETS)
    assert words(error).startswith(f"space: {path} = ")


def test_a_layer_that_the_base_names_and_the_network_lacks_is_refused():
    with pytest.raises(ConfigError, match="fc9") as error:
        check_space({}, LOTTERY.override({"prune.fractions.fc9": 0.2}), DATASETS)
    assert all(name in words(error) for name in ("fc1", "fc2", "out"))


def test_fractions_of_layers_are_no_factor_under_global_scope():
    base = LOTTERY.override({"prune.scope": "global"})
    with pytest.raises(ConfigError, match=r"no effect when prune\.scope is 'global'"):
        check_space(STUDY.space, base, DATASETS)
    check_space({"train.lr": STUDY.space["train.lr"]}, base, DATASETS)


def test_a_space_is_described_by_plain_values():
    space = {
        "a": FloatDistribution(0.1, 1, log=True),
        "b": IntDistribution(1, 9, step=2),
        "c": CategoricalDistribution(["x", "y"]),
    }
    described = describe_space(space)
    assert described == {
        "a": {"kind": "float", "low": 0.1, "high": 1.0, "log": True, "step": None},
        "b": {"kind": "int", "low": 1, "high": 9, "log": False, "step": 2},
        "c": {"kind": "categorical", "choices": ["x", "y"]},
    }
    assert json.loads(json.dumps(described)) == described
