"""Numbers of NumPy's are taken wherever a study or a design has numbers; arrays are none."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
from digits_study import SMOKE
from line_of import line_of

from lttune.config import LotteryConfig, TrainConfig
from lttune.config.design import (
    Categorical,
    Factor,
    Integer,
    LogUniform,
    Point,
    Uniform,
    fair_comparison,
    nested,
    reaching,
    space_filling,
)

LR = Factor(path="train.lr", distribution=LogUniform(low=1e-3, high=0.1))
POINT = Point(hparams={"train.lr": 0.1}, replicates=(0,), role="design", label="one")


def test_numbers_of_numpy_are_numbers():
    spread = LogUniform(low=np.float32(0.125), high=np.float64(0.5))
    assert (spread.low, spread.high, type(spread.low)) == (0.125, 0.5, float)
    whole = Integer(low=np.int64(1), high=np.int32(8), log=np.bool_(True).item())
    assert (whole.low, whole.high, type(whole.high)) == (1, 8, int)
    assert Categorical(choices=list(np.array([16, 32]))).choices == (16, 32)
    hparams = {"train.batch_size": np.int64(16), "train.milestones": [np.int64(2)]}
    point = dataclasses.replace(POINT, hparams=hparams, replicates=[*np.arange(2)])
    plain = json.loads(json.dumps(point.plain()))
    assert plain["hparams"] == {"train.batch_size": 16, "train.milestones": [2]}
    assert plain["replicates"] == [0, 1]
    config = TrainConfig(lr=np.float32(0.5), batch_size=np.int64(16))
    assert (type(config.lr), type(config.batch_size)) == (float, int)
    changed = LotteryConfig().override(
        {"prune.fractions.fc1": np.float32(0.25), "train.lr": np.float64(0.5)}
    )
    assert json.loads(json.dumps(changed.nested()))["prune"]["fractions"]["fc1"] == 0.25
    study = dataclasses.replace(SMOKE, trials=np.int64(2), control_densities=[np.float32(0.5)])
    assert (type(study.trials), study.control_densities) == (int, (0.5,))


def test_an_array_is_a_list():
    assert TrainConfig(milestones=np.array([10, 20])).milestones == (10, 20)
    hparams = {"train.milestones": np.array([2, 3])}
    point = dataclasses.replace(POINT, hparams=hparams, replicates=np.arange(2))
    assert json.loads(json.dumps(point.plain()))["hparams"] == {"train.milestones": [2, 3]}
    assert point.replicates == (0, 1)
    assert LotteryConfig().override(point.hparams).train.milestones == (2, 3)
    assert Categorical(choices=np.array([16, 32])).choices == (16, 32)
    study = dataclasses.replace(SMOKE, control_densities=np.array([0.5]))
    assert study.control_densities == (0.5,)
    told = line_of(TrainConfig, milestones=np.array([[10, 20]]))
    assert told.startswith("train.milestones must be rising whole numbers >= 1, ")


def test_a_design_takes_numbers_of_numpy():
    counts = {"points": np.int64(4), "seed": np.int64(0), "repeats": np.int32(1)}
    design = space_filling([LR], **counts, repetitions=np.int64(2))
    assert design == space_filling([LR], points=4, seed=0, repeats=1, repetitions=2)
    tuned = {"a": [LR], "b": [LR]}
    asked = {"budget": np.int64(2), "seed": np.int64(1), "replicate": np.int64(3)}
    expected = fair_comparison("x", tuned, budget=2, seed=1, replicate=3)
    assert fair_comparison("x", tuned, **asked) == expected
    (ended,) = reaching([POINT], np.float32(0.25), fraction=np.float32(0.5))
    json.dumps(ended.plain())
    linked = dataclasses.replace(LR, linked={"prune.fraction": np.float32(0.5)})
    json.dumps(linked.plain())
    (narrow,) = nested([LR], {"train.lr": np.array([0.002, 0.01])})
    assert narrow.distribution == LogUniform(low=0.002, high=0.01)


def test_an_array_is_no_number():
    assert re.match("train.lr must be a finite number", line_of(TrainConfig, lr=np.ones(1)))
    assert line_of(Uniform, low=np.zeros(2), high=1.0).startswith("Uniform.low must be a finite")
