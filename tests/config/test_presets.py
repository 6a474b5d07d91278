"""The paper's Figure 2: counts, densities as printed, learning rates at given steps."""

import math
from fractions import Fraction

import pytest
from preset_rows import PRESETS

from lttune.config.presets import LENET_300_100, RESNET_20
from lttune.models import build
from lttune.training.schedule import rate
from lttune.trajectory.lottery import planned_densities


def network_of(config):
    shape = (28, 28) if config.data.name == "mnist" else (3, 32, 32)
    return build(config.model, shape, 10).excluding(config.prune.exclude)


def planned(config):
    return [100 * density for density in planned_densities(config, network_of(config))]


@pytest.mark.parametrize(
    ("name", "batch_size", "steps", "optimizer", "lr"),
    [
        ("lenet-300-100", 60, 50_000, "adam", 1.2e-3),
        ("conv-2", 60, 20_000, "adam", 2e-4),
        ("conv-4", 60, 25_000, "adam", 3e-4),
        ("conv-6", 60, 30_000, "adam", 3e-4),
        ("conv-2-dropout", 60, 60_000, "adam", 3e-4),
        ("conv-4-dropout", 60, 75_000, "adam", 2e-4),
        ("conv-6-dropout", 60, 90_000, "adam", 2e-4),
        ("resnet-20", 128, 30_000, "momentum", 0.1),
        ("resnet-20-low", 128, 30_000, "momentum", 0.01),
        ("resnet-20-warmup", 128, 30_000, "momentum", 0.03),
        ("vgg-19", 64, 112_000, "momentum", 0.1),
        ("vgg-19-low", 64, 112_000, "momentum", 0.01),
        ("vgg-19-warmup", 64, 112_000, "momentum", 0.1),
    ],
)
def test_a_row_has_the_papers_training(name, batch_size, steps, optimizer, lr):
    config = PRESETS[name]
    train = config.train
    assert (train.batch_size, train.steps, train.optimizer) == (batch_size, steps, optimizer)
    assert train.lr == lr
    assert config.rewind_step == 0
    assert config.model.init == "glorot_normal"
    deep = optimizer == "momentum"
    assert (train.momentum, train.weight_decay) == (0.9, 1e-4 if deep else 0.0)
    assert train.eval_every == (1_000 if deep else 100)
    assert name.startswith(config.model.name)
    assert config.model.dropout == (0.5 if name.endswith("dropout") else 0.0)
    assert config.data.augment == ("flip-crop" if deep else "none")
    if name != "lenet-300-100":
        assert (config.data.name, config.data.validation) == ("cifar10", 5_000)


def test_every_row_is_tested_above():
    marks = test_a_row_has_the_papers_training.pytestmark
    assert sorted(row[0] for row in marks[0].args[1]) == sorted(PRESETS)


# Percentages that the paper prints on its axes.
LENET = [100, 80.0, 64.1, 51.3, 41.1, 32.9, 26.3, 21.1, 16.9, 13.5, 10.8, 8.7, 7.0, 5.6, 4.5, 3.6]
LENET += [2.9, 2.3, 1.9, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5]
CONV_2 = [100, 80.1, 64.2, 51.4, 41.2, 33.0, 26.5, 21.2, 17.0, 13.7, 11.0, 8.8, 7.1, 5.7, 4.6, 3.7]
CONV_2 += [3.0, 2.4, 1.9]
CONV_4 = [100, 81.1, 65.8, 53.5, 43.6, 35.6, 29.1, 23.9, 19.6, 16.2, 13.3, 11.1, 9.2, 7.7, 6.4, 5.4]
CONV_4 += [4.5]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("lenet-300-100", LENET),
        ("conv-2", CONV_2),
        ("conv-2-dropout", CONV_2),
        ("conv-4", CONV_4),
        ("conv-4-dropout", CONV_4),
    ],
)
def test_densities_are_those_that_the_paper_prints(name, printed):
    assert planned(PRESETS[name])[: len(printed)] == pytest.approx(printed, abs=0.051)


@pytest.mark.parametrize("name", ["conv-6", "conv-6-dropout"])
def test_conv_6_comes_near_the_printed_densities_only(name):
    # The labels fit no count of these layers: see the preset.
    densities = planned(PRESETS[name])
    for level, printed in ((7, 26.4), (10, 15.1), (12, 10.5)):
        assert 0.05 < densities[level] - printed < 0.25


