import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lttune.errors import ConfigError
from lttune.records.objectives import (
    DENSITY_GRID,
    ObjectiveConfig,
    ObjectiveName,
    accuracy_at,
    accuracy_auc,
    at_density,
    depth,
    objective_text,
    objectives,
    ticket_density,
)


def rows(points, replicate=0, diverged=False):
    return [
        {
            "branch": "trunk",
            "replicate": replicate,
            "level": level,
            "density": density,
            "val_accuracy": accuracy,
            "diverged": diverged,
        }
        for level, (density, accuracy) in enumerate(points)
    ]


LINE = [(1.0, 0.95), (0.5, 0.96), (0.25, 0.97), (0.1, 0.93), (0.05, 0.80)]


def test_the_grid_is_the_papers_20_percent_a_level():
    assert len(DENSITY_GRID) == 21
    assert DENSITY_GRID[0] == 1.0
    assert DENSITY_GRID[-1] == pytest.approx(0.0115, abs=1e-4)


def test_between_levels_accuracy_is_linear_in_log_density():
    middle = math.exp((math.log(0.5) + math.log(0.25)) / 2)
    assert at_density(rows(LINE), middle, "val_accuracy") == pytest.approx(0.965)
    assert at_density(rows(LINE), 0.25, "val_accuracy") == pytest.approx(0.97)


@pytest.mark.parametrize("density", [0.049, 1.1])
def test_nothing_is_extrapolated(density):
    assert at_density(rows(LINE), density, "val_accuracy") is None
    assert at_density([], 0.5, "val_accuracy") is None


@given(st.lists(st.floats(0.1, 1.0), min_size=3, max_size=3))
def test_auc_is_the_mean_over_log_density(accuracies):
    points = list(zip([1.0, 0.4, 0.1], accuracies, strict=True))
    fine = np.exp(np.linspace(0, math.log(0.1), 20_001))
    knots = np.log([0.1, 0.4, 1.0])
    mean = np.interp(np.log(fine), knots, accuracies[::-1]).mean()
    # The grid's points lie on straight lines but for the knot at 0.4, which is between two.
    value = accuracy_auc(rows(points), 10, ObjectiveConfig(density=0.1))
    assert value == pytest.approx(mean, abs=0.01)


def test_a_constant_curve_has_its_constant_as_auc():
    flat = [(d, 0.9) for d, _ in LINE]
    assert accuracy_auc(rows(flat), 10, ObjectiveConfig()) == pytest.approx(0.9)


def test_accuracy_at_reads_one_density():
    config = ObjectiveConfig(name="accuracy_at", density=0.1)
    assert accuracy_at(rows(LINE), 10, config) == pytest.approx(0.93)


def test_a_density_that_was_not_reached_counts_as_chance():
    config = ObjectiveConfig(name="accuracy_at", density=0.01)
    assert accuracy_at(rows(LINE), 10, config) == 0.1
    short = accuracy_auc(rows(LINE[:2]), 10, ObjectiveConfig(density=0.1))
    assert short < accuracy_auc(rows(LINE), 10, ObjectiveConfig(density=0.1))


def test_ticket_density_is_the_smallest_within_the_margin_of_its_own_dense_network():
    points = [(d, 0.95 if d > 0.2 else 0.90) for d in DENSITY_GRID]
    config = ObjectiveConfig(name="ticket_density", margin=0.01)
    assert ticket_density(rows(points), 10, config) == pytest.approx(
        min(d for d in DENSITY_GRID if d > 0.2)
    )
    none = [(d, 0.95 if d == 1 else 0.5) for d in DENSITY_GRID]
    assert ticket_density(rows(none), 10, config) == 1.0


def test_a_ticket_may_lose_the_margin_against_its_dense_network():
    points = [(d, 0.95 if d == 1 else 0.945) for d in DENSITY_GRID]
    for margin, smallest in ((0.01, DENSITY_GRID[-1]), (0.001, 1.0)):
        config = ObjectiveConfig(name="ticket_density", margin=margin)
        assert ticket_density(rows(points), 10, config) == smallest


def test_a_level_that_diverged_counts_as_chance_whatever_it_measured_before():
    found = [*rows(LINE[:2]), {**rows(LINE)[2], "diverged": True}]
    config = ObjectiveConfig(name="accuracy_at", density=0.25)
    assert accuracy_at(found, 10, config) == 0.1
    assert accuracy_at(found, 10, ObjectiveConfig(name="accuracy_at", density=0.5)) == 0.96


