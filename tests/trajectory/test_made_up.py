"""Made-up trajectories have what real ones have."""

from __future__ import annotations

import pytest
from one_worker import TINY
from own_parts import rows as trained

from lttune.data import load
from lttune.records.columns import RANGES
from lttune.trajectory.checks.made_up import trajectories_made_up, with_other_tests


def kinds(rows):
    """Returns column -> the types of its values, by level."""
    return {name: [type(row[name]) for row in rows] for name in rows[0]}


@pytest.mark.parametrize("examples", [0, 50])
def test_columns_types_levels_and_densities_are_those_of_a_trained_one(tmp_path, examples):
    config = TINY.override({"train.eval_train": examples})
    rows = trained(config, tmp_path)
    made = trajectories_made_up(config, load("digits"))["whole"]
    assert kinds(made) == kinds(rows)
    for name in ("level", "density", "surviving", "prunable", "steps_trained", "branch"):
        assert [row[name] for row in made] == [row[name] for row in rows], name


def test_a_diverged_one_lacks_what_a_trained_one_lacks(tmp_path):
    config = TINY.override({"train.lr": 1e30, "train.optimizer": "sgd"})
    rows = trained(config, tmp_path)
    assert [row["diverged"] for row in rows] == [True]
    made = trajectories_made_up(config, load("digits"))
    assert kinds(made["ticket diverged"][1:]) == kinds(rows)
    # At once, as with initial weights that are too large.
    lost = {name for name in rows[0] if name in ("val_loss", "test_loss")}
    assert all(made["dense diverged"][0][name] is None for name in lost)


def test_values_are_such_as_records_hold():
    for rows in trajectories_made_up(TINY, load("digits")).values():
        for changed in (rows, *with_other_tests(rows)):
            for row in changed:
                for name in RANGES.keys() & row.keys():
                    rule, holds = RANGES[name]
                    assert row[name] is None or holds(row[name]), (name, rule, row[name])


def test_other_tests_differ_in_order_too():
    rows = trajectories_made_up(TINY, load("digits"))["whole"]
    rising, falling = with_other_tests(rows)
    changed = {name for name in rows[0] if rising[0][name] != rows[0][name]}
    assert changed == {"test_accuracy", "test_loss", "end_test_accuracy", "end_test_loss"}
    accuracies = [[row["test_accuracy"] for row in found] for found in (rising, falling)]
    assert accuracies[0] == sorted(accuracies[0]) == accuracies[1][::-1]


def test_a_trajectory_of_the_dense_network_alone_has_no_ticket():
    found = trajectories_made_up(TINY.override({"levels": 0}), load("digits"))
    assert {name: len(rows) for name, rows in found.items()} == {
        "whole": 1,
        "dense alone": 1,
        "dense diverged": 1,
    }


def test_measurements_of_ones_own_are_there_where_a_trained_one_has_them():
    found = trajectories_made_up(TINY, load("digits"), measured=["test_margin"])
    whole, early, at_once = found["whole"], found["ticket diverged"][1], found["dense diverged"][0]
    assert all(row["measured.test_margin"] == row["end_measured.test_margin"] for row in whole)
    assert (early["measured.test_margin"], early["end_measured.test_margin"]) == (0.5, None)
    assert not {"measured.test_margin", "end_measured.test_margin"} & at_once.keys()
    # It is no measure on test examples, whatever it is called.
    for changed in with_other_tests(whole):
        assert [row["measured.test_margin"] for row in changed] == [0.5] * len(whole)


def test_a_layer_is_no_test_whatever_it_is_called():
    rows = [{"density.latest_block": 0.5, "test_loss": 1.0, "barrier_test_error": 0.3}]
    for changed in with_other_tests(rows):
        assert changed[0]["density.latest_block"] == 0.5
        assert changed[0]["test_loss"] != 1.0
        assert changed[0]["barrier_test_error"] != 0.3
