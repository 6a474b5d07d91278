from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from digits_study import LOTTERY, SMOKE, STUDY
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lttune.config.fields import differences
from lttune.data import load
from lttune.errors import ConfigError, RefusedError, StorageError
from lttune.models import build
from lttune.records.objectives import ObjectiveConfig
from lttune.store.files import read_json, write_json
from lttune.study.checks import check_space
from lttune.study.declared import describe_space
from lttune.study.manifest import continued, fixed, refuse_other, sheet
from lttune.study.settings import COUNTS, FREE, StudyConfig

DATASETS = {"digits": load("digits")}
NETWORK = build(LOTTERY.model, (8, 8), 10)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def words(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_two_numbers_and_asha_do_not_go_together():
    with pytest.raises(ConfigError, match="asha must be false with the objective 'pareto'"):
        StudyConfig(name="x", asha=True, objective=ObjectiveConfig(name="pareto"))


def test_a_study_from_before_a_setting_is_continued_at_its_default(tmp_path, digits):
    old = sheet(SMOKE, STUDY, digits, "numerics")
    del old["config"]["asha"]
    write_json(tmp_path / "study.json", old)
    refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "numerics"))
    other = dataclasses.replace(SMOKE, asha=True)
    with pytest.raises(RefusedError, match="asha: False -> True"):
        refuse_other(tmp_path, sheet(other, STUDY, digits, "numerics"))


# One field at a time.


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "", "must be 1 to 64 letters"),
        ("name", "../x", "letter or digit"),
        ("name", "a/b", "letters, digits"),
        ("name", "a..b", "letters, digits"),
        ("name", ".hidden", "starting with a letter or digit"),
        ("name", "a" * 65, "1 to 64"),
        ("name", "cells", "not 'cells'"),
        ("name", None, "letters"),
        ("scale", "huge", "must be one of paper, quick, smoke"),
        ("sampler", "cmaes", "must be one of gp, random, tpe"),
        ("device", "tpu", "must be one of cpu, cuda"),
        (
            "phases",
            ("anchor", "walk"),
            "must be one of anchor, confirm, design, random, search, sweep",
        ),
        ("phases", (), "at least one phase"),
        ("controls", ("dense",), "must be one of finetune, freeze, keep_sign"),
        *[
            (field, value, "a whole number from 1 to 100000")
            for field in (*COUNTS, "max_concurrent")
            for value in (0, -1, 1.5, True, "3")
        ],
        ("trials", None, "a whole number from 1 to 100000"),
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
        ("name", "auc", "must be one of accuracy_at, accuracy_auc, pareto, ticket_density"),
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
        ("scale", "smok", "smoke"),
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


def test_the_folders_of_a_study():
    config = StudyConfig(name="x", out=Path("there"))
    assert (config.folder, config.store) == (Path("there/x"), Path("there/cells"))


# The space.


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


# An existing study.


def test_differences_are_sorted_and_name_both_values():
    old, new = {"b": 1, "a": 1, "same": 0}, {"b": 2, "c": "x", "same": 0}
    assert list(differences(old, new).items()) == [
        ("a", (1, None)),
        ("b", (1, 2)),
        ("c", (None, "x")),
    ]


def config_with(**changes: Any) -> StudyConfig:
    return StudyConfig(**{**{f: getattr(SMOKE, f) for f in SMOKE.__dataclass_fields__}, **changes})


def written(folder: Path, digits) -> Path:
    write_json(folder / "study.json", sheet(SMOKE, STUDY, digits, "torch/cpu"))
    return folder


def test_another_numerics_class_is_refused_not_mixed(tmp_path, digits):
    with pytest.raises(RefusedError, match="numerics: 'torch/cpu' -> 'sparse/cpu'"):
        refuse_other(written(tmp_path, digits), sheet(SMOKE, STUDY, digits, "sparse/cpu"))


