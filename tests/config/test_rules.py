"""Everything broken in a configuration is told at once, and nothing that follows from it."""

from __future__ import annotations

import dataclasses

import pytest

from lttune.config import DataConfig, LotteryConfig, TrainConfig, flatten, from_dict
from lttune.config.rules import every_rule
from lttune.errors import ConfigError, JointError, StorageError, complaint
from lttune.records.objectives import ObjectiveConfig
from lttune.study.settings import COUNTS, StudyConfig


def lines(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return str(error.value).splitlines()


def paths(error: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return [line.partition(" ")[0] for line in lines(error)]


def test_all_fields_of_one_object_are_told():
    with pytest.raises(ConfigError) as error:
        TrainConfig(lr=-1, batch_size=0, momentum=1.0, milestones=(3, 2), optimizer="adan")
    told = ["optimizer", "lr", "momentum", "batch_size", "milestones"]
    assert paths(error) == [f"train.{name}" for name in told]
    assert lines(error)[1] == "train.lr must be a finite number > 0, got -1"


def test_all_groups_and_unknown_names_are_told():
    bad = {"train.lr": -1, "prune.fraction": 2, "levels": -1, "data.pool": 0, "trian.lr": 1}
    with pytest.raises(ConfigError) as error:
        LotteryConfig().override(bad)
    known = {"train.lr", "prune.fraction", "levels", "data.pool", "hyperparameter"}
    assert set(paths(error)) == known
    assert len(lines(error)) == len(known)
    with pytest.raises(ConfigError) as again:
        from_dict(LotteryConfig().nested() | {"levels": -1, "min_density": 1.0})
    assert paths(again) == ["levels", "min_density"]


def test_a_study_tells_its_own_fields():
    with pytest.raises(ConfigError) as error:
        StudyConfig(name="a/b", trials=0, seed=-1, sampler="tpee", phases=("anchr", "walk"))
    assert paths(error) == ["name", "sampler", "phases", "phases", "trials", "seed"]


@pytest.mark.parametrize("steps", [0, -1, 2.5, "many", None, 10**30])
def test_what_follows_from_a_broken_field_is_not_told(steps):
    with pytest.raises(ConfigError) as error:
        LotteryConfig().override({"train.steps": steps})
    assert paths(error) == ["train.steps"]


def test_a_field_that_is_broken_by_itself_is_told_once():
    with pytest.raises(ConfigError) as error:
        LotteryConfig().override({"train.eval_every": 10**30, "levels": 300, "prune.one_shot": 0.5})
    assert sorted(paths(error)) == ["levels", "train.eval_every"]


def test_an_object_in_a_part_is_finished_before_the_whole_is_told():
    def whole():
        with every_rule():
            LotteryConfig(train=TrainConfig(lr=-1), levels=-1)

    with pytest.raises(ConfigError) as error:
        whole()
    assert paths(error) == ["train.lr", "levels"]


def test_who_needs_a_sound_value_does_not_go_on_without():
    def whole():
        with every_rule() as rules:
            rules.require(False, "name", "another", "x")
            LotteryConfig().override({"train.lr": -1})
            pytest.fail("a broken configuration was returned")

    with pytest.raises(ConfigError) as error:
        whole()
    assert paths(error) == ["name", "train.lr"]


def broken_then(error: Exception) -> None:
    with every_rule() as rules:
        rules.require(False, "x", "whole", "a")
        raise error


def test_an_error_that_follows_from_a_broken_rule_is_not_told():
    with pytest.raises(ConfigError, match=r"^x must be whole, got 'a'$"):
        broken_then(TypeError("'<' not supported"))


@pytest.mark.parametrize("error", [TypeError("mine"), StorageError("the disk's")])
def test_an_error_of_its_own_is_raised(error):
    with pytest.raises(type(error), match=str(error)), every_rule():
        raise error


def test_an_error_of_storage_is_not_hidden_by_a_broken_rule():
    with pytest.raises(StorageError):
        broken_then(StorageError("the disk's"))


def test_the_rules_in_work_are_over_afterwards():
    with pytest.raises(ConfigError), every_rule():
        DataConfig(pool=0)
    with pytest.raises(ConfigError, match=r"^data\.pool"):
        DataConfig(pool=0)


def test_a_flag_that_could_not_be_read_is_as_good_as_broken():
    with every_rule() as rules:
        rules.unread += ["--lottery.train.steps", "--save"]
        assert not rules.all_read
        rules.require(False, "train.eval_every", "small", 1, ("train.steps",))
        rules.require(False, "--size", "with --save", 1, ("--save",))
    assert rules.broken == []


# Huge numbers.


WHOLE = [
    *(p for p, value in flatten(LotteryConfig().nested()).items() if type(value) is int),
    *("data.validation", "prune.step", "target.batch_size", "target.steps", "train.milestones"),
]
"""Every field that holds whole numbers."""


def test_the_list_of_whole_numbers_is_whole():
    texts = {
        f"{group.name}.{field.name}".removeprefix(".")
        for group in dataclasses.fields(LotteryConfig)
        for kind in [getattr(group.default_factory, "__mro__", [None])[0]]
        for field in (dataclasses.fields(kind) if kind else [])
        if "int" in str(field.type).replace("|", " ").replace("[", " ").replace(",", " ").split()
    }
    own = {f.name for f in dataclasses.fields(LotteryConfig) if f.type == "int"}
    assert texts | own == set(WHOLE)


@pytest.mark.parametrize("digits", [12, 30, 400, 5000])
@pytest.mark.parametrize("path", WHOLE)
def test_no_whole_number_is_without_bound(path, digits):
    number = 10**digits
    value = (1, number) if path == "train.milestones" else number
    with pytest.raises(ConfigError) as error:
        LotteryConfig().override({path: value})
    (line,) = lines(error)
    assert line.startswith(f"{path} must be ")
    assert len(line) < 500


@pytest.mark.parametrize("name", [*COUNTS, "seed"])
def test_no_count_of_a_study_is_without_bound(name):
    with pytest.raises(ConfigError, match=f"^{name} must be .*, got 1000") as error:
        StudyConfig(name="x", **{name: 10**30})
    assert len(lines(error)) == 1
    if name != "seed":
        assert "at most 100000 (" in lines(error)[0]


@pytest.mark.parametrize("path", ["train.lr", "min_density", "prune.fraction", "supermask.logit"])
@pytest.mark.parametrize("number", [10**400, float("inf"), float("nan")], ids=["int", "inf", "nan"])
def test_no_number_is_beyond_a_float(path, number):
    with pytest.raises(ConfigError, match=f"^{path} must be "):
        LotteryConfig().override({path: number})
    with pytest.raises(ConfigError, match=r"^objective\.density must be "):
        ObjectiveConfig(density=number)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("prune.exclude", 3),
        ("prune.exclude", [3]),
        ("prune.fractions", 3),
        ("prune.fractions", None),
        ("train.frozen", "fc"),
        ("train.milestones", 5),
        ("data.name", 3),
        ("model.name", None),
    ],
)
def test_a_value_of_another_kind_is_told(path, value):
    with pytest.raises(ConfigError, match=f"^{path} must be ") as error:
        LotteryConfig().override({path: value})
    assert len(lines(error)) == 1


