"""Studies whose lengths are given in epochs: counted once the data is there, checked before."""

from __future__ import annotations

import dataclasses
import io

import pytest
from digits_study import LOTTERY, SMOKE, STUDY
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from other_study import settings, stored
from rich.console import Console
from torch.utils.data import DataLoader

from lttune.config.design import Point
from lttune.data import load
from lttune.errors import ConfigError
from lttune.store.sealed import read_object
from lttune.study.called import _flags
from lttune.study.checks import configurations
from lttune.study.checks.configurations import check_points, check_space
from lttune.study.phases.estimate import Pace, plan
from lttune.study.prepared import prepared

DATASETS = {"digits": load("digits")}
BASE = LOTTERY.override({"train.epochs": 3})
"""1,200 pictures in batches of 60: 60 steps, where the study's scale has 40."""
ASKED = dataclasses.replace(SMOKE, lottery=BASE)
IN_EPOCHS = dataclasses.replace(STUDY, scales={"smoke": ASKED})


def steps(epochs: int, batch: int) -> int:
    return epochs * len(DataLoader(range(1200), batch))


def mistake(error: pytest.ExceptionInfo[BaseException]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# Counted.


def test_the_base_is_counted_before_anything_sees_it(cwd):
    config = dataclasses.replace(ASKED, search_over=("warmup",))
    needed = prepared(config, STUDY)
    assert (needed.config.lottery.train.steps, needed.config.lottery.train.epochs) == (60, 3.0)
    warmup = needed.study.space["train.warmup_steps"]
    assert (warmup.low, warmup.high) == (0, 15), "a quarter of the steps that there are"
    text = io.StringIO()
    needed.show_engine(Console(file=text))
    assert "train.epochs 3: 60 steps, 20 an epoch" in text.getvalue().splitlines()


def test_every_corner_and_point_has_steps_of_its_own():
    space = {
        "train.batch_size": IntDistribution(40, 70),
        "train.epochs": IntDistribution(2, 9),
        "train.optimizer": CategoricalDistribution(["sgd", "adam"]),
    }
    found = check_space(space, BASE, DATASETS)
    expected = [(3, 60), (3, 40), (3, 70), (2, 60), (9, 60), (3, 60), (3, 60)]
    assert [one.train.steps for one in found] == [steps(*one) for one in expected]
    changes = ({"train.batch_size": 17}, {"train.epochs": 5}, {"train.steps": 33})
    points = [Point(hparams=h, replicates=(0,), role="sweep", label=str(h)) for h in changes]
    # The base that a study hands on is counted: what it was counted to is no point's.
    found = check_points(points, check_space({}, BASE, DATASETS)[0], DATASETS)
    assert [one.train.steps for one in found] == [steps(3, 17), steps(5, 60), 33]
    assert [one.train.epochs for one in found] == [3.0, 5.0, None]


def test_a_plan_counts_every_trials_own_steps():
    batches = (60, 33)
    points = [
        Point(hparams={"train.batch_size": b}, replicates=(0,), role="sweep", label=f"{b}")
        for b in batches
    ]
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": points}})
    config = dataclasses.replace(prepared(ASKED, STUDY).config, phases=("sweep",))
    pace = Pace(densities=(0.1, 1.0), step_s=(0.001, 0.01), evaluation_s=(0.5, 0.5))
    (cost,) = plan(config, study, DATASETS, pace)
    assert cost.steps == 3 * sum(steps(3, b) for b in batches)


# Refused.


@pytest.mark.parametrize(
    ("space", "line"),
    [
        (
            {"train.batch_size": IntDistribution(60, 1200)},
            "space: train.batch_size = 1200: train.epochs 3: 3 steps, 1 an epoch: "
            "train.eval_every must be at most train.steps (3), got 20",
        ),
        (
            {"train.epochs": IntDistribution(0, 3)},
            "space: train.epochs = 0: train.epochs must be a finite number > 0 or None, got 0",
        ),
        (
            {"train.epochs": FloatDistribution(0.01, 3)},
            "space: train.epochs = 0.01: "
            "train.epochs must be one step or more, and an epoch has 20, got 0.01",
        ),
        (
            {"train.epochs": IntDistribution(1, 4), "train.batch_size": IntDistribution(60, 120)},
            "space: train.batch_size = 120, train.epochs = 1: train.epochs 1: 10 steps, 10 an "
            "epoch: train.eval_every must be at most train.steps (10), got 20",
        ),
        (
            {"rewind_step": IntDistribution(0, 50), "train.batch_size": IntDistribution(60, 120)},
            "space: train.batch_size = 120, rewind_step = 50: train.epochs 3: 30 steps, 10 an "
            "epoch: rewind_step must be a whole number from 0 to below train.steps (30), got 50",
        ),
        (
            {"train.epochs": IntDistribution(1, 4), "train.steps": IntDistribution(40, 50)},
            "space: train.epochs = 1, train.steps = 40: "
            "train.epochs must be left out where train.steps is given, got 1",
        ),
    ],
)
def test_a_corner_of_which_the_steps_break_a_rule_is_named_in_a_line(space, line):
    with pytest.raises(ConfigError) as error:
        check_space(space, BASE, DATASETS)
    assert mistake(error) == line


def test_corners_of_a_length_in_steps_are_what_they_were():
    space = {"train.batch_size": IntDistribution(60, 1200), "rewind_step": IntDistribution(0, 39)}
    assert {one.train.steps for one in check_space(space, LOTTERY, DATASETS)} == {40}


def test_a_point_of_which_the_steps_break_a_rule_is_named():
    point = Point(hparams={"train.epochs": 0.5}, replicates=(0,), role="sweep", label="half")
    with pytest.raises(ConfigError) as error:
        check_points([point], BASE, DATASETS)
    assert mistake(error) == (
        "point 'half': train.epochs 0.5: 10 steps, 20 an epoch: "
        "train.eval_every must be at most train.steps (10), got 20"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--lottery.train.epochs 0", "train.epochs must be a finite number > 0 or None, got 0.0"),
        ("--lottery.train.epochs nan", "train.epochs must be a finite number > 0 or None, got nan"),
        (
            "--lottery.train.epochs=3 --lottery.train.steps 40",
            "train.epochs must be left out where train.steps is given, got 3.0",
        ),
        (
            "--lottery.target.steps 40 --lottery.target.epochs 3",
            "target.epochs must be left out where target.steps is given, got 3.0",
        ),
        (
            "--lottery.train.epochs 0.01",
            "train.epochs must be one step or more, and an epoch has 20, got 0.01",
        ),
        (
            "--lottery.train.epochs 1e30",
            "train.epochs must be at most 1000000000 steps (a network of more would train for "
            "weeks), and an epoch has 20, got 1e+30",
        ),
        (
            "--lottery.train.epochs 2 --lottery.rewind-step 40",
            "train.epochs 2: 40 steps, 20 an epoch: "
            "rewind_step must be a whole number from 0 to below train.steps (40), got 40",
        ),
    ],
)
def test_a_length_that_cannot_be_is_one_line_before_anything_starts(refused, cwd, words, line):
    code, text = refused(*words.split())
    assert code == 2
    first, *more = text.splitlines()
    assert first.partition("; see python")[0] == f"lttune: error: {line}"
    assert more == []
    assert list(cwd.iterdir()) == []


