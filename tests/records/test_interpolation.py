"""Between levels a measure is linear in log density; beyond them there is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lttune.records.interpolation import between, falling, interpolated, nearest_place


@st.composite
def trajectories(draw):
    """Draws levels from some density down, by at least a thousandth each, and their values."""
    kept = draw(st.lists(st.floats(0.05, 0.999), min_size=1, max_size=8))
    first = draw(st.floats(0.5, 1.0))
    densities = np.cumprod([first, *kept])
    values = draw(
        st.lists(st.floats(-1, 1), min_size=len(densities), max_size=len(densities)).map(np.array)
    )
    return densities, values


@given(trajectories())
def test_every_level_has_its_own_value_the_ends_too(trajectory):
    densities, values = trajectory
    assert interpolated(densities, values, densities).tolist() == values.tolist()


@given(trajectories(), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_between_levels_it_is_numpys_line_over_log_density(trajectory, shares):
    densities, values = trajectory
    ends = np.log(densities[[0, -1]])
    wanted = np.exp(ends[0] + np.array(shares) * (ends[1] - ends[0]))
    oracle = np.interp(np.log(wanted), np.log(densities)[::-1], values[::-1])
    assert interpolated(densities, values, wanted) == pytest.approx(oracle, abs=1e-5)


@given(trajectories(), st.floats(-3, 3), st.floats(-3, 3))
def test_a_line_over_log_density_comes_back_as_it_is(trajectory, slope, start):
    densities, _ = trajectory
    wanted = np.sqrt(densities[1:] * densities[:-1])
    values = start + slope * np.log(densities)
    expected = start + slope * np.log(wanted)
    assert interpolated(densities, values, wanted) == pytest.approx(expected, abs=1e-9)


@given(trajectories(), st.floats(1e-6, 0.9))
def test_nothing_is_read_outside(trajectory, beyond):
    densities, values = trajectory
    outside = [densities[0] * (1 + beyond), densities[-1] * (1 - beyond)]
    assert np.isnan(interpolated(densities, values, outside)).all()
    assert np.isnan(interpolated([], [], outside)).all()


@given(trajectories(), st.randoms())
def test_levels_need_no_order(trajectory, random):
    densities, values = trajectory
    places = list(range(len(densities)))
    random.shuffle(places)
    wanted = np.geomspace(densities[0], densities[-1], 7)
    shuffled = interpolated(densities[places], values[places], wanted)
    np.testing.assert_array_equal(shuffled, interpolated(densities, values, wanted))


def test_half_way_in_log_density_is_half_the_way():
    middle = math.sqrt(0.5 * 0.02)
    assert interpolated([1.0, 0.5, 0.02], [0.0, 4.0, 8.0], [middle]) == pytest.approx([6.0])


def test_of_levels_that_repeat_a_density_the_first_counts():
    densities, values = [1.0, 0.5, 0.5 * (1 - 1e-12), 0.25], [0.0, 1.0, 9.0, 2.0]
    assert falling(np.array(densities)).tolist() == [0, 1, 3]
    assert interpolated(densities, values, [0.5, math.sqrt(0.125)]) == pytest.approx([1.0, 1.5])


def test_a_neighbour_without_a_value_spoils_no_level_that_was_reached():
    found = interpolated([1.0, 0.5, 0.25], [0.0, 1.0, math.nan], [0.5, 0.3])
    assert found[0] == 1.0
    assert math.isnan(found[1])


def test_a_place_says_its_levels_and_how_far_it_is():
    found = between(np.array([1.0, 0.5, 0.25]), np.array([0.5, 2**-1.25, 0.25, 0.1]))
    assert found.left.tolist() == [1, 1, 2, -1]
    assert found.right[:2].tolist() == [2, 2]
    assert found.share == pytest.approx([0, 0.25, 0, 0])


def test_the_nearest_density_is_so_by_ratio_and_of_equals_the_first():
    # 0.3 is nearer by difference, 0.72 by ratio.
    assert nearest_place([1.0, 0.72, 0.3], 0.5) == 1
    assert nearest_place([1.0, 0.25, 0.5, 0.25], 0.2) == 1
    assert nearest_place([1.0, 0.25], 0.5) == 0


def test_a_density_just_beyond_an_end_is_that_end():
    densities, values = np.array([0.8, 0.64, 0.5128]), np.array([3.0, 2.0, 1.0])
    wanted = np.array([0.81, 0.801, 0.8, 0.512, 0.5])
    plain = between(densities, wanted).read(values)
    np.testing.assert_array_equal(plain, [np.nan, np.nan, 3.0, np.nan, np.nan])
    near = between(densities, wanted, 0.01).read(values)
    np.testing.assert_array_equal(near, [np.nan, 3.0, 3.0, 1.0, np.nan])
    inside = np.array([0.7, 0.6])
    np.testing.assert_array_equal(
        between(densities, inside, 0.01).read(values), between(densities, inside).read(values)
    )