@pytest.mark.parametrize("name", get_args(ObjectiveName))
def test_the_floor_is_the_smallest_density_that_changes_the_numbers(name):
    config = ObjectiveConfig(name=name, density=0.1)
    whole = [(density, 0.9) for density in DENSITY_GRID]

    def numbers(end):
        """The objective of a trajectory whose levels end at the first one of ``end`` or less."""
        last = next(i for i, density in enumerate(DENSITY_GRID) if density <= end)
        return objectives(rows(whole[: last + 1]), 10, config)

    assert numbers(config.floor) == pytest.approx(objectives(rows(whole), 10, config))
    assert numbers(config.floor / 0.8) != pytest.approx(objectives(rows(whole), 10, config))


def test_pareto_is_the_accuracy_at_the_smallest_ticket_and_its_density():
    points = [(d, 0.95 if d > 0.2 else 0.90) for d in DENSITY_GRID]
    config = ObjectiveConfig(name="pareto", margin=0.01)
    both = rows(points) + rows([(d, a - 0.02) for d, a in points], replicate=1)
    assert objectives(both, 10, config) == pytest.approx(
        [0.94, min(d for d in DENSITY_GRID if d > 0.2)]
    )
    assert config.directions == ("maximize", "minimize")
    assert len(config.texts) == 2
    assert objectives(rows(LINE[:1], diverged=True), 10, config) == [0.1, 1.0]


@pytest.mark.parametrize("levels", [0, 1, 7, 20])
def test_depth_counts_levels_of_a_fifth(levels):
    assert depth(0.8**levels) == pytest.approx(levels)


@pytest.mark.parametrize("name", get_args(ObjectiveName))
def test_divergence_is_finite_and_worse(name):
    config = ObjectiveConfig(name=name, density=0.1)
    good = objectives(rows(LINE), 10, config)
    bad = objectives(rows(LINE[:1], diverged=True), 10, config)
    assert all(map(math.isfinite, bad))
    for direction, worse, better in zip(config.directions, bad, good, strict=True):
        assert worse > better if direction == "minimize" else worse < better


def test_early_accuracy_alone_never_beats_a_whole_curve():
    # A search that is told the last report prefers trajectories that stop while still dense.
    [stopped] = objectives(rows([(1.0, 0.99)]), 10, ObjectiveConfig())
    [whole] = objectives(rows(LINE), 10, ObjectiveConfig())
    assert stopped < whole


def test_replicates_are_averaged_and_controls_left_out():
    other = [(d, a - 0.02) for d, a in LINE]
    control = [{**row, "branch": "reinit", "val_accuracy": 0.0} for row in rows(LINE)]
    both = rows(LINE) + rows(other, replicate=1) + control
    [alone] = objectives(rows(LINE), 10, ObjectiveConfig())
    assert objectives(both, 10, ObjectiveConfig()) == pytest.approx([alone - 0.01])


OWN = "./mine.py:gain"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"name": OWN},
            "objective.direction must be maximize or minimize with an objective of your own "
            "(./mine.py:gain), got None",
        ),
        (
            {"name": OWN, "direction": "up"},
            "objective.direction must be maximize or minimize with an objective of your own "
            "(./mine.py:gain), got 'up'",
        ),
        (
            {"direction": "minimize"},
            "objective.direction must be None with the objective 'accuracy_auc', which knows its "
            "own, got 'minimize'",
        ),
        (
            {"name": "accuracy_au", "direction": "minimize"},
            "objective.name must be one of ./FILE.py:FUNCTION, accuracy_at, accuracy_auc, pareto, "
            "ticket_density; got 'accuracy_au'; did you mean 'accuracy_auc'?",
        ),
    ],
)
def test_which_way_is_better_is_said_of_ones_own_and_of_no_other(settings, told):
    with pytest.raises(ConfigError) as refused:
        ObjectiveConfig(**settings)
    assert str(refused.value) == told


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_an_objective_of_ones_own_is_one_number_that_goes_to_its_density(direction):
    config = ObjectiveConfig(name=OWN, direction=direction, density=0.3)
    assert (config.is_own, config.directions, config.floor) == (True, (direction,), 0.3)
    assert config.texts == ("what ./mine.py:gain returns",)
    # A function may be called as a measure is that reads all densities.
    same = ObjectiveConfig(name="./mine.py:ticket_density", direction=direction, density=0.3)
    assert same.floor == 0.3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91234, "0.9123"),
        (0, "0.0000"),
        (-0.5, "-0.5000"),
        (1234.5, "1234.5000"),
        (3.25e-6, "3.25e-06"),
        (-2.5e8, "-2.5e+08"),
    ],
)
def test_small_and_large_numbers_keep_their_digits(value, text):
    assert objective_text(value) == text