# Given.


def test_a_flag_holds_before_the_file_in_either_unit(cwd):
    train = settings("--lottery.train.epochs", "7").lottery.train
    assert (train.epochs, train.steps) == (7.0, 40)
    for words in ("--lottery.train.steps 30", "--lottery.train.steps=30"):
        train = settings(*words.split(), study=IN_EPOCHS).lottery.train
        assert (train.epochs, train.steps) == (None, 30)
    assert settings(study=IN_EPOCHS).lottery.train.epochs == 3.0
    words = "--lottery.train.epochs None --lottery.train.steps 30"
    train = settings(*words.split(), study=IN_EPOCHS).lottery.train
    assert (train.epochs, train.steps) == (None, 30)


def test_of_another_study_the_epochs_are_taken_and_counted_anew(cwd, capsys):
    folder = stored(prepared(dataclasses.replace(ASKED, name="other"), STUDY).config)
    written = read_object(folder / "study.json")["lottery"]["train"]
    assert (written["epochs"], written["steps"]) == (3.0, 60)
    words = ("--from", str(folder))
    found = settings(*words)
    assert "lottery.train.epochs None -> 3.0" in capsys.readouterr().out
    assert prepared(found, STUDY).config.lottery.train.steps == 60
    found = settings(*words, "--lottery.train.batch-size", "100")
    assert prepared(found, STUDY).config.lottery.train.steps == 36
    found = settings(*words, "--lottery.train.steps", "30")
    assert (found.lottery.train.epochs, found.lottery.train.steps) == (None, 30)


@pytest.mark.parametrize(
    "hparams",
    [
        {"train.epochs": 3},
        {"train.epochs": 2.5, "train.batch_size": 50, "target.epochs": 1},
        {"train.steps": 70},
        {"pretrain.epochs": 2},
    ],
)
def test_the_flags_of_a_call_give_its_lengths_again(cwd, hparams):
    lottery = LOTTERY.override({"train.steps": 999}).override(hparams)
    for before in (SMOKE, ASKED):
        study = dataclasses.replace(STUDY, scales={"smoke": before})
        made = dataclasses.replace(before, lottery=lottery)
        again = settings(*_flags(before, made), study=study)
        counted = [prepared(one, study).config for one in (made, again)]
        assert counted[0] == counted[1]


def test_of_many_choices_only_the_outermost_lengths_are_counted(monkeypatch):
    counted = []
    monkeypatch.setattr(configurations, "in_steps", lambda config, datasets: counted.append(config))
    numbers = CategoricalDistribution([20, 25, 30, 40, 50, 60])
    space = {"train.epochs": CategoricalDistribution([1, 2, 3, 4, 5]), "train.batch_size": numbers}
    configurations._check_lengths(space, BASE, {})
    asked = {(config.train.epochs, config.train.batch_size) for config in counted}
    assert asked == {(1, 20), (1, 60), (5, 20), (5, 60)}
    assert len(counted) == 4
