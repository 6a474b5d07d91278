"""The settings of a study: every bad value is named with its field and rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from digits_study import STUDY

from lttune.errors import ConfigError
from lttune.records.objectives import ObjectiveConfig
from lttune.study.main import _read
from lttune.study.settings import COUNTS, StudyConfig


def words(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_two_numbers_and_asha_do_not_go_together():
    with pytest.raises(ConfigError, match="asha must be false with the objective 'pareto'"):
        StudyConfig(name="x", asha=True, objective=ObjectiveConfig(name="pareto"))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "", "must be 1 to 64 letters"),
        ("name", "../x", "letter or digit"),
        ("name", "a/b", "letters, digits"),
        ("name", "a..b", "letters, digits"),
        ("name", ".hidden", "starting with a letter or digit"),
        ("name", "a" * 65, "1 to 64"),
        *[("name", name, "another than cells") for name in ("cells", "CELLS", "cells.", "mlruns")],
        *[
            ("name", name, "which Windows keeps for devices")
            for name in ("CON", "con", "PRN", "AUX", "NUL", "nul.txt", "COM1", "lpt9.a.b")
        ],
        ("name", None, "letters"),
        *[("scale", scale, "must be 1 to 32 letters") for scale in ("", "a b", "../x", None)],
        ("sampler", "cmaes", "must be one of gp, random, tpe"),
        ("device", "tpu", "must be one of cpu, cuda"),
        (
            "phases",
            ("anchor", "walk"),
            "must be one of anchor, confirm, design, random, search, sweep",
        ),
        ("phases", (), "at least one phase"),
        ("controls", ("dense",), "must be one of ./FILE.py:FUNCTION, finetune, flip_0.05"),
        *[
            (field, value, "a whole number >= 1")
            for field in COUNTS
            for value in (0, -1, 1.5, True, "3")
        ],
        ("trials", None, "a whole number >= 1"),
        *[(field, 100_001, "at most 100000 (") for field in COUNTS],
        ("seed", -1, "a whole number from 0 to 2^63 - 1"),
        ("seed", 2**63, "a whole number from 0 to 2^63 - 1"),
        ("seed", 0.0, "a whole number"),
    ],
)
def test_a_bad_value_is_named_with_its_field_and_rule(field, value, rule):
    with pytest.raises(ConfigError) as error:
        StudyConfig(**{"name": "x", field: value})
    shown = value[-1] if field in ("phases", "controls") and value else value
    assert words(error).startswith(f"{field} must be ")
    assert rule in words(error)
    assert f"got {shown!r}" in words(error)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a"),
        ("name", "A.b_c-9" + "x" * 57),
        *[("name", name) for name in ("cell", "cells2", "CONV", "com", "com10", "lpt", "x.con")],
        *[(field, 100_000) for field in COUNTS],
        ("trials", 1),
        ("max_concurrent", None),
        ("max_concurrent", 1),
        ("seed", 0),
        ("seed", 2**63 - 1),
        ("controls", ()),
        ("phases", ("search",)),
    ],
)
def test_a_value_at_the_edge_of_its_rule_is_taken(field, value):
    assert getattr(StudyConfig(**{"name": "x", field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        (
            "name",
            "auc",
            "must be one of ./FILE.py:FUNCTION, accuracy_at, accuracy_auc, pareto, ticket_density",
        ),
        ("density", 0, "in (0, 1)"),
        ("density", 1, "in (0, 1)"),
        ("density", float("nan"), "in (0, 1)"),
        ("margin", -0.1, "in [0, 1)"),
        ("margin", 1, "in [0, 1)"),
    ],
)
def test_a_bad_objective_is_named(field, value, rule):
    with pytest.raises(ConfigError) as error:
        ObjectiveConfig(**{field: value})
    assert words(error).startswith(f"objective.{field} must be ")
    assert rule in words(error)
    assert repr(value) in words(error)


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [
        ("sampler", "tpee", "tpe"),
        ("phases", ("anchr",), "anchor"),
        ("controls", ("renit",), "reinit"),
        ("device", "cud", "cuda"),
    ],
)
def test_the_nearest_name_is_suggested(field, value, nearest):
    with pytest.raises(ConfigError, match=f"did you mean '{nearest}'"):
        StudyConfig(**{"name": "x", field: value})


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(ConfigError) as error:
        StudyConfig(name="x", sampler="zzz")
    assert "did you mean" not in words(error)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--lottery.prune.fractions.fc2", "0.3"), "fc2"),
        (("--lottery.prune.fractions.layer1.0.conv-1=0.3",), "layer1.0.conv_1"),
        (("--lottery.prune.fractions.out", "0.3"), "out"),
    ],
)
def test_the_fraction_of_any_layer_is_a_flag(words, name):
    found = _read([*words], STUDY).lottery.prune.fractions
    assert found == {"out": 0.2, name: 0.3}


def test_the_folders_of_a_study():
    config = StudyConfig(name="x", out=Path("there"))
    assert (config.folder, config.cells) == (Path("there/x"), "there/cells")
