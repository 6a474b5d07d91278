"""The paper's sweeps, and the levels that a density needs."""

from __future__ import annotations

import itertools
import math

import pytest

from lttune.config import LotteryConfig
from lttune.config.design import (
    LENET_FACTORS,
    LENET_PAPER,
    SWEEPS,
    levels_to,
    reaching,
    space_filling,
)
from lttune.config.presets import LENET_300_100
from lttune.errors import ConfigError
from lttune.models import build
from lttune.pruning.densities import planned_densities
from lttune.records.objectives import DENSITY_GRID

# Grids as printed in the legends of the paper's Figures 26 to 31.
GRIDS = {
    "adam-lr": ("train.lr", [2.5e-5, 5e-5, 2e-4, 8e-4, 1.2e-3, 2e-3, 3.2e-3, 6.4e-3]),
    "sgd-lr": ("train.lr", [0.003125, 0.00625, 0.0125, 0.025, 0.1, 0.4, 0.8, 1.2]),
    "momentum-lr": ("train.lr", [0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4]),
    "rate": ("prune.fraction", [0.1, 0.2, 0.4, 0.6, 0.8]),
    "init": ("model.init_std", [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, None]),
    "width": (
        "model.name",
        [
            f"lenet-{w}"
            for w in [
                "25-9",
                "50-17",
                "100-34",
                "150-50",
                "200-67",
                "300-100",
                "400-134",
                "500-167",
                "700-233",
                "900-300",
            ]
        ],
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_sweep_is_the_papers_grid(name):
    path, values = GRIDS[name]
    points = SWEEPS[name].points(replicates=5)
    assert [p.hparams.get(path) for p in points] == values
    assert {p.replicates for p in points} == {(0, 1, 2, 3, 4)}


@pytest.mark.parametrize("name", SWEEPS)
def test_beyond_the_papers_grid_are_two_more_values_at_each_end(name):
    sweep = SWEEPS[name]
    points = sweep.points(replicates=10, beyond=True, beyond_replicates=5)
    outer = [p for p in points if p.role == "beyond"]
    assert len(outer) == 4
    assert {len(p.replicates) for p in outer} == {5}
    assert {len(p.replicates) for p in points if p.role != "beyond"} == {10}
    assert [p.role for p in points[:2]] == [p.role for p in points[-2:]] == ["beyond"] * 2
    if name != "width":
        numbers = [v for v in (*sweep.below, *sweep.values, *sweep.above) if v != "glorot_normal"]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("name", "paper"),
    [("adam-lr", 1), ("sgd-lr", 0), ("momentum-lr", 0), ("rate", 1), ("init", 1), ("width", 1)],
)
def test_the_papers_own_cell_is_the_preset(name, paper):
    own = [p for p in SWEEPS[name].points(replicates=1, beyond=True) if p.role == "paper"]
    assert len(own) == paper
    for point in own:
        assert LENET_300_100.override(point.hparams) == LENET_300_100


@pytest.mark.parametrize("name", SWEEPS)
def test_every_cell_of_a_sweep_is_a_configuration_of_its_own(name):
    known = set(LotteryConfig().flat())
    points = SWEEPS[name].points(replicates=1, beyond=True)
    configs = []
    for point in points:
        # model.init_std is a field since the initialisations of appendix G.5 are.
        if {path for path in point.hparams if not path.startswith("prune.fractions")} <= known:
            configs.append(LENET_300_100.override(point.hparams))
    assert all(one != other for one, other in itertools.combinations(configs, 2))
    assert len(configs) == len(points) or name == "init"


def test_rates_of_a_sweep_halve_the_output_layers():
    for point in SWEEPS["rate"].points(replicates=1, beyond=True):
        prune = LENET_300_100.override(point.hparams).prune
        rate = point.hparams["prune.fraction"]
        assert prune.fractions == pytest.approx({"fc1": rate, "fc2": rate, "out": rate / 2})


def density(level: int, rate: float, output: float) -> float:
    """Returns LeNet-300-100's density, rounding down at every level as training does."""
    layers = {235_200: rate, 30_000: rate, 1_000: output}
    left = 0
    for weights, fraction in layers.items():
        alive = weights
        for _ in range(level):
            alive -= math.floor(fraction * alive)
        left += alive
    return left / 266_200


@pytest.mark.parametrize("rate", [0.025, 0.1, 0.2, 0.4, 0.8])
@pytest.mark.parametrize("floor", [0.5, 0.036, 0.0115])
def test_every_rate_gets_the_levels_that_its_density_needs(rate, floor):
    levels = levels_to(floor, {"fc1": rate, "fc2": rate, "out": rate / 2})
    assert density(levels, rate, rate / 2) <= floor
    assert density(levels - 2, rate, rate / 2) > floor


def test_slow_pruning_gets_more_levels():
    ready = reaching(SWEEPS["rate"].points(replicates=1), 0.036)
    assert [p.hparams["min_density"] for p in ready] == [0.036] * 5
    levels = [LENET_300_100.override(p.hparams).levels for p in ready]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 30 > levels[-1]
    other = reaching(SWEEPS["adam-lr"].points(replicates=1), 0.036)
    assert {p.hparams["levels"] for p in other} == {levels[1]}


def test_all_points_of_a_design_come_down_to_the_same_density():
    """However unevenly they prune the layers: who ended early would not be missing at random."""
    points = reaching(
        space_filling(LENET_FACTORS, points=64, seed=0, paper=LENET_PAPER), DENSITY_GRID[18]
    )
    for point in points:
        config = LENET_300_100.override(point.hparams)
        ends = planned_densities(config, build(config.model, (28, 28), 10))
        assert ends[-1] <= DENSITY_GRID[18] < ends[-2]
        assert len(ends) <= config.levels + 1
    assert len({point.hparams["levels"] for point in points}) > 5


def test_a_density_that_cannot_be_reached_is_refused():
    with pytest.raises(ConfigError, match="200 levels"):
        levels_to(0.001, {"fc1": 0.01, "fc2": 0.01, "out": 0.005})
