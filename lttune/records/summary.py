"""Rows of the records as the few numbers that MLflow's tables and charts show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from lttune.config.control import TRUNK
from lttune.config.own import is_own_code, without_place
from lttune.records.objectives import ObjectiveConfig, Rows, at_density, measure
from lttune.records.schema import OWN_MEASURES

LEVEL_METRICS = (
    "density",
    "test_accuracy",
    "val_accuracy",
    "train_accuracy",
    "test_loss",
    "val_loss",
    "end_test_accuracy",
    "early_stop_step",
    "train_time_s",
    "diverged",
)
"""Measures of the trunk that are logged at every level, as means over replicates."""

LOG_DENSITY = "log10_density"
"""Metric for an axis: MLflow's charts have no logarithmic one for a metric; -1 is a tenth."""

CONTROL_METRICS = ("test_accuracy", "val_accuracy", "early_stop_step")
"""Measures of a control that are logged at every level, e.g. ``reinit.test_accuracy``."""

AT_DENSITIES = (0.2, 0.1, 0.05)
"""Densities at which a trial's test accuracy is a summary metric of its own."""


def level_metrics(rows: Rows) -> dict[str, float]:
    """Returns the metrics of one level from its rows, with ``_std`` where there are replicates.

    Measurements of one's own are among those of the trunk and of each control.
    """
    metrics: dict[str, float] = {}
    own = sorted({name for row in rows for name in row if name.startswith(OWN_MEASURES[0])})
    for name in sorted({row["branch"] for row in rows}):
        mine = [row for row in rows if row["branch"] == name]
        prefix = "" if name == TRUNK else f"{name}."
        for column in (*(LEVEL_METRICS if name == TRUNK else CONTROL_METRICS), *own):
            values = [float(row[column]) for row in mine if row.get(column) is not None]
            if values:
                metrics[f"{prefix}{column}"] = fmean(values)
            if len(values) > 1 and column in ("test_accuracy", "val_accuracy"):
                metrics[f"{prefix}{column}_std"] = stdev(values)
    if metrics.get("density", 0) > 0:
        metrics[LOG_DENSITY] = math.log10(metrics["density"])
    return metrics


def metric_of(name: str) -> str:
    """Returns the metric of a measure of the objective: "own.gain" of a function of one's own.

    Its name alone may be that of another metric.
    """
    return f"own.{without_place(name)}" if is_own_code(name) else name


def trial_metrics(
    rows: Rows, classes: int, objective: ObjectiveConfig, values: Sequence[float]
) -> dict[str, float]:
    """Returns a trial's summary: each objective's numbers, and test accuracy at a few densities.

    MLflow's tables show only a series' last value, so what is compared has a key of its own.

    Args:
        rows: of the trial.
        classes: that are told apart.
        objective: what a search improves.
        values: its numbers as the trial's end gave them, none if that is not known. Those of a
            function of one's own are taken from here: its code is not run.
    """
    own = objective.measures if objective.is_own else ()
    names = {"accuracy_auc", "ticket_density", *objective.measures}.difference(own)
    metrics = {name: measure(name, rows, classes, objective) for name in sorted(names)}
    metrics |= {metric_of(name): value for name, value in zip(own, values, strict=False)}
    trunk = [row for row in rows if row["branch"] == TRUNK]
    replicates = sorted({row["replicate"] for row in trunk})
    for density in AT_DENSITIES:
        found = [
            at_density([row for row in trunk if row["replicate"] == r], density, "test_accuracy")
            for r in replicates
        ]
        reached = [accuracy for accuracy in found if accuracy is not None]
        if reached:
            metrics[f"test_accuracy_at_{density:g}"] = fmean(reached)
    return metrics
