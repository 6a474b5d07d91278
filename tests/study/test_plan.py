"""What a study would train, before it starts."""

import dataclasses
from pathlib import Path

import pytest
from digits_study import LOTTERY, SMOKE, STUDY, report

from lttune.config.design import Point
from lttune.data import load
from lttune.errors import ConfigError, ResourceError
from lttune.records.objectives import ObjectiveConfig
from lttune.study.conductor import run_study
from lttune.study.phases.estimate import (
    PACE_DENSITIES,
    Pace,
    PhaseCost,
    cost_table,
    measured,
    plan,
)

DATASETS = {"digits": load("digits")}
PACE = Pace(densities=(0.1, 1.0), step_s=(0.001, 0.01), evaluation_s=(0.5, 0.5))
POINTS = [
    Point(hparams={"train.steps": steps}, replicates=(0, 1), role="sweep", label=f"steps={steps}")
    for steps in (40, 80)
]
SWEPT = dataclasses.replace(STUDY, points={"smoke": {"sweep": POINTS}})


def test_networks_and_steps_are_counted():
    config = dataclasses.replace(
        SMOKE, phases=("anchor", "sweep", "search"), search_replicates=3, controls=("reinit",)
    )
    anchor, sweep, search = plan(config, SWEPT, DATASETS, PACE)
    # Three levels and a control at two of them; two replicates of two points; levels 0 and 1 reach
    # the objective's density, three times in each of four trials.
    assert (anchor.phase, anchor.trials, anchor.networks) == ("anchor", 2, 2 * (3 + 2))
    assert (sweep.phase, sweep.trials, sweep.networks) == ("sweep", 4, 4 * 3)
    assert (search.phase, search.trials, search.networks) == ("search", 4, 4 * 3 * 3)
    assert (anchor.steps, sweep.steps, search.steps) == (10 * 40, 6 * 40 + 6 * 80, 36 * 40)


def test_the_control_costs_what_the_search_does_and_a_confirmation_whole_trajectories():
    phases = ("search", "random", "confirm")
    config = dataclasses.replace(SMOKE, phases=phases, confirm_replicates=5)
    search, random, confirm = plan(config, STUDY, DATASETS, PACE)
    assert (random.trials, random.networks) == (search.trials, search.networks) == (4, 4 * 3)
    # The best of both and the base configuration, five replicates of three levels each.
    assert (confirm.phase, confirm.trials, confirm.networks) == ("confirm", 3 * 5, 3 * 5 * 3)
    front = dataclasses.replace(config, objective=ObjectiveConfig(name="pareto"))
    assert plan(front, STUDY, DATASETS, PACE)[2].trials == (3 + 3 + 1) * 5


def test_rewinding_shortens_the_levels_after_the_first():
    config = dataclasses.replace(
        SMOKE,
        phases=("anchor",),
        controls=("sibling",),
        replicates=1,
        lottery=LOTTERY.override({"rewind_step": 10}),
    )
    (anchor,) = plan(config, STUDY, DATASETS, PACE)
    # The sibling leaves the dense network too.
    assert (anchor.networks, anchor.steps) == (6, 2 * 40 + 4 * 30)


def test_time_is_that_of_the_densities_batches_and_sizes():
    config = dataclasses.replace(SMOKE, phases=("anchor",), replicates=1, controls=())
    levels0 = dataclasses.replace(config, lottery=LOTTERY.override({"levels": 0}))
    (dense,) = plan(levels0, STUDY, DATASETS, PACE)
    # 40 steps and evaluations at 0, 20 and 40.
    assert dense.seconds == pytest.approx(40 * 0.01 + 3 * 0.5)
    (whole,) = plan(config, STUDY, DATASETS, PACE)
    assert dense.seconds + 2 * (40 * 0.001 + 1.5) < whole.seconds < 3 * dense.seconds
    doubled = Point(
        hparams={"train.batch_size": 2 * LOTTERY.train.batch_size, "levels": 0},
        replicates=(0,),
        role="sweep",
        label="twice",
    )
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [doubled]}})
    (sweep,) = plan(dataclasses.replace(config, phases=("sweep",)), study, DATASETS, PACE)
    assert sweep.seconds == pytest.approx(80 * 0.01 + 1.5)


@pytest.mark.parametrize("engine", ["torch", "sparse"])
def test_the_pace_is_measured(engine):
    pace = measured(LOTTERY, DATASETS, engine, "cpu")
    assert pace.densities == PACE_DENSITIES[::-1]
    assert all(0 < seconds < 1 for seconds in (*pace.step_s, *pace.evaluation_s))


def test_a_plan_counts_the_start_and_the_report():
    cost = PhaseCost(phase="anchor", trials=1, networks=1, steps=1, seconds=40.0)
    title = "plan: about 50 s on 2 cores, 30 s of it Ray's start and the report"
    assert cost_table([cost], 2).title == title


def test_a_plan_is_printed_and_nothing_is_written(cwd: Path, capsys):
    config = dataclasses.replace(SMOKE, plan=True, phases=("anchor", "sweep", "search"))
    assert run_study(config, SWEPT, report).exit_code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("plan: about", "anchor", "sweep", "search", "on"))
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("hparams", [{"model.dropout": 0.3}, {"model.name": "resnet50"}])
def test_the_engine_is_one_that_trains_every_point_of_the_study(hparams, cwd: Path, capsys):
    point = Point(hparams=hparams, replicates=(0,), role="sweep", label="another network")
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [point]}})
    config = dataclasses.replace(SMOKE, plan=True, phases=("anchor", "sweep"))
    run_study(config, study, report)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("engine: torch (the sparse engine trains fully connected networks only")
    with pytest.raises(ResourceError, match="stacked was asked for, but it trains fully connected"):
        run_study(dataclasses.replace(config, engine="stacked"), study, report)


def test_a_phase_that_the_study_does_not_declare_is_refused(cwd: Path):
    config = dataclasses.replace(SMOKE, phases=("design",))
    with pytest.raises(ConfigError, match="phases must be without 'design': the study declares"):
        run_study(config, STUDY, report)
    assert list(cwd.iterdir()) == []


def test_a_bad_point_is_named(cwd: Path):
    bad = Point(hparams={"train.lr": -1.0}, replicates=(0,), role="sweep", label="lr=-1")
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [bad]}})
    with pytest.raises(ConfigError, match=r"point 'lr=-1': train\.lr must be a finite number > 0"):
        run_study(dataclasses.replace(SMOKE, phases=("sweep",)), study, report)
    assert list(cwd.iterdir()) == []
