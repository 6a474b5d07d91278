"""A space is checked at its corners before anything starts."""

from __future__ import annotations

import dataclasses
import json
from typing import NamedTuple

import pytest
from digits_study import LOTTERY, STUDY
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lttune.data import load
from lttune.data.transforms import training_size
from lttune.errors import ConfigError
from lttune.pruning.densities import planned_densities, require_survivors
from lttune.store.store import Store
from lttune.study.checks.configurations import check_memory, check_space
from lttune.study.declared import describe_space
from lttune.training.engines import make
from lttune.trajectory.checks import check_fit, check_idle
from lttune.trajectory.lab import Lab, network_of

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


# What no single field can tell.


def changed(**hparams):
    return LOTTERY.override({path.replace("__", "."): value for path, value in hparams.items()})


@pytest.mark.parametrize(
    ("hparams", "most"),
    [
        ({}, 1200),
        ({"data__validation": 37}, 1400),
        ({"data__subsample": 0.5}, 600),
        ({"data__task": "rotation"}, 4 * 1437 - 237),
    ],
)
def test_a_batch_is_at_most_all_that_is_trained_on(hparams, most):
    check_fit(changed(**hparams, train__batch_size=most), DATASETS)
    assert training_size(DATASETS["digits"], changed(**hparams).data) == most
    with pytest.raises(ConfigError, match=rf"^train\.batch_size must be 1\.\.{most}, .* got ") as e:
        check_fit(changed(**hparams, train__batch_size=most + 1), DATASETS)
    assert "\n" not in words(e)


def test_the_number_of_examples_is_that_of_a_lab(tmp_path):
    config = changed(data__subsample=0.3, data__task="rotation", data__validation=100)
    lab = Lab(DATASETS, make("torch", "cpu"), Store(tmp_path))
    assert len(lab.material(config, 0).train) == training_size(DATASETS["digits"], config.data)


def test_a_batch_of_the_target_or_the_pretraining_is_one_of_their_examples():
    few = dataclasses.replace(DATASETS["digits"], name="few.npz", validation=1400)
    datasets = {**DATASETS, "few.npz": few}
    target = changed(target__data="few.npz")
    with pytest.raises(
        ConfigError, match=r"^target\.batch_size must be 1\.\.37, .* few\.npz, got 60"
    ):
        check_fit(target, datasets)
    check_fit(target.override({"target.batch_size": 37}), datasets)
    with pytest.raises(
        ConfigError, match=r"^train\.batch_size must be 1\.\.37, .* few\.npz, got 60"
    ):
        check_fit(changed(pretrain__data="few.npz", pretrain__steps=3), datasets)
    check_fit(changed(pretrain__data="few.npz"), datasets)


def test_all_that_does_not_fit_is_told():
    config = changed(train__batch_size=9999, prune__fractions__out=0.001, target__batch_size=9999)
    with pytest.raises(ConfigError) as error:
        check_fit(config, DATASETS)
    assert [line.split()[0] for line in words(error).splitlines()] == [
        "train.batch_size",
        "prune.fractions",
        "target.batch_size",
    ]


@pytest.mark.parametrize(
    ("path", "value", "reads"),
    [
        ("train.momentum", 0.5, {"train.optimizer": "nesterov"}),
        ("train.decay", 0.5, {"train.milestones": (20,)}),
        ("model.init_std", 0.1, {"model.init": "normal"}),
    ],
)
def test_an_option_that_nothing_reads_is_refused(path, value, reads):
    base = LOTTERY.override({path: value})
    for reached in ([base], [base, base.override({"train.lr": 1.0})]):
        with pytest.raises(ConfigError, match=rf"^{path} must be left at .* it, got {value}$"):
            check_idle(base, reached)
    check_idle(base, [base, base.override(reads)])
    check_idle(base.override(reads), [base.override(reads)])
    check_idle(LOTTERY, [LOTTERY])


# Layers without a weight.


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        (
            "layer",
            "fc1 0 of 1280 weights at level 1, fc2 0 of 200 weights at level 1, out 0 of 100 w",
        ),
        ("kind", "fc1 to fc2 0 of 1480 weights at level 1, out 0 of 100 weights at level 1;"),
        ("global", "which leaves fc1 to out 0 of 1580 weights at level 1;"),
    ],
)
def test_layers_that_one_shot_empties_are_all_told(scope, told):
    config = LOTTERY.override({"levels": 1, "prune.one_shot": 0.0005, "prune.scope": scope})
    network = network_of(config, DATASETS["digits"])
    assert planned_densities(config, network) == [1, 0]
    with pytest.raises(ConfigError, match=r"^prune\.one_shot must leave something of ev") as error:
        require_survivors(config, network)
    assert told in words(error)
    assert "\n" not in words(error)


def test_only_the_layer_that_is_emptied_is_told():
    pruned = {"prune.one_shot": 0.3, "prune.fraction": 0.2, "prune.fractions.out": 0.9}
    config = LOTTERY.override({"levels": 1, **pruned})
    with pytest.raises(ConfigError, match="which leaves out 0 of 100 weights at level 1;"):
        require_survivors(config, network_of(config, DATASETS["digits"]))


def test_channels_are_counted_as_channels():
    pruned = {"prune.structure": "channel", "prune.one_shot": 0.064}
    config = LOTTERY.override({"levels": 1, **pruned})
    told = "leaves fc1 0 of 20 channels at level 1, fc2 0 of 10 channels at level 1;"
    with pytest.raises(ConfigError, match=told):
        require_survivors(config, network_of(config, DATASETS["digits"]))


@pytest.mark.parametrize("scope", ["layer", "kind", "global"])
@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99, 0.999])
def test_level_by_level_a_layer_keeps_its_last_weight(scope, fraction):
    fractions = {"fc": fraction, "out": fraction}
    pruned = {"prune.scope": scope, "prune.fraction": fraction, "levels": 50}
    config = LOTTERY.override(pruned)
    config = dataclasses.replace(
        config, prune=dataclasses.replace(config.prune, fractions=fractions)
    )
    require_survivors(config, network_of(config, DATASETS["digits"]))


def test_a_learned_mask_cannot_be_known():
    config = LOTTERY.override({"method": "supermask", "levels": 1})
    require_survivors(config, network_of(config, DATASETS["digits"]))


# Memory.


def test_a_network_that_no_memory_of_this_job_can_train_is_refused(monkeypatch):
    network = network_of(LOTTERY, DATASETS["digits"])
    weights = 64 * 20 + 20 + 20 * 10 + 10 + 10 * 10 + 10
    for most in (None, 16 * weights):
        monkeypatch.setattr(
            "lttune.study.checks.configurations.capacity", lambda most=most: Memory(most)
        )
        check_memory([network])
    monkeypatch.setattr(
        "lttune.study.checks.configurations.capacity", lambda: Memory(16 * weights - 1)
    )
    told = (
        r"^model\.name must be a network that 0\.0 GB of memory can train, got 'lenet-20-10', whose"
    )
    with pytest.raises(ConfigError, match=told):
        check_memory([network])


class Memory(NamedTuple):
    """What a job may use."""

    memory: int | None
