"""Whatever Python gives a study or a trajectory, a value of another kind is one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from digits_study import LOTTERY, SMOKE, STUDY, report
from line_of import line_of

from lttune import run, trajectory
from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.lottery.pretrain import PretrainConfig
from lttune.config.lottery.supermask import SupermaskConfig
from lttune.config.lottery.target import TargetConfig
from lttune.errors import ConfigError
from lttune.records.objectives import ObjectiveConfig
from lttune.study.settings import StudyConfig

NONE_OF_ANY = (object(), b"x", {5: 1}, {"x"}, 1j, np.arange(3), [[1]], [object()])
"""Values of kinds that no field has."""
GROUPS = {
    "": LotteryConfig,
    "data.": DataConfig,
    "model.": ModelConfig,
    "train.": TrainConfig,
    "prune.": PruneConfig,
    "pretrain.": PretrainConfig,
    "supermask.": SupermaskConfig,
    "target.": TargetConfig,
    "objective.": ObjectiveConfig,
}
SETTINGS = [name for name in vars(SMOKE) if name not in ("scale", "lottery", "from_study")]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_another_kind_is_a_line(name):
    for value in NONE_OF_ANY:
        told = line_of(run, STUDY, report, scale="smoke", **{name: value})
        assert told.startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("prefix", "name"),
    [(prefix, one.name) for prefix, kind in GROUPS.items() for one in dataclasses.fields(kind)],
)
def test_a_field_of_another_kind_is_a_line(prefix, name):
    for value in NONE_OF_ANY:
        assert line_of(GROUPS[prefix], **{name: value}).startswith(f"{prefix}{name}")
        if prefix != "objective." and not dataclasses.is_dataclass(getattr(LOTTERY, name, None)):
            changed = {f"{prefix}{name}": value}
            told = line_of(run, STUDY, report, scale="smoke", lottery=changed)
            assert told.startswith(f"{prefix}{name}")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"phases": None}, "phases must be a list or tuple, each one of anchor, sweep, "),
        (
            {"phases": "anchor"},
            r"phases must be a list or tuple such as \('anchor',\), got",
        ),
        ({"phases": ["anchor", "ancho"]}, "phases must be one of anchor, .*did you mean 'anchor'"),
        (
            {"control_densities": 0.5},
            r"control_densities must be a list or tuple such as \(0.5,\),",
        ),
        ({"control_densities": [5]}, r"control_densities must be numbers in \(0, 1\], got \(5,\)"),
        ({"out": 5}, "out must be a pathlib.Path, got 5"),
        ({"objective": None}, "objective must be of the type ObjectiveConfig, got None"),
        ({"tracking_uri": 5}, "tracking_uri must be a text or None, got 5"),
        ({"address": 5}, "address must be a text or None, got 5"),
        ({"plan": 1}, "plan must be a bool, got 1"),
        ({"replicates": True}, "replicates must be a whole number >= 1, got True"),
        ({"name": None}, "name must be 1 to 64 letters, "),
        ({"scale": ["smoke"]}, r"scale must be one of paper, smoke; got \['smoke'\]"),
        ({"lottery": {5: 1}}, "hyperparameter must be one of .*; got 5"),
        ({"lottery": ["train.lr"]}, "lottery must be a LotteryConfig, or dotted paths and values"),
        ({"report": None}, "report must be a function of a study's folder that writes its report"),
        ({"study": "digits"}, "study must be a Study, got 'digits'"),
    ],
)
def test_an_argument_of_another_kind_says_its_rule(arguments, told):
    with pytest.raises(ConfigError, match=f"^{told}") as refusal:
        run(**{"study": STUDY, "report": report, "scale": "smoke"} | arguments)
    assert "\n" not in str(refusal.value)


def test_all_of_them_are_told_at_once_and_no_secret_is():
    given = {"phases": None, "out": 5, "objective": None, "replicates": "3"}
    given["tracking_uri"] = ["http://me:secret@host"]
    with pytest.raises(ConfigError) as refusal:
        run(STUDY, report, scale="smoke", **given)
    lines = str(refusal.value).split("\n")
    assert sorted(line.partition(" ")[0] for line in lines) == sorted(given)
    assert "secret" not in str(refusal.value)


def test_a_list_is_as_good_as_a_tuple_and_a_whole_number_as_a_number():
    found = StudyConfig(name="x", phases=["anchor"], control_densities=[1], search_over=[])
    assert (found.phases, found.control_densities, found.search_over) == (("anchor",), (1,), ())
    assert TrainConfig(lr=1, milestones=[2], frozen=["fc"]).milestones == (2,)
    assert LOTTERY.override({"prune.exclude": ["out"]}).prune.exclude == ("out",)


@pytest.mark.parametrize(
    "name",
    ["config", "controls", "control_densities", "network", "measure", "store", "replicate", "seed"],
)
def test_an_argument_of_a_trajectory_of_another_kind_is_a_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (*NONE_OF_ANY, 0.5, True):
        told = line_of(trajectory, **{"config": LOTTERY} | {name: value})
        assert told.startswith(f"{name} must be ")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["engine", "device"])
def test_a_name_of_a_trajectory_that_is_none_is_a_line(name):
    for value in (*NONE_OF_ANY, None, "fast"):
        told = line_of(trajectory, LOTTERY, **{name: value})
        assert told.startswith(f"{name} must be one of ")


def test_what_overrides_is_a_mapping():
    for value in (None, 5, "train.lr", ["train.lr"]):
        assert line_of(LOTTERY.override, value).startswith("hyperparameters must be dotted paths ")
