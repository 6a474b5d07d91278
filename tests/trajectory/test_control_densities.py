"""Controls at chosen densities only, and beside the points of a sweep."""

import dataclasses
import math

import numpy as np
import pytest
from digits_study import LOTTERY, SMOKE, STUDY, report
from hypothesis import given
from hypothesis import strategies as st

from lttune.config.design import Point
from lttune.data import load
from lttune.errors import ConfigError
from lttune.pruning.densities import around
from lttune.store.store import Store
from lttune.study.conductor import run_study
from lttune.study.phases.estimate import Pace, plan
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import networks, run_trial

DIGITS = load("digits")
PACE = Pace(densities=(0.1, 1.0), step_s=(0.001, 0.01), evaluation_s=(0.5, 0.5))
FIVE = LOTTERY.override({"levels": 5})


def falling(*steps: float) -> list[float]:
    return [math.prod(steps[:k]) for k in range(len(steps) + 1)]


@given(
    steps=st.lists(st.floats(0.3, 0.95), min_size=1, max_size=12),
    wanted=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=4),
)
def test_a_curve_over_the_levels_around_has_the_same_values_there(steps, wanted):
    planned = falling(*steps)
    accuracy = np.sin(np.arange(len(planned)))  # Anything that is no line.
    chosen = sorted(around(wanted, planned), reverse=True)
    assert len(chosen) <= 2 * len(wanted)
    x = np.log(planned)
    for density in wanted:
        if density >= planned[-1]:
            whole = np.interp(math.log(density), x[::-1], accuracy[::-1])
            part = np.interp(math.log(density), x[chosen], accuracy[chosen])
            assert part == pytest.approx(whole)


def test_no_density_wanted_is_every_level():
    assert around((), [1.0, 0.8, 0.64]) == {0, 1, 2}


def test_beyond_the_last_level_the_last_two_are_chosen():
    assert around([0.1], [1.0, 0.8, 0.64, 0.51]) == {2, 3}


def test_a_trial_trains_its_controls_there_only(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    reports = list(run_trial(FIVE, [0], ["reinit", "sibling"], lab, [0.37]))
    densities = [report["density"] for report in reports]
    found = {
        name: {r["level"] for r in reports for row in r["rows"] if row["branch"] == name}
        for name in ("trunk", "reinit", "sibling")
    }
    [above] = [k for k in range(5) if densities[k] > 0.37 >= densities[k + 1]]
    assert found["trunk"] == set(range(6))
    assert found["reinit"] == {above, above + 1}
    assert found["sibling"] == {0, above, above + 1}
    counts = networks(densities, ["reinit", "sibling"], [0.37])
    assert counts == [len(report["rows"]) for report in reports]


def test_a_plan_counts_the_controls_that_are_trained():
    point = Point(
        hparams={"levels": 5, "train.steps": 80},
        replicates=(0, 1),
        role="sweep",
        label="longer",
        controls=("random", "shuffle"),
    )
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [point]}})
    config = dataclasses.replace(
        SMOKE, phases=("anchor", "sweep"), controls=("reinit",), lottery=FIVE
    )
    rare = dataclasses.replace(config, control_densities=(0.37,))
    anchor, sweep = plan(config, study, {"digits": DIGITS}, PACE)
    assert (anchor.networks, sweep.networks) == (2 * (6 + 5), 2 * (6 + 2 * 5))
    anchor, sweep = plan(rare, study, {"digits": DIGITS}, PACE)
    assert (anchor.networks, sweep.networks) == (2 * (6 + 2), 2 * (6 + 2 * 2))
    assert sweep.steps == 80 * sweep.networks


def test_a_point_with_an_unknown_control_is_refused(cwd):
    point = Point(hparams={}, replicates=(0,), role="sweep", label="p", controls=("reintt",))
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [point]}})
    with pytest.raises(ConfigError, match=r"control .*'reintt'.*reinit"):
        run_study(dataclasses.replace(SMOKE, phases=("sweep",)), study, report)
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("bad", [(0.0,), (1.5,), (float("nan"),), ("half",)])
def test_densities_that_are_none_are_refused(bad):
    with pytest.raises(ConfigError, match=r"control_densities must be numbers in \(0, 1\]"):
        dataclasses.replace(SMOKE, control_densities=bad)


def test_a_point_survives_plain_values():
    point = Point(
        hparams={"train.lr": 0.1}, replicates=(2,), role="fresh", label="x", controls=("reinit",)
    )
    assert Point.from_plain(point.plain()) == point