def test_a_study_that_goes_on_keeps_its_origin_and_lists_its_runs(digits):
    first = continued(None, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    more = sheet(config_with(trials=9), STUDY, digits, "torch/cpu") | {"command": "again"}
    again = continued(first, more)
    assert again["command"] == first["command"] != "again"
    assert again["created"] == first["created"]
    assert again["config"]["trials"] == 9
    assert [run["command"] for run in again["runs"]] == [first["command"], "again"]


def test_a_study_can_be_continued_as_it_is(tmp_path, digits):
    refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    refuse_other(written(tmp_path, digits), sheet(SMOKE, STUDY, digits, "torch/cpu"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("out", Path("elsewhere")),
        ("trials", 99),
        ("replicates", 9),
        ("phases", ("anchor",)),
        ("tracking_uri", "sqlite:///other.db"),
        ("address", "auto"),
        ("max_concurrent", 1),
    ],
)
def test_a_study_can_be_continued_with_other_means_and_counts(tmp_path, digits, field, value):
    assert field in FREE
    refuse_other(
        written(tmp_path, digits), sheet(config_with(**{field: value}), STUDY, digits, "torch/cpu")
    )


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"lottery": LOTTERY.override({"train.lr": 0.5})}, "lottery.train.lr: 0.01 -> 0.5"),
        ({"lottery": LOTTERY.override({"levels": 3})}, "lottery.levels: 2 -> 3"),
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"sampler": "gp"}, "sampler: 'tpe' -> 'gp'"),
        ({"controls": ("reinit",)}, "controls: ['reinit', 'random'] -> ['reinit']"),
        ({"search_replicates": 2}, "search_replicates: 1 -> 2"),
        ({"objective": ObjectiveConfig(density=0.4)}, "objective.density: 0.5 -> 0.4"),
        ({"scale": "paper"}, "scale: 'smoke' -> 'paper'"),
        ({"device": "cuda"}, "device: 'cpu' -> 'cuda'"),
    ],
)
def test_a_study_of_another_configuration_is_refused_by_field(
    tmp_path, digits, changes, difference
):
    written(tmp_path, digits)
    with pytest.raises(RefusedError) as error:
        refuse_other(tmp_path, sheet(config_with(**changes), STUDY, digits, "torch/cpu"))
    assert f"({difference});" in words(error)
    assert "--name" in words(error)
    assert error.value.exit_code == 3


def test_a_study_of_another_space_or_other_data_is_refused(tmp_path, digits):
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")
    write_json(tmp_path / "study.json", values)
    for part, name in (("space", "train.lr"), ("dataset", "digest")):
        other = json.loads(json.dumps(values))
        other[part][name] = "other"
        with pytest.raises(RefusedError, match=r"space\.train\.lr: |dataset: "):
            refuse_other(tmp_path, other)


def test_what_is_not_the_studys_identity_may_change(digits):
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")
    other = {**values, "command": "x", "created": "x", "machine": {}, "code": {}, "packages": {}}
    assert fixed(values) == fixed(other)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": 1}', "\xff"])
def test_a_damaged_sheet_is_named(tmp_path, digits, text):
    (tmp_path / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StorageError, match=r"study\.json is damaged .*move it away") as error:
        refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    assert error.value.exit_code == 74


def test_a_sheet_is_plain_and_complete(tmp_path, digits):
    write_json(tmp_path / "x.json", sheet(SMOKE, STUDY, digits, "torch/cpu"))
    values = read_json(tmp_path / "x.json")
    assert values["dataset"]["digest"] == digits.digest()
    assert [values["dataset"][part] for part in ("train", "validation", "test")] == [1200, 237, 360]
    assert values["lottery"]["train"]["lr"] == 0.01
    assert values["packages"]["ray"]
    assert values["machine"]["cores"] >= 1


def test_a_sheet_holds_no_password(digits, monkeypatch):
    uri = "postgresql://me:hunter2@db/mlflow"
    monkeypatch.setattr("sys.argv", ["study.py", "--tracking-uri", uri])
    values = sheet(config_with(tracking_uri=uri), STUDY, digits, "torch/cpu")
    assert "hunter2" not in json.dumps(values)
    assert values["config"]["tracking_uri"] == "postgresql://me:***@db/mlflow"
