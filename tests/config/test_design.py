from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lttune.config import LotteryConfig
from lttune.config.design import (
    INERT,
    PRUNING_RATE,
    SWEEPS,
    Categorical,
    Factor,
    Integer,
    LogUniform,
    Point,
    Uniform,
    fair_comparison,
    levels_to,
    nested,
    reaching,
    space_filling,
)
from lttune.config.design.factors import encode
from lttune.config.presets import LENET_300_100
from lttune.errors import ConfigError

LR = Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-1))
BATCH = Factor(path="train.batch_size", distribution=Integer(low=16, high=256, log=True))
RATE = Factor(path="prune.fraction", distribution=Uniform(low=0.1, high=0.5), linked=PRUNING_RATE)
OPTIMIZER = Factor(path="train.optimizer", distribution=Categorical(choices=("adam", "sgd")))
FACTORS = [LR, BATCH, RATE, OPTIMIZER]


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (Uniform(low=-1.0, high=3.0), [-1.0, 0.0, 3.0]),
        (LogUniform(low=1e-5, high=1e-1), [1e-5, 1.2e-3, 1e-1]),
        (Integer(low=0, high=9), list(range(10))),
        (Integer(low=16, high=256, log=True), list(range(16, 257))),
        (Categorical(choices=("adam", "sgd", "momentum")), ["adam", "sgd", "momentum"]),
    ],
)
def test_a_value_goes_to_the_unit_interval_and_back(distribution, values):
    for value in values:
        u = distribution.to_unit(value)
        assert -1e-9 <= u <= 1 + 1e-9
        assert distribution.from_unit(u) == pytest.approx(value)
        assert type(distribution.from_unit(u)) is type(value)


@pytest.mark.parametrize(
    ("distribution", "low", "high"),
    [
        (Uniform(low=0.1, high=0.7), 0.1, 0.7),
        (LogUniform(low=1e-4, high=3e-2), 1e-4, 3e-2),
        # floor(exp(log(16))) is 15.
        (Integer(low=16, high=256, log=True), 16, 256),
        (Integer(low=1, high=2), 1, 2),
        (Categorical(choices=("a", "b")), "a", "b"),
    ],
)
def test_the_ends_of_the_unit_interval_are_the_ends_of_the_range(distribution, low, high):
    assert distribution.from_unit(0.0) == low
    assert distribution.from_unit(1.0) == high


def test_a_learning_rate_is_uniform_in_its_logarithm():
    distribution = LogUniform(low=1e-4, high=1e-2)
    assert distribution.from_unit(0.5) == pytest.approx(1e-3)
    assert distribution.to_unit(1e-3) == pytest.approx(0.5)
    assert distribution.decades == pytest.approx(2)


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_own_the_quantiles_between_their_half_integer_borders(log):
    distribution = Integer(low=1, high=8, log=log)
    draws = np.linspace(0, 1, 200_001)[:-1]
    values = np.array([distribution.from_unit(u) for u in draws[::20]])
    share = (values == 1).mean()
    expected = math.log(1.5 / 0.5) / math.log(8.5 / 0.5) if log else 1 / 8
    assert share == pytest.approx(expected, abs=1e-3)
    for value in range(1, 9):
        for jitter in (0.001, 0.5, 0.999):
            assert distribution.from_unit(distribution.to_unit(value, jitter)) == value


def test_surrogate_columns_are_midranks_of_integers_and_one_for_each_choice():
    factors = [LR, Factor(path="n", distribution=Integer(low=1, high=2)), OPTIMIZER]
    columns, owners = encode(factors, np.array([[0.3, 0.1, 0.1], [0.6, 0.9, 0.9]]))
    assert columns.tolist() == [[0.3, 0.25, 1.0, 0.0], [0.6, 0.75, 0.0, 1.0]]
    assert owners == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(low=1.0, high=1.0),
        lambda: Uniform(low=0.0, high=math.inf),
        lambda: LogUniform(low=0.0, high=1.0),
        lambda: Integer(low=0, high=5, log=True),
        lambda: Integer(low=5, high=4),
        lambda: Categorical(choices=("a",)),
        lambda: Categorical(choices=("a", "a")),
        lambda: Categorical(choices=("a", "b")).to_unit("c"),
    ],
)
def test_a_distribution_that_makes_no_sense_is_refused(make):
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize(
    "factor", [*FACTORS, Factor(path=INERT, distribution=Uniform(low=0, high=1))]
)
def test_a_factor_survives_json(factor):
    assert Factor.from_plain(json.loads(json.dumps(factor.plain()))) == factor


def test_an_unknown_kind_of_factor_is_named():
    with pytest.raises(ConfigError, match="uniform"):
        Factor.from_plain({"path": "a", "kind": "unifrom", "low": 0, "high": 1})


def test_a_design_survives_json():
    design = space_filling(FACTORS, points=4, seed=1, paper={"train.lr": 1.2e-3}, repeats=2)
    read = [
        Point.from_plain(values) for values in json.loads(json.dumps([p.plain() for p in design]))
    ]
    assert read == design


def test_a_design_is_its_seed():
    assert space_filling(FACTORS, points=8, seed=3, repeats=4) == space_filling(
        FACTORS, points=8, seed=3, repeats=4
    )
    assert space_filling(FACTORS, points=8, seed=3, repeats=4) != space_filling(
        FACTORS, points=8, seed=4, repeats=4
    )


