"""Who makes several mistakes is told of all of them at once, and of no other."""

from __future__ import annotations

import dataclasses

import digits_study
import pytest
import torch

from lttune.config.design import Point
from lttune.data import mnist
from lttune.errors import DataError, ResourceError
from lttune.study import conductor
from lttune.study.console.outcome import Outcome
from lttune.study.main import main


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


def told(text: str) -> list[str]:
    """Returns what the lines of a refusal begin with."""
    assert all(line.startswith("lttune: error: ") for line in text.splitlines())
    return [line.removeprefix("lttune: error: ").split()[0] for line in text.splitlines()]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_mistakes_of_every_kind_are_told_at_once(refused, cwd, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    flags = "--scale smoke --device cuda --search-over momentum width --phases search"
    flags += " --controls transfer --lottery.model.name conv-2 --lottery.target.data nowhere.npz"
    code, text = refused(*flags.split())
    assert code == 2
    assert told(text) == [
        "device",
        "MLFLOW_TRACKING_URI",
        "search_over",
        "target.data:",
    ]
    assert list(cwd.iterdir()) == []


def test_what_does_not_depend_on_a_broken_part_is_told_with_it(refused, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    flags = "--search-over width --lottery.model.name lenet5 --controls transfer "
    flags += "--lottery.train.batch-size 5000 --objective.density 0.001"
    code, text = refused(*flags.split())
    assert code == 2
    names = ["MLFLOW_TRACKING_URI", "search_over", "target", "train.batch_size"]
    assert told(text) == names
    flags = "--search-over width --lottery.model.name lenet5 --objective.density 0.001"
    code, text = refused(*flags.split())
    # With a broken space nobody knows who reads the momentum.
    code, more = refused(*flags.split(), "--lottery.train.momentum", "0.5")
    assert told(text) == told(more) == ["MLFLOW_TRACKING_URI", "search_over", "objective.density"]


def test_a_refused_study_fetches_nothing(refused, tmp_path, monkeypatch):
    def fetch(wanted):
        pytest.fail("something was fetched")

    monkeypatch.setenv("LTTUNE_DATA", str(tmp_path / "data"))
    for source in mnist.SOURCES:
        monkeypatch.setitem(mnist.SOURCES, source, fetch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    code, text = refused("--lottery.data.name", "mnist", "--controls", "transfer")
    assert code == 2
    assert told(text) == ["MLFLOW_TRACKING_URI", "target"]


def test_the_code_is_that_of_the_first_where_no_field_is_wrong(refused, monkeypatch):
    flags = ["--lottery.data.name", "./no.npz", "--lottery.target.data", "./nor.npz"]
    code, text = refused(*flags, "--controls", "reinit")
    assert told(text) == ["data.name:", "target.data:"]
    assert "data.name: no.npz does not exist" in text
    assert code == DataError.exit_code
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    code, text = refused(*flags, "--controls", "reinit")
    assert code == 2
    assert told(text) == ["MLFLOW_TRACKING_URI", "data.name:", "target.data:"]


def test_every_point_that_is_none_is_told_and_of_many_the_first(refused):
    def points(rates):
        return tuple(
            Point(hparams={"train.lr": rate}, replicates=(0,), role="sweep", label=f"lr={rate}")
            for rate in rates
        )

    for rates, lines in (((-1.0, 0.1, -2.0), 2), ([-1.0 - n for n in range(15)], 11)):
        declared = {"smoke": {"sweep": points(rates)}}
        study = dataclasses.replace(digits_study.STUDY, points=declared)
        code, text = refused("--phases", "anchor", "sweep", study=study)
        assert code == 2
        said = text.splitlines()
        assert len(said) == lines
        assert said[1].startswith("lttune: error: point 'lr=-2.0': train.lr must be a finite ")
    assert said[-1] == "lttune: error: points must be valid configurations, and 5 more are not"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"hparams": {"data.name": ["digits"]}}, "data.name must be "),
        ({"hparams": {"data.name": 5}}, "data.name must be "),
    ],
)
def test_names_of_points_that_are_no_texts_are_one_line(refused, more, told):
    point = Point(**{"hparams": {}, "replicates": (0,), "role": "sweep", "label": "a"} | more)
    study = dataclasses.replace(digits_study.STUDY, points={"smoke": {"sweep": [point]}})
    code, text = refused("--phases", "sweep", study=study)
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith(f"lttune: error: point 'a': {told}")


def test_another_configuration_and_a_cluster_that_is_away_are_told_together(
    refused, cwd, monkeypatch
):
    def away(config):
        raise ResourceError("no Ray cluster\nanswers")

    flags = ["--out", "out", "--engine", "torch"]
    with monkeypatch.context() as patch:
        nothing = Outcome(exit_code=0, report=cwd, tracking="", not_tracked="")
        patch.setattr(conductor.Conductor, "run", lambda self: nothing)
        assert main(digits_study.STUDY, digits_study.report, "", [*flags, "--seed", "0"]) == 0
    monkeypatch.setattr(conductor, "require_cluster", away)
    code, text = refused(*flags, "--seed", "3")
    assert code == 5
    assert text.splitlines()[0] == "lttune: error: no Ray cluster answers"
    assert text.splitlines()[1].startswith("lttune: error: the study out/digits exists with ")
    assert len(text.splitlines()) == 2
