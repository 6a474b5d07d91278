"""Responses of trajectories against numbers that were planted in them."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.tables.responses import (
    MISSING,
    RESPONSE_COLUMNS,
    TRAJECTORY,
    TRAJECTORY_COLUMNS,
    matrix,
    response_table,
    trajectory_table,
)
from lttune.records.objectives import DENSITY_GRID, ObjectiveConfig, accuracy_auc, ticket_density


def network(level, density, accuracy, **changes):
    row = {"phase": "anchor", "trial": 0, "replicate": 0, "branch": "trunk", "level": level}
    row |= {"density": density, "test_accuracy": accuracy, "val_accuracy": accuracy - 0.01}
    row |= {"early_stop_step": 1000, "early_stop_at_end": False, "diverged": False}
    return row | changes


def path(fraction=0.2, levels=20, curve=lambda density: 0.95, **changes):
    """The networks of a trajectory that prunes a fraction of the survivors each level."""
    return [
        network(level, d, curve(d), **changes)
        for level in range(levels + 1)
        for d in [(1 - fraction) ** level]
    ]


def line(density):
    """Accuracy linear in log density: any trajectory on it has the same responses."""
    return 0.95 + 0.01 * math.log(density)


def frame(*rows):
    return pd.DataFrame([row for part in rows for row in part])


def test_a_density_that_was_reached_has_its_recorded_value():
    rng = np.random.default_rng(0)
    rows = path(curve=lambda density: 0.9 + 0.05 * rng.random())
    table = response_table(frame(rows))
    assert list(table.columns) == RESPONSE_COLUMNS
    recorded = [row["test_accuracy"] for row in rows]
    assert table["accuracy"].tolist() == recorded
    assert table["gain"].tolist() == [value - recorded[0] for value in recorded]
    assert table["gain"].iloc[0] == 0


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.7])
def test_trajectories_are_compared_by_density_and_not_by_level(fraction):
    table = response_table(frame(path(fraction, levels=50 if fraction < 0.2 else 20, curve=line)))
    np.testing.assert_allclose(table["gain"], 0.01 * np.log(DENSITY_GRID), atol=1e-12)


def test_nothing_is_extrapolated_and_what_is_missing_is_counted():
    short, whole = path(levels=5, curve=line), path(curve=line, replicate=1)
    table = response_table(frame(short, whole))
    mine = table[table["replicate"] == 0]
    assert mine["gain"].notna().tolist() == [True] * 6 + [False] * 15
    assert set(mine["missing"][6:]) == {"not reached"}
    assert (table["gain"].isna() == table["missing"].isin(MISSING)).all()
    flags = {"sound": table["gain"].notna(), "lost": table["missing"] == "not reached"}
    counts = table.assign(**flags).groupby("density")[list(flags)].sum().iloc[::-1]
    assert counts["sound"].tolist() == [2] * 6 + [1] * 15
    assert counts["lost"].tolist() == [0] * 6 + [1] * 15


def test_a_control_gains_against_the_dense_network_of_its_replicate():
    trunk = path(curve=lambda d: 0.95) + path(curve=lambda d: 0.5, replicate=1)
    control = [row for row in path(curve=lambda d: 0.94, branch="reinit") if row["level"] > 0]
    table = response_table(frame(trunk, control))
    control = table[table["branch"] == "reinit"]
    assert control["missing"].iloc[0] == "not reached"
    np.testing.assert_allclose(control["gain"].dropna(), -0.01)
    assert control["gain"].notna().sum() == 20


def test_a_branch_alone_has_the_rows_that_it_has_among_all():
    trunk = path(curve=line) + path(curve=lambda d: 0.5, replicate=1)
    controls = [row for row in path(branch="reinit") if row["level"] > 0]
    table = response_table(frame(trunk, controls))
    for branch in ("trunk", "reinit"):
        alone = response_table(frame(trunk, controls), branch=branch)
        expected = table[table["branch"] == branch].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_a_control_without_a_trunk_has_no_gain():
    control = path(branch="reinit")
    table = response_table(frame(control))
    assert set(table["missing"]) == {"no dense network"}
    assert table["accuracy"].notna().all()
    assert table["gain"].isna().all()


def test_a_diverged_network_is_flagged_wherever_a_value_rests_on_it():
    rows = path(0.5, levels=4, curve=line)  # Densities 1, .5, .25, .125, .0625.
    rows[4]["diverged"] = True
    table = response_table(frame(rows)).set_index("density")
    sound = table.index >= 0.125 - 1e-9
    assert table.loc[sound, "ok"].all()
    between = (table.index < 0.125 - 1e-9) & (table.index >= 0.0625)
    assert between.any()
    assert not table.loc[between, "ok"].any()
    assert set(table.loc[table.index < 0.0625, "missing"]) == {"diverged above"}
    assert (table["gain"].notna() & ~table["ok"].astype(bool)).sum() == between.sum()
    found = matrix(table.reset_index())
    assert found.notna().to_numpy().sum() == sound.sum()


def test_a_diverged_dense_network_spoils_every_gain():
    rows = path(levels=3)
    rows[0]["diverged"] = True
    assert not response_table(frame(rows))["ok"].any()


def test_a_control_that_diverged_once_goes_on():
    control = [row for row in path(branch="reinit") if row["level"] > 0]
    control[3]["diverged"] = True
    table = response_table(frame(path(), control))
    ok = table.loc[table["branch"] == "reinit", "ok"]
    assert (~ok).sum() == 1
    assert table.loc[table["branch"] == "trunk", "ok"].all()


def test_steps_are_a_ratio_on_the_log_scale():
    rows = path()
    for row in rows:
        row["early_stop_step"] = round(1000 * 1.1 ** -row["level"])
    rows[5]["early_stop_step"] = 0
    table = response_table(frame(rows))
    assert table["log_steps"].iloc[0] == 0
    assert table["log_steps"].iloc[3] == pytest.approx(-3 * math.log(1.1), abs=1e-3)
    assert math.isnan(table["log_steps"].iloc[5])  # A best step of 0 has no logarithm.


@pytest.mark.parametrize(
    ("dense", "ticket", "bound"),
    [(False, False, ""), (False, True, ">="), (True, False, "<="), (True, True, "?")],
)
def test_a_censored_step_bounds_the_ratio(dense, ticket, bound):
    rows = path(levels=2)
    rows[0]["early_stop_at_end"], rows[2]["early_stop_at_end"] = dense, ticket
    table = response_table(frame(rows), grid=[1.0, 0.64])
    assert table["steps_bound"].tolist() == ["", bound]


def test_validation_accuracy_is_read_if_asked_for():
    table = response_table(frame(path(curve=line)), accuracy="val_accuracy")
    assert table["accuracy"].iloc[0] == pytest.approx(0.94)


def test_summaries_agree_with_the_objectives_of_the_search():
    rng = np.random.default_rng(1)
    for fraction in (0.2, 0.35, 0.6):
        rows = path(fraction, 25, lambda d: 0.95 + 0.01 * math.log(d) + rng.normal(0, 0.01))
        table = response_table(frame(rows), accuracy="val_accuracy")
        found = trajectory_table(table, margin=0.002).iloc[0]
        config = ObjectiveConfig(margin=0.002)
        assert found["ticket_density"] == pytest.approx(ticket_density(rows, 10, config))
        area = trajectory_table(table, floor=DENSITY_GRID[10]).iloc[0]["gain_auc"]
        level = accuracy_auc(rows, 10, ObjectiveConfig(density=DENSITY_GRID[10]))
        assert area == pytest.approx(level - rows[0]["val_accuracy"], abs=1e-12)


def test_a_ticket_at_the_end_of_its_trajectory_is_censored():
    def ticket(*rows, **options):
        return trajectory_table(response_table(frame(*rows)), **options).iloc[0]

    assert ticket(path(levels=5))["is_censored"]
    assert ticket(path(levels=5))["ticket_density"] == pytest.approx(0.8**5)
    assert ticket(path())["is_censored"]  # The grid ends.
    falls = ticket(path(curve=lambda d: 0.95 if d > 0.3 else 0.9))
    assert not falls["is_censored"]
    assert falls["ticket_density"] == pytest.approx(0.8**5)
    ended = path(levels=5)
    ended[5]["diverged"] = True
    found = ticket(ended)
    assert found["ticket_density"] == pytest.approx(0.8**4)
    assert not found["is_censored"]  # It is known what comes below: divergence.
    assert found["diverged_at"] == pytest.approx(0.8**5)
    assert math.isnan(found["gain_auc"])


def test_a_margin_is_met_in_spite_of_rounding():
    curve = {0: 0.95, 1: 0.948, 2: 0.9479}
    rows = [network(level, 0.8**level, value) for level, value in curve.items()]
    found = trajectory_table(response_table(frame(rows)), margin=0.002).iloc[0]
    assert found["ticket_density"] == pytest.approx(0.8)


def test_auc_of_a_constant_gain_is_the_gain_and_needs_its_floor():
    control = [row for row in path(curve=lambda d: 0.9, branch="random") if row["level"] > 0]
    table = response_table(frame(path(), control))
    found = trajectory_table(table).set_index("branch")
    assert list(trajectory_table(table).columns) == TRAJECTORY_COLUMNS
    assert found.loc["random", "gain_auc"] == pytest.approx(-0.05)
    short = trajectory_table(response_table(frame(path(levels=5)))).iloc[0]
    assert math.isnan(short["gain_auc"])
    with pytest.raises(ValueError, match="floor must be a density of the grid"):
        trajectory_table(table, floor=0.1)


def test_densities_that_were_reached_are_hit_exactly():
    # An output layer at half the rate leaves densities that are no powers of .8.
    rows = [network(level, 0.8**level + 0.001 * level, 0.9 + level / 100) for level in range(6)]
    twin = [{**row, "replicate": 1, "density": row["density"] * (1 + 1e-13)} for row in rows]
    table = response_table(frame(rows, twin), grid=[row["density"] for row in rows])
    recorded = [row["test_accuracy"] for row in rows]
    for replicate in (0, 1):
        mine = table.loc[table["replicate"] == replicate, "accuracy"]
        assert mine.tolist() == recorded


def test_a_level_that_removes_nothing_repeats_no_density():
    rows = [network(0, 1.0, 0.95), network(1, 0.5, 0.96), network(2, 0.5, 0.5)]
    table = response_table(frame(rows), grid=[1.0, 0.5])
    assert table["accuracy"].tolist() == [0.95, 0.96]


def test_rows_may_come_in_any_order_and_trials_do_not_mix():
    rng = np.random.default_rng(2)
    parts = [
        path(0.2 + 0.1 * trial, 12, lambda d: rng.random(), trial=trial, replicate=replicate)
        for trial in range(2)
        for replicate in range(2)
    ]
    records = frame(*parts)
    table = response_table(records)
    mixed = response_table(records.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(table, mixed)
    alone = response_table(frame(parts[3]))
    same = table[(table["trial"] == 1) & (table["replicate"] == 1)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, same)
    assert len(table.groupby(TRAJECTORY)) == 4
    with pytest.raises(ValueError, match="do not name one trajectory"):
        matrix(table)
    wide = matrix(table, "accuracy", index=["trial", "replicate"])
    assert wide.shape == (4, 21)
    assert list(wide.columns) == sorted(DENSITY_GRID, reverse=True)


def test_a_study_without_networks_has_empty_tables():
    table = response_table(frame().reindex(columns=list(network(0, 1.0, 0.9))))
    assert table.empty
    assert list(table.columns) == RESPONSE_COLUMNS
    assert trajectory_table(table).empty


def test_a_trajectory_that_ends_a_rounding_above_a_density_has_it():
    """Three levels of LeNet-300-100, a fifth of the hidden layers and a tenth of the output's."""
    densities = [1.0, 0.80038, 0.64067, 0.51288]
    rows = [network(level, d, line(d)) for level, d in enumerate(densities)]
    table = response_table(frame(rows)).set_index("density")
    assert table.loc[DENSITY_GRID[3], "accuracy"] == line(densities[3])
    assert table.loc[DENSITY_GRID[3], "missing"] == ""
    assert table.loc[DENSITY_GRID[4], "missing"] == "not reached"
    rows[-1] |= {"density": 0.52, "test_accuracy": line(0.52)}
    assert (
        response_table(frame(rows)).set_index("density").loc[DENSITY_GRID[3], "missing"]
        == "not reached"
    )
