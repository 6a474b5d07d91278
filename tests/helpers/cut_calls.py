"""A real MLflow store that fails at one call, and what a reader finds of a study afterwards."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

CALLS = (
    *("create_run", "update_run_info", "_log_params", "_log_metrics", "_set_tags"),
    *("get_metric_history", "_search_runs", "get_experiment_by_name", "get_run"),
)
"""Steps of the store on SQL: what is written by one is there, or all of it is not."""
_OF_EACH = ("lttune.study", "mlflow.parentRunId", "mlflow.runName")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One run as MLflow's page shows it."""

    name: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    series: dict[str, list[tuple[int, float]]]
    times: tuple[Any, ...]
    """Of its start and end, and of each point of a series."""


class CutCalls:
    """The store's calls while it is patched: one fails, before or after it is done.

    Attributes:
        made: names of the calls.
        at: number of the one that fails, counted from 0.
        is_last: whether all later ones fail too, as if the driver had been killed.
    """

    def __init__(self, patch: pytest.MonkeyPatch, at: int = -1, is_lost: bool = False) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self.made: list[str] = []
        self.at, self._is_lost, self.is_last = at, is_lost, False
        for name in CALLS:
            call = getattr(SqlAlchemyStore, name)
            patch.setattr(SqlAlchemyStore, name, self._counted(name, call))

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def counted(*given: Any, **named: Any) -> Any:
            self.made.append(name)
            number = len(self.made) - 1
            is_cut = number == self.at
            if self.is_last and -1 < self.at < number:
                raise ConnectionError("it was killed")
            if is_cut and not self._is_lost:
                raise ConnectionError("no answer")
            found = call(*given, **named)
            if is_cut:
                raise ConnectionError("the answer is lost")
            return found

        return counted


def ticking(patch: pytest.MonkeyPatch) -> None:
    """Has every entry come a millisecond after the one before, whatever the machine does."""
    ticks = itertools.count(1_700_000_000_000)
    patch.setattr("lttune.study.tracking.values.now", lambda: next(ticks))


def snapshot(uri: str, study: str) -> list[Seen]:
    """Returns all that MLflow's page knows of a study's runs but what is another for each study."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    found = []
    for run in client.search_runs([experiment.experiment_id]):
        info, data = run.info, run.data
        series = {key: client.get_metric_history(info.run_id, key) for key in data.metrics}
        times = {key: [point.timestamp for point in points] for key, points in series.items()}
        seen = Seen(
            name=info.run_name.removesuffix(study),
            status=info.status,
            params=data.params,
            tags={key: value for key, value in data.tags.items() if key not in _OF_EACH},
            metrics=data.metrics,
            series={key: [(p.step, p.value) for p in points] for key, points in series.items()},
            times=(info.start_time, info.end_time, times),
        )
        found.append(seen)
    return sorted(found, key=lambda run: run.name)
