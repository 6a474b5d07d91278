"""Saved views of a study's runs in MLflow: the tables and charts that lottery tickets are read by.

MLflow's page keeps a view as a tag of the experiment, and lists it under "Views". Its format is
MLflow's own (measured on 3.17): a page of another version shows a view that it cannot read as a
plain list of runs, and an older one ignores the tag.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

TAG = "mlflow.sharedViewState."
"""Beginning of a view's tag; what follows is the view's key."""

POINT = "lttune.point"
"""Tag that the replicates of one setting share; a chart over it shows their mean."""

_TRIALS = "tags.`lttune.kind` = 'trial'"
_SECTION, _OTHERS = "lttune", "lttune-others"


@dataclass(frozen=True, kw_only=True)
class View:
    """One saved view: which runs, in which order, in which columns and charts."""

    key: str
    """Name in an address, letters and hyphens."""
    name: str
    """Name for people."""
    runs: str
    """MLflow's filter."""
    order: str
    """Metric that the table is sorted by."""
    ascending: bool
    columns: Sequence[str]
    """Columns of the table, e.g. ``metrics.`density```."""
    charts: Sequence[dict[str, Any]]
    per_row: int
    """Charts side by side."""
    group_by: str | None = None
    """Tag whose equal values are averaged."""

    def tag(self, now: int) -> str:
        """Returns the value of the view's tag; ``now`` in ms since 1970."""
        state = zlib.compress(json.dumps(self._state()).encode())
        packed = f"deflate;{base64.b64encode(state).decode()}"
        return json.dumps({"name": self.name, "createdAt": now, "updatedAt": now, "state": packed})

    def link(self, experiment: str) -> str:
        """Returns a Markdown link that opens the view's charts."""
        mode = "workflowType=machine_learning&compareRunsMode=CHART"
        page = f"#/experiments/{experiment}/runs?{mode}&viewStateShareKey={self.key}"
        return f"[{self.name}]({page})"

    def _state(self) -> dict[str, Any]:
        group = {"mode": "tag", "groupByData": self.group_by}
        return {
            "searchFilter": self.runs,
            "orderByKey": f"metrics.`{self.order}`",
            "orderByAsc": self.ascending,
            "selectedColumns": list(self.columns),
            "runsHiddenMode": "SHOWALL",  # Else a chart shows the first ten.
            "groupBy": {"aggregateFunction": "average", "groupByKeys": [group]}
            if self.group_by
            else None,
            "compareRunCharts": [
                {"uuid": f"{self.key}-{number}", "metricSectionId": _SECTION, **chart}
                for number, chart in enumerate(self.charts)
            ],
            "compareRunSections": [
                {"uuid": _SECTION, "name": self.name, "display": True, "columns": self.per_row},
                # MLflow's own section, a chart for every metric, which would come first.
                {"uuid": _OTHERS, "name": "Model metrics", "display": False, "isGenerated": True},
            ],
            "isAccordionReordered": True,
        }


def views(
    factors: Iterable[str], objective: str, ascending: bool, controls: Sequence[str]
) -> list[View]:
    """Returns the views of a study.

    Args:
        factors: dotted hyperparameters that trials differ in.
        objective: metric that says how good a trial is.
        ascending: whether less of it is better.
        controls: branches that some trials train beside the ticket.
    """
    factors = list(factors)
    parameters = [f"params.`{factor}`" for factor in factors]
    phase, sort = "tags.`lttune.phase`", {"order": objective, "ascending": ascending}
    scores = [f"metrics.`{name}`" for name in (objective, "test_accuracy_at_0.1")]
    ticket = ["test_accuracy"]
    found = [
        View(
            key="lttune-density",
            name="Accuracy against density",
            runs=_TRIALS,
            columns=[phase, *scores],
            charts=_both(ticket),
            per_row=2,
            **sort,
        ),
        View(
            key="lttune-means",
            name="Means over replicates",
            runs=_TRIALS,
            columns=[phase, *scores],
            charts=_both(ticket),
            per_row=2,
            group_by=POINT,
            **sort,
        ),
    ]
    if controls:
        series = [*ticket, *(f"{name}.test_accuracy" for name in controls)]
        found.append(
            View(
                key="lttune-controls",
                name="Ticket and controls",
                runs=f"{_TRIALS} and metrics.`{series[1]}` >= 0",  # Whoever has that metric.
                columns=[phase, *scores],
                charts=_both(series),
                per_row=2,
                **sort,
            )
        )
    if factors:
        found.append(
            View(
                key="lttune-factors",
                name="Factors",
                runs=_TRIALS,
                columns=[phase, scores[0], *parameters],
                charts=[_parallel(factors, objective), *(_scatter(f, objective) for f in factors)],
                per_row=1,
                **sort,
            )
        )
    return found


def _both(metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The same lines twice: MLflow has no logarithmic axis for a metric, so its log is one."""
    return [_lines(metrics, "density"), _lines(metrics, "log10_density")]


def _lines(metrics: Sequence[str], x: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metrics[0],
        "selectedMetricKeys": list(metrics),
        "xAxisKey": "metric",
        "selectedXAxisMetricKey": x,
        "useGlobalXaxisKey": False,
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "displayPoints": True,
        "range": {},
    }


def _parallel(factors: Sequence[str], metric: str) -> dict[str, Any]:
    return {
        "type": "PARALLEL",
        "selectedParams": list(factors),
        "selectedMetrics": [metric],
        "showAllRuns": True,
    }


def _scatter(factor: str, metric: str) -> dict[str, Any]:
    return {
        "type": "SCATTER",
        "xaxis": {"key": factor, "type": "PARAM"},
        "yaxis": {"key": metric, "type": "METRIC"},
        "runsCountToCompare": 1000,
    }