def test_a_longer_design_begins_with_the_shorter_one():
    paper = {"train.lr": 1.2e-3}
    short, long = (space_filling(FACTORS, points=n, seed=0, paper=paper) for n in (64, 128))
    assert long[: len(short)] == short
    assert len(long) == 129


def test_a_design_fills_every_dimension_evenly():
    factors = [LR, RATE]
    points = space_filling(factors, points=64, seed=0)
    for factor in factors:
        u = [factor.distribution.to_unit(p.hparams[factor.path]) for p in points]
        # A digital net has exactly one point in each 64th of the range.
        assert sorted(int(64 * value) for value in u) == list(range(64))
    assert sorted(int(64 * p.inert) for p in points) == list(range(64))


def test_roles_and_replicates_of_a_design():
    design = space_filling(
        FACTORS, points=32, seed=0, paper={"train.lr": 1.2e-3}, repeats=16, repetitions=3
    )
    assert [p.role for p in design] == ["paper"] + ["repeat"] * 16 + ["design"] * 16
    assert {p.replicates for p in design[:17]} == {(0, 1, 2)}
    assert {p.replicates for p in design[17:]} == {(0,)}
    assert len({p.label for p in design}) == 33


def test_the_inert_factor_is_recorded_and_never_trained():
    design = space_filling(FACTORS, points=4, seed=0, paper={"train.lr": 1.2e-3}, repeats=0)
    for point in design[1:]:
        assert INERT not in point.hparams
        assert point.coordinates[INERT] == point.inert
        LENET_300_100.override(point.hparams)
    assert (design[0].inert, design[0].coordinates) == (None, {"train.lr": 1.2e-3})
    with pytest.raises(ConfigError, match="inert"):
        Point(hparams={INERT: 0.5}, replicates=(0,), role="design", label="x")


def test_only_powers_of_two_are_balanced():
    with pytest.raises(ConfigError, match="power of two"):
        space_filling(FACTORS, points=100, seed=0)


def test_two_factors_of_one_path_are_refused():
    out = Factor(path="prune.fractions.out", distribution=Uniform(low=0.1, high=0.2))
    with pytest.raises(ConfigError, match="different paths"):
        space_filling([RATE, out], points=4, seed=0, repeats=0)


def test_the_pruning_rate_is_that_of_every_layer_with_the_output_at_half():
    for point in space_filling([RATE], points=4, seed=0, repeats=0):
        prune = LENET_300_100.override(point.hparams).prune
        rate = prune.fraction
        assert 0.1 <= rate <= 0.5
        assert prune.fractions == {"fc1": rate, "fc2": rate, "out": rate / 2}


def test_a_nested_design_stays_in_its_region():
    ranges = {"train.lr": (1e-3, 5e-3), "train.optimizer": ("adam",)}
    with pytest.raises(ConfigError, match="two or more"):
        nested(FACTORS, ranges)
    narrow = nested(FACTORS[:3], {"train.lr": (1e-3, 5e-3), "train.batch_size": (32, 64)})
    design = space_filling(narrow, points=16, seed=0)
    assert all(1e-3 <= p.hparams["train.lr"] <= 5e-3 for p in design)
    assert {p.hparams["train.batch_size"] for p in design} <= set(range(32, 65))
    assert min(p.hparams["prune.fraction"] for p in design) < 0.2


@pytest.mark.parametrize(
    ("ranges", "match"),
    [
        ({"train.lr": (1e-5, 1e-2)}, "inside"),
        ({"train.lr": (1e-2, 1e-3)}, "inside"),
        ({"train.rl": (1e-3, 1e-2)}, "train.lr"),
        ({"train.optimizer": ("adam", "lion")}, "choices"),
    ],
)
def test_a_nested_range_must_lie_inside_its_factors(ranges, match):
    with pytest.raises(ConfigError, match=match):
        nested(FACTORS, ranges)


def test_a_fair_comparison_tunes_every_value_with_the_same_budget():
    adam = Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-2))
    sgd = Factor(path="train.lr", distribution=LogUniform(low=1e-2, high=1.0))
    design = fair_comparison("train.optimizer", {"adam": [adam], "sgd": [sgd]}, budget=8, seed=1)
    by_value = {
        value: [p for p in design if p.hparams["train.optimizer"] == value]
        for value in ("adam", "sgd")
    }
    assert [len(points) for points in by_value.values()] == [8, 8]
    assert {p.replicates for p in design} == {(0,)}
    # The same quantiles, each of its own range.
    for a, s in zip(*by_value.values(), strict=True):
        assert s.hparams["train.lr"] == pytest.approx(100 * a.hparams["train.lr"])


def test_a_comparison_of_one_value_is_none():
    with pytest.raises(ConfigError, match="two or more"):
        fair_comparison("train.optimizer", {"adam": [LR]})
    with pytest.raises(ConfigError, match="nuisance"):
        fair_comparison("train.lr", {1e-3: [LR], 1e-2: [LR]})


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
    assert len({config.fingerprint() for config in configs}) == len(configs)
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
    levels = levels_to(floor, rate, rate / 2)
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


def test_a_density_that_cannot_be_reached_is_refused():
    with pytest.raises(ConfigError, match="200 levels"):
        levels_to(0.001, 0.01, 0.005)
