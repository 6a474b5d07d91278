"""A study's own fields, and the parts of its designs, are asked when they are made."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from digits_study import SMOKE, STUDY
from line_of import line_of
from optuna.distributions import FloatDistribution

from lttune.config.design import (
    INERT,
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
from lttune.study.search.space import space_of

FLOAT = FloatDistribution(0.1, 0.2)
LR = Factor(path="train.lr", distribution=LogUniform(low=1e-3, high=0.1))
KIND = Factor(path="model.init", distribution=Categorical(choices=("normal", "glorot_normal")))
WRONG = Factor(path="train.learning_rate", distribution=LR.distribution)
POINT = Point(hparams={"train.lr": 0.1}, replicates=(0,), role="design", label="one")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("question", 3, "question must be a sentence, got 3"),
        ("question", " ", "question must be a sentence, got ' '"),
        ("source", None, "source must be a text, got None"),
        ("file", "x.py", "file must be a pathlib.Path such as Path(__file__), or None, got 'x.py'"),
        ("prepare", "f", "prepare must be a function or None, got 'f'"),
        ("compared", 3, "compared must be a dotted path or None, got 3"),
        ("compared", ["train.lr"], "compared must be a dotted path or None, got ['train.lr']"),
        ("compared", "train.learning_rate", "compared: hyperparameter must be one of "),
        ("scales", {}, "scales must be a dict of names to StudyConfig, one or more, got {}"),
        ("scales", [SMOKE], "scales must be a dict of names to StudyConfig, one or more, got "),
        ("scales", {3: SMOKE}, "scales must be a dict of names to StudyConfig, one or more, got 3"),
        ("scales", {"smoke": {}}, "scales['smoke'] must be a StudyConfig, got {}"),
        ("space", [LR], "space must be a dict of dotted paths to distributions of Optuna's"),
        ("space", {"train.lr": 0.1}, "space['train.lr'] must be a distribution of Optuna's, got "),
        ("space", {"train.lr": LR.distribution}, "space['train.lr'] must be a distribution of Opt"),
        ("space", {3: FLOAT}, "space: hyperparameter must be one of "),
        ("factors", LR, "factors must be a list or tuple of Factor, got Factor("),
        ("factors", "train.lr", "factors must be a list or tuple of Factor, got 'train.lr'"),
        ("factors", ["train.lr"], "factors must be a list or tuple of Factor, got 'train.lr'"),
        ("points", [POINT], "points must be a dict of scales to dicts of phases to points, got "),
        ("points", {"smoke": [POINT]}, "points['smoke'] must be a dict of phases to points, got "),
        (
            "points",
            {"smoke": {"sweep": POINT}},
            "points['smoke']['sweep'] must be a list or tuple ",
        ),
        ("points", {"smoke": {"sweep": [{}]}}, "points must be a list or tuple of Point, got {}"),
    ],
)
def test_a_field_of_a_study_of_another_kind_is_a_line(field, value, told):
    assert line_of(dataclasses.replace, STUDY, **{field: value}).startswith(told)


def test_a_distribution_of_a_design_in_the_space_is_told_the_way():
    told = line_of(dataclasses.replace, STUDY, space={"train.lr": LR.distribution})
    assert "as space_of(FACTORS) makes it of a Factor's, got LogUniform(" in told


def test_a_path_that_is_no_field_is_told_once_with_the_one_that_is_meant():
    points = {"smoke": {"sweep": space_filling([WRONG], points=4, seed=0, repeats=0)}}
    varied = {"factors": [WRONG], "space": space_of([WRONG]), "points": points}
    told = line_of(dataclasses.replace, STUDY, **varied)
    assert told.startswith("factors: hyperparameter must be one of train.batch_size, ")
    assert told.endswith("got 'train.learning_rate'; did you mean 'train.lr'?")
    told = line_of(dataclasses.replace, STUDY, points=points)
    assert told.startswith("points['smoke']['sweep']: point 'sobol-000': hyperparameter must be ")
    linked = dataclasses.replace(LR, linked={"prune.fractoin": 1.0})
    told = line_of(dataclasses.replace, STUDY, factors=[linked])
    assert told.startswith("linked of the factor train.lr: hyperparameter must be one of ")


def test_what_a_design_has_besides_is_no_mistake():
    inert = Factor(path=INERT, distribution=Uniform(low=0.0, high=1.0))
    layer = Factor(path="prune.fractions.any", distribution=Uniform(low=0.1, high=0.2))
    study = dataclasses.replace(STUDY, factors=[LR, layer, inert])
    assert [factor.path for factor in study.factors] == ["train.lr", "prune.fractions.any", INERT]


DESIGN = {"points": 4, "seed": 0, "repeats": 0}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: LogUniform(low="small", high=1), "LogUniform.low must be a finite number, got 's"),
        (
            lambda: LogUniform(low=0.1, high=0.01),
            "LogUniform must be of 0 < low < high, got (0.1, ",
        ),
        (lambda: LogUniform(low=0, high=1), "LogUniform must be of 0 < low < high, got (0, 1)"),
        (lambda: Uniform(low=1, high=1), "Uniform must be of low < high, got (1, 1)"),
        (lambda: Uniform(low=True, high=2), "Uniform.low must be a finite number, got True"),
        (lambda: Integer(low=1, high=2.5), "Integer.high must be a whole number, got 2.5"),
        (lambda: Integer(low=0, high=2, log=True), "Integer must be of 1 <= low < high, as it is "),
        (lambda: Integer(low=0, high=2, log=1), "Integer.log must be a bool, got 1"),
        (lambda: Categorical(choices="adam"), "Categorical.choices must be a list or tuple of two"),
        (lambda: Categorical(choices=["a", "a"]), "Categorical.choices must be a list or tuple of"),
        (
            lambda: Categorical(choices=[[1], [2]]),
            "Categorical.choices must be texts, numbers, boo",
        ),
        (lambda: Factor(path=3, distribution=FLOAT), "Factor.path must be a text, got 3"),
        (
            lambda: dataclasses.replace(LR, linked=["x"]),
            "linked of the factor train.lr must be a d",
        ),
        (
            lambda: dataclasses.replace(LR, linked={"x": "y"}),
            "linked of the factor train.lr must b",
        ),
        (
            lambda: dataclasses.replace(POINT, hparams=[1]),
            "Point.hparams must be a dict of dotted ",
        ),
        (
            lambda: dataclasses.replace(POINT, hparams={1: 2}),
            "Point.hparams must be a dict of dott",
        ),
        (
            lambda: dataclasses.replace(POINT, replicates=3),
            "Point.replicates must be a list or tup",
        ),
        (
            lambda: dataclasses.replace(POINT, replicates=()),
            "Point.replicates must be a list or tu",
        ),
        (
            lambda: dataclasses.replace(POINT, replicates=[[0]]),
            "Point.replicates must be a list or",
        ),
        (lambda: dataclasses.replace(POINT, role="desing"), "Point.role must be one of "),
        (lambda: dataclasses.replace(POINT, role=["design"]), "Point.role must be one of "),
        (lambda: dataclasses.replace(POINT, label=7), "Point.label must be a text, got 7"),
        (
            lambda: dataclasses.replace(POINT, inert="x"),
            "Point.inert must be a number or None, got",
        ),
        (
            lambda: dataclasses.replace(POINT, controls="reinit"),
            "Point.controls must be a list or ",
        ),
        (
            lambda: dataclasses.replace(POINT, controls=None),
            "Point.controls must be a list or tupl",
        ),
        (lambda: space_filling(LR, **DESIGN), "factors must be a list or tuple of Factor, got "),
        (lambda: space_filling([], **DESIGN), "factors must be at least one, got []"),
        (
            lambda: space_filling([LR], points="8", seed=0),
            "points of a Sobol' design must be a pow",
        ),
        (lambda: space_filling([LR], **{**DESIGN, "seed": None}), "seed must be a whole number, g"),
        (
            lambda: space_filling([LR], **{**DESIGN, "repeats": 1.5}),
            "repeats must be a whole numbe",
        ),
        (
            lambda: space_filling([LR], **DESIGN, repetitions="3"),
            "repetitions must be a whole numb",
        ),
        (lambda: space_filling([LR], **DESIGN, fixed=[1]), "fixed must be a dict of dotted paths "),
        (
            lambda: space_filling([LR], **DESIGN, paper=3),
            "paper must be a dict of dotted paths to ",
        ),
        (
            lambda: fair_comparison("train.optimizer", [LR]),
            "nuisance of train.optimizer must be a ",
        ),
        (
            lambda: fair_comparison("x", {"a": [LR], "b": LR}),
            "factors must be a list or tuple of F",
        ),
        (
            lambda: fair_comparison("x", {"a": [LR], "b": [LR]}, budget="8"),
            "budget must be a power",
        ),
        (lambda: nested([LR], [1]), "ranges must be a dict of paths to ranges, got [1]"),
        (
            lambda: nested([LR], {"train.lr": 3}),
            "train.lr must be a list or tuple: low and high of",
        ),
        (lambda: nested([LR], {"train.lr": ("a", "b")}), "train.lr must be (low, high), got ('a',"),
        (
            lambda: nested([KIND], {"model.init": [["a"]]}),
            "model.init must be a list or tuple: low",
        ),
        (lambda: levels_to("x", {}), "density must be in (0, 1), got 'x'"),
        (lambda: levels_to(0.1, {"fc1": 0.2}), "fractions must be a dict of fc1, fc2, out to a sh"),
        (lambda: reaching(POINT, 0.1), "points must be a list or tuple of Point, got Point("),
        (lambda: reaching([3], 0.1), "points must be a list or tuple of Point, got 3"),
        (lambda: space_of(LR), "factors must be a list or tuple of Factor, got Factor("),
        (
            lambda: dataclasses.replace(SMOKE, controls="reinit"),
            "controls must be a list or tuple ",
        ),
    ],
)
def test_a_part_of_a_design_of_another_kind_is_a_line(call, told):
    assert line_of(call).startswith(told)


def test_one_text_in_place_of_a_list_is_told_as_a_list_of_it():
    told = line_of(dataclasses.replace, SMOKE, controls="reinit")
    assert told == "controls must be a list or tuple such as ('reinit',), got 'reinit'"


def test_a_study_file_is_told_the_line_of_the_mistake_whatever_the_flags(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from lttune.study import Study, StudyConfig\n"
        "Study(question='Which?', source='', space={}, file=__file__,\n"
        "      scales={'smoke': StudyConfig(name='x')})\n"
    )
    command = [sys.executable, file, "--plan"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    told = "lttune: error: mine.py:2: file must be a pathlib.Path such as Path(__file__), or None"
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(told)
    assert ended.stderr.count("\n") == 1
