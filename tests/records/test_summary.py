from __future__ import annotations

from statistics import stdev
from typing import Any

import pytest
from mlflow.utils.validation import MAX_METRICS_PER_BATCH

from lttune.config.control import CONTROLS
from lttune.records.objectives import ObjectiveConfig
from lttune.records.summary import (
    CONTROL_METRICS,
    LEVEL_METRICS,
    LOG_DENSITY,
    level_metrics,
    trial_metrics,
)
from lttune.trajectory.measurements.own import MOST_MEASURED


def row(branch: str = "trunk", replicate: int = 0, **values: Any) -> dict[str, Any]:
    """A row of the records; measures that are not given have values of their own."""
    measures = {name: 0.01 * place for place, name in enumerate(LEVEL_METRICS)}
    measures |= {"density": 1.0, "diverged": False}
    return {"branch": branch, "replicate": replicate, **measures, **values}


def test_a_level_of_one_replicate_is_its_row():
    mine = row(test_accuracy=0.9, diverged=True)
    metrics = level_metrics([mine])
    assert metrics.keys() == {*LEVEL_METRICS, LOG_DENSITY}
    assert metrics["test_accuracy"] == 0.9
    assert metrics["diverged"] == 1.0
    assert all(type(value) is float for value in metrics.values())


def test_a_tenth_of_the_weights_is_at_minus_one():
    metrics = level_metrics([row(density=0.1), row("reinit", density=0.1)])
    assert metrics["log10_density"] == pytest.approx(-1)
    assert level_metrics([row(density=1.0)])["log10_density"] == 0


def test_a_level_of_replicates_is_their_mean_with_a_deviation():
    metrics = level_metrics([row(replicate=r, test_accuracy=a) for r, a in ((0, 0.8), (1, 0.9))])
    assert metrics["test_accuracy"] == pytest.approx(0.85)
    assert metrics["test_accuracy_std"] == pytest.approx(stdev([0.8, 0.9]))
    assert {name for name in metrics if name.endswith("_std")} == {
        "test_accuracy_std",
        "val_accuracy_std",
    }


def test_a_control_has_metrics_under_its_name_and_does_not_touch_the_trunks():
    rows = [row(test_accuracy=0.9), row("reinit", test_accuracy=0.5), row("random")]
    metrics = level_metrics(rows)
    assert (metrics["test_accuracy"], metrics["reinit.test_accuracy"]) == (0.9, 0.5)
    for branch in ("reinit", "random"):
        mine = {name for name in metrics if name.startswith(f"{branch}.")}
        assert mine == {f"{branch}.{measure}" for measure in CONTROL_METRICS}


def test_a_measure_that_was_not_taken_is_no_metric():
    metrics = level_metrics([row(train_accuracy=None)])
    assert "train_accuracy" not in metrics
    both = level_metrics([row(test_loss=None), row(replicate=1, test_loss=2.0)])
    assert both["test_loss"] == 2.0


def curve(replicate: int, tests: list[float]) -> list[dict[str, Any]]:
    """A trunk at densities 1, 0.2 and 0.1, whose validation accuracy is 0.8."""
    return [
        row(replicate=replicate, density=density, test_accuracy=test, val_accuracy=0.8)
        for density, test in zip((1.0, 0.2, 0.1), tests, strict=True)
    ]


def test_a_trials_summary_holds_both_objectives_and_the_accuracies_that_it_reached():
    metrics = trial_metrics(curve(0, [0.9, 0.7, 0.5]), 10, ObjectiveConfig(), ())
    assert metrics == {
        "accuracy_auc": pytest.approx(0.8),
        "ticket_density": pytest.approx(0.8**10),
        "test_accuracy_at_0.2": pytest.approx(0.7),
        "test_accuracy_at_0.1": pytest.approx(0.5),
    }


def test_a_trials_own_objective_is_in_its_summary():
    metrics = trial_metrics(
        curve(0, [0.9, 0.7, 0.5]), 10, ObjectiveConfig(name="accuracy_at", density=0.2), ()
    )
    assert metrics["accuracy_at"] == pytest.approx(0.8)


def test_both_numbers_of_pareto_are_in_a_summary():
    metrics = trial_metrics(curve(0, [0.9, 0.7, 0.5]), 10, ObjectiveConfig(name="pareto"), ())
    assert metrics["ticket_accuracy"] == pytest.approx(0.8)
    assert metrics["ticket_density"] == pytest.approx(0.8**10)


def test_a_summary_is_the_mean_over_replicates_and_leaves_controls_out():
    rows = curve(0, [0.9, 0.7, 0.5]) + curve(1, [0.9, 0.5, 0.4])
    rows += [row("reinit", density=0.2, test_accuracy=0.0, val_accuracy=0.0)]
    metrics = trial_metrics(rows, 10, ObjectiveConfig(), ())
    assert metrics["test_accuracy_at_0.2"] == pytest.approx(0.6)
    assert metrics["accuracy_auc"] == pytest.approx(0.8)


def test_a_density_that_was_not_reached_has_no_metric():
    metrics = trial_metrics(curve(0, [0.9, 0.7, 0.5])[:2], 10, ObjectiveConfig(), ())
    assert "test_accuracy_at_0.2" in metrics
    assert "test_accuracy_at_0.1" not in metrics


def test_a_function_of_ones_own_is_told_as_the_trial_had_it_and_not_run():
    objective = ObjectiveConfig(name="./none.py:accuracy_auc", direction="minimize")
    metrics = trial_metrics(curve(0, [0.9, 0.7, 0.5]), 10, objective, [12.5])
    assert metrics["own.accuracy_auc"] == 12.5
    # Another metric may have its name.
    assert metrics["accuracy_auc"] == pytest.approx(0.8)
    unknown = trial_metrics(curve(0, [0.9, 0.7, 0.5]), 10, objective, ())
    assert metrics.keys() - unknown.keys() == {"own.accuracy_auc"}


def test_measurements_of_ones_own_are_metrics_of_the_ticket_and_its_controls():
    rows = [row(replicate=r, **{"measured.margin": m}) for r, m in ((0, 1.0), (1, 3.0))]
    rows += [row("reinit", **{"measured.margin": None}), row("random", **{"measured.margin": 0.5})]
    rows = [{**one, "end_measured.margin": 9.0} for one in rows]
    metrics = level_metrics([*rows, row("late", **{"measured.other": 2.0})])
    found = {name: value for name, value in metrics.items() if "measured" in name}
    assert found == {
        "measured.margin": 2.0,
        "random.measured.margin": 0.5,
        "late.measured.other": 2.0,
    }


def test_mlflow_takes_the_metrics_of_a_level_in_one_call():
    own = {f"measured.x{n}": 1.0 for n in range(MOST_MEASURED)}
    # With controls on a target beside all others MLflow's client makes two calls of it.
    branches = ("trunk", *(name for name, one in CONTROLS.items() if one.plays is None))
    rows = [row(branch, replicate=r, **own) for branch in branches for r in (0, 1)]
    assert len(level_metrics(rows)) <= MAX_METRICS_PER_BATCH