@pytest.mark.parametrize("name", ["resnet-20", "resnet-20-low", "resnet-20-warmup"])
def test_resnets_densities_are_the_printed_ones_because_whole_layers_count(name):
    densities = planned(PRESETS[name])
    found = {level: round(densities[level], 1) for level in (4, 6, 7, 10)}
    assert found == {4: 41.7, 6: 27.1, 7: 21.9, 10: 11.8}


def test_vgg_loses_a_fifth_of_its_convolutions_a_level():
    densities = planned(PRESETS["vgg-19"])
    conv, out = 20_018_880, 5_120
    survivors = [conv]
    for _ in range(24):
        survivors.append(survivors[-1] - survivors[-1] // 5)
    assert densities == pytest.approx([100 * (s + out) / (conv + out) for s in survivors])
    assert round(densities[19], 1) == 1.5


def test_excluding_shortcuts_and_output_leaves_them_out_of_the_density():
    exclude = {"prune.scope": "global", "prune.fractions": {}}
    config = RESNET_20.override(exclude | {"prune.exclude": ("shortcut", "out")})
    excluded = planned_densities(config, network_of(config))
    assert excluded == pytest.approx([0.8**level for level in range(15)], abs=1e-4)
    # As many convolution weights as in the preset, of another whole.
    with_whole = planned_densities(RESNET_20, network_of(RESNET_20))
    counts = [density * 270_896 - 3_200 for density in with_whole]
    assert counts == pytest.approx([density * 267_696 for density in excluded], abs=1e-6)


def test_fractions_are_the_papers():
    expected = {
        "lenet-300-100": {"fc1": 0.2, "fc2": 0.2, "out": 0.1},
        "conv-2": {"conv": 0.1, "fc": 0.2, "out": 0.1},
        "conv-4": {"conv": 0.1, "fc": 0.2, "out": 0.1},
        "conv-6": {"conv": 0.15, "fc": 0.2, "out": 0.1},
        "resnet-20": {"shortcut": 0.0, "out": 0.0},
        "vgg-19": {"out": 0.0},
    }
    for name, fractions in expected.items():
        assert PRESETS[name].prune.fractions == fractions
        assert PRESETS[name].prune.fraction == 0.2
        deep = name in ("resnet-20", "vgg-19")
        assert PRESETS[name].prune.scope == ("kind" if deep else "layer")


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("lenet-300-100", {0: 1.2e-3, 49_999: 1.2e-3}),
        ("conv-2", {0: 2e-4, 19_999: 2e-4}),
        ("resnet-20", {0: 0.1, 19_999: 0.1, 20_000: 0.01, 24_999: 0.01, 25_000: 1e-3}),
        ("resnet-20-low", {0: 0.01, 20_000: 1e-3, 29_999: 1e-4}),
        (
            "resnet-20-warmup",
            {0: 1.5e-6, 9_999: 0.015, 19_999: 0.03, 20_000: 3e-3, 29_999: 3e-4},
        ),
        ("vgg-19", {0: 0.1, 56_319: 0.1, 56_320: 0.01, 84_479: 0.01, 84_480: 1e-3}),
        ("vgg-19-low", {0: 0.01, 111_999: 1e-4}),
        ("vgg-19-warmup", {0: 1e-5, 4_999: 0.05, 9_999: 0.1, 10_000: 0.1, 56_320: 0.01}),
    ],
)
def test_learning_rates_follow_the_papers_schedules(name, rates):
    train = PRESETS[name].train
    assert {step: rate(train, step) for step in rates} == pytest.approx(rates)


def test_vggs_milestones_are_the_ends_of_epochs_80_and_120():
    epoch = math.ceil(Fraction(45_000, PRESETS["vgg-19"].train.batch_size))
    assert PRESETS["vgg-19"].train.milestones == (80 * epoch, 120 * epoch)


def test_the_lenet_is_the_default_configurations_network():
    assert PRESETS["lenet-300-100"] is LENET_300_100
    assert LENET_300_100.data.name == "mnist"
    assert LENET_300_100.levels == 24