def test_fractions_of_layers_beside_others_that_are_none_are_told():
    bad = {"prune.fractions": 3, "prune.fractions.fc1": 0.5}
    with pytest.raises(
        ConfigError, match=r"^prune\.fractions must be a dict of layers or kinds to fractions, got"
    ):
        LotteryConfig().override(bad)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("prune.exclude", "out", "a list or tuple such as ('out',), got 'out'"),
        ("prune.exclude", {"out"}, "a list or tuple, each a text, got {'out'}"),
        ("prune.fractions", 0.2, "a dict of layers or kinds to fractions, got 0.2"),
        ("train.measure", "./m.py:f", "a list or tuple such as ('./m.py:f',), got './m.py:f'"),
        ("train.milestones", 5, "a list or tuple such as (5,), got 5"),
        ("train.milestones", "5", "a list or tuple, each a whole number, got '5'"),
        ("train.milestones", {5, 6}, "a list or tuple, each a whole number, got {5, 6}"),
        ("train.frozen", "fc", "a list or tuple such as ('fc',), got 'fc'"),
    ],
)
def test_what_is_no_list_is_told_as_that(path, value, told):
    with pytest.raises(ConfigError) as refusal:
        LotteryConfig().override({path: value})
    assert str(refusal.value) == f"{path} must be {told}"


# How errors are printed.


def test_every_line_of_a_configuration_is_an_error_of_its_own():
    error = ConfigError("a must be 1, got 2\nb must be 2, got 3")
    assert (
        complaint(error) == "lttune: error: a must be 1, got 2\nlttune: error: b must be 2, got 3"
    )
    assert str(error.within("here")) == "here: a must be 1, got 2\nhere: b must be 2, got 3"


def test_any_other_error_is_one_line():
    assert complaint(StorageError("a\n  b")) == "lttune: error: a b"
    assert complaint(StorageError()) == "lttune: error: StorageError"


def test_what_a_stranger_calls_things_cannot_write_on_the_terminal():
    bad = {"prune.fractions.a\n\x1b[2Jb\x85": 2, "x\x1b": 1}
    with pytest.raises(ConfigError) as error:
        LotteryConfig().override(bad)
    first, second = sorted(lines(error))
    assert second == r"prune.fractions.a\n\x1b[2Jb\x85 must be in [0, 1), got 2"
    assert first.endswith(r"got 'x\x1b'")
    assert complaint(StorageError("a\x1bb")) == r"lttune: error: a\x1bb"


@pytest.mark.parametrize("name", ["CLAIMS.LOCK.JSON", "Report.html", "claims.lock.json"])
def test_a_studys_own_file_is_known_in_any_case(tmp_path, name):
    def written(own: str = "") -> None:
        with every_rule() as rules:
            rules.beside("--out", tmp_path / name, own)

    written()  # There is no study.
    (tmp_path / "study.json").touch()
    with pytest.raises(ConfigError, match="--out must be none of a study's own files, got"):
        written()
    written(own=name)


def test_an_unknown_path_is_told_what_is_beside_it():
    with pytest.raises(ConfigError, match=r"must be one of data\.\*, kept, levels, .*train\.\*;"):
        LotteryConfig().override({"depth": 3})
    beside = r"one of train\.batch_size, .*train\.warmup_steps"
    with pytest.raises(ConfigError, match=beside) as error:
        LotteryConfig().override({"train.rate": 3})
    assert "prune" not in str(error.value)


def test_a_mistake_that_is_met_again_and_again_is_told_once():
    def met() -> None:
        with every_rule() as rules:
            for _ in range(3):
                rules.require(False, "train.lr", "> 0", 0)
            rules.require(False, "train.steps", ">= 1", 0)

    with pytest.raises(ConfigError) as error:
        met()
    assert str(error.value) == "train.lr must be > 0, got 0\ntrain.steps must be >= 1, got 0"
    again = JointError([error.value, ConfigError("train.lr must be > 0, got 0")])
    assert complaint(again).count("train.lr") == 1
