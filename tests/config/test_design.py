"""Designs: points of a space, from a seed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lttune.config.design import (
    INERT,
    PRUNING_RATE,
    Categorical,
    Factor,
    Integer,
    LogUniform,
    Point,
    Uniform,
    fair_comparison,
    nested,
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


def test_surrogate_columns_are_midranks_of_integers_and_one_for_each_choice():
    factors = [LR, Factor(path="n", distribution=Integer(low=1, high=2)), OPTIMIZER]
    columns, owners = encode(factors, np.array([[0.3, 0.1, 0.1], [0.6, 0.9, 0.9]]))
    assert columns.tolist() == [[0.3, 0.25, 1.0, 0.0], [0.6, 0.75, 0.0, 1.0]]
    assert owners == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "factor", [*FACTORS, Factor(path=INERT, distribution=Uniform(low=0, high=1))]
)
def test_a_factor_survives_json(factor):
    assert Factor.from_plain(json.loads(json.dumps(factor.plain()))) == factor


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"path": "a"},
        {"path": "a", "kind": "uniform"},
        {"path": "a", "kind": ["uniform"]},
        {"path": "a", "kind": "uniform", "low": "x", "high": 1},
        {"path": "a", "kind": "categorical", "choices": 3},
        {"path": 3, "kind": "uniform", "low": 0, "high": 1},
    ],
)
def test_other_values_are_no_factor(values):
    with pytest.raises(ConfigError):
        Factor.from_plain(values)


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
