"""Who makes several mistakes is told of all of them at once, and of no other."""

from __future__ import annotations

import dataclasses

import digits_study
import pytest


def test_all_mistakes_of_a_command_line_are_told(refused, cwd):
    flags = "--lottery.train.lr -1 --trials 0 --lottery.prune.fraction 2 --lottery.levels -1"
    code, text = refused(*flags.split())
    assert code == 2
    said = text.splitlines()
    assert [line.split()[2] for line in said] == [
        "train.lr",
        "prune.fraction",
        "levels",
        "trials",
    ]
    assert all(line.startswith("lttune: error: ") for line in said)
    assert [line.endswith(" --help") for line in said] == [False, False, False, True]
    assert list(cwd.iterdir()) == []


def test_what_cannot_be_read_hides_no_other_mistake(refused, cwd):
    flags = "--lottery.train.lr fast --sampler tpee --trails 3 --seed x --trials 0 --replicates=-1"
    code, text = refused(*flags.split())
    assert code == 2
    said = text.splitlines()
    assert len(said) == 6
    for name in ("--lottery.train.lr", "--sampler", "--trails", "--seed", " trials ", "replicates"):
        assert sum(name in line for line in said) == 1
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize(
    "flags",
    [
        "--lottery.train.steps 4O --lottery.train.eval-every 50",
        "--lottery.train.steps 4O --lottery.rewind-step 45 --lottery.train.warmup-steps 45",
        "--phases anchor walk search",
        "--lottery.train.milestones 3 x 5",
    ],
)
def test_what_cannot_be_read_makes_no_other_mistake(refused, flags):
    code, text = refused(*flags.split())
    assert code == 2
    assert text.count("\n") == 1


def test_what_does_not_fit_together_is_told_at_once(refused, cwd):
    flags = "--controls transfer sibling --lottery.train.batch-size 5000"
    code, text = refused(*flags.split(), "--lottery.prune.fractions.out", "0.001")
    assert code == 2
    said = [line.removeprefix("lttune: error: ").split()[0] for line in text.splitlines()]
    assert said == ["target", "train.batch_size", "prune.fractions"]
    assert list(cwd.iterdir()) == []


def test_every_corner_of_a_space_is_told(refused):
    space = {
        "train.lr": digits_study.FloatDistribution(0.0, 1.0),
        "train.batch_size": digits_study.CategoricalDistribution([0, 60, 5000]),
    }
    study = dataclasses.replace(digits_study.STUDY, space=space)
    code, text = refused(study=study)
    assert code == 2
    assert [line.split()[2:6] for line in text.splitlines()] == [
        ["space:", "train.lr", "=", "0.0:"],
        ["space:", "train.batch_size", "=", "0:"],
        ["space:", "train.batch_size", "=", "5000:"],
    ]


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--lottery.train.lr", 10**400, "train.lr must be a finite number > 0, got inf"),
        ("--lottery.prune.fraction", 10**400, "prune.fraction must be in (0, 1), got inf"),
        ("--trials", 10**400, "trials must be at most 100000 (a search of more never ends), got "),
    ],
    ids=["lr", "fraction", "trials"],
)
def test_an_endless_number_is_one_short_line(refused, cwd, flag, value, message):
    code, text = refused(flag, str(value))
    assert code == 2
    assert text.startswith(f"lttune: error: {message}")
    assert text.count("\n") == 1
    assert len(text) < 500
    assert list(cwd.iterdir()) == []
    code, text = refused("--trials", "1" + 5000 * "0")
    assert code == 2
    assert text.startswith("lttune: error: Error parsing --trials: ")
    assert text.count("\n") == 1
