"""What an MLflow store is known to hold of a study, and where that is in doubt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunTag
from mlflow.entities import Run as StoredRun

from lttune.study.tracking.store import is_refusal

STUDY_ID = "lttune.study_id"
_MAX_VALUES, _MAX_PARAMS = 1000, 100
"""MLflow's limits of a call: all values together, and params or tags alone."""


@dataclass
class Run:
    """A run as the store holds it, once what was noted of it is sent."""

    number: int | None
    """Of the trial; None is the study's own."""
    id: str
    name: str
    status: str
    tags: dict[str, str]
    params: set[str]
    metrics: dict[str, float]
    """Last values, without those of levels that were sent by this process."""
    levels: set[int] | None = None
    """Levels that have metrics; None until the store has been asked."""


@dataclass
class RunChanges:
    """What is still to be sent of one run, in as few calls as MLflow takes."""

    run: Run
    was: str
    """The status that the store holds."""
    params: list[Param] = field(default_factory=list)
    tags: list[RunTag] = field(default_factory=list)
    points: list[Sequence[Metric]] = field(default_factory=list)
    """Of a level or a summary each. A call has all of one, or none."""
    ended: int | None = None
    """When the run ended, if it ends by this."""

    def set_status(self, status: str, now: int) -> None:
        """Notes a status that the run has from now on."""
        if self.run.status != status:
            self.run.status = status
            self.ended = None if status == "RUNNING" else now

    def send(self, client: MlflowClient) -> None:
        """Sends all of it: after a failure anywhere in between, what is missing can be told.

        A run that ended before, has more now and ended alike again must not be taken for the
        earlier one meanwhile, so that it is RUNNING while that is sent.
        """
        run = self.run
        runs_again = self.was != run.status if self.ended is None else self.was == run.status
        if runs_again:
            client.update_run(run.id, "RUNNING")
        while self.params or self.tags or self.points:
            params, self.params = self.params[:_MAX_PARAMS], self.params[_MAX_PARAMS:]
            tags, self.tags = self.tags[:_MAX_PARAMS], self.tags[_MAX_PARAMS:]
            metrics = self._next_points(_MAX_VALUES - len(params) - len(tags))
            client.log_batch(run.id, metrics=metrics, params=params, tags=tags)
        if self.ended is not None:
            client.set_terminated(run.id, run.status, self.ended)

    def _next_points(self, room: int) -> list[Metric]:
        """Takes what fits into a call; MLflow's client itself divides what fits into none."""
        points: list[Metric] = []
        while self.points:
            number = len(self.points[0])
            if len(points) + number > room and (points or room < _MAX_VALUES):
                break
            points += self.points.pop(0)
        return points


class Runs:
    """A study's runs in one store: all are read once, later only those that a failed call was of.

    What is known of a run takes some kilobytes, so that a trial's is not kept once that has ended;
    it is read again if there is more of the trial.

    Attributes:
        is_sure: whether the failed change was of runs that had been looked at just before, so
            that a refusal says something of the change and not of what was known.
    """

    def __init__(self, study: str, study_id: str | None) -> None:
        self._study, self._study_id = study, study_id
        self._known: dict[int | None, Run] = {}
        self._past: set[int | None] = set()
        self._client: MlflowClient | None = None
        self._experiment = ("", 0)
        self._doubtful: set[int | None] = set()
        self._fresh: set[int | None] | None = None
        self.is_sure = True

    def __iter__(self) -> Iterator[Run]:
        return iter(self._known.values())

    def get(self, number: int | None) -> Run | None:
        """Returns the study's run or that of a trial; None if there is none."""
        if number in self._past:
            self._look_at(number)
        return self._known.get(number)

    def add(self, run: StoredRun, number: int | None) -> Run:
        """Keeps a run that was just made, and has no level."""
        made = self._known[number] = _known(run, number)
        made.levels = set()
        return made

    def forget(self, number: int | None) -> None:
        """Keeps no more of a run than that it may be there."""
        self._known.pop(number, None)
        self._past.add(number)

    def refresh(self, client: MlflowClient, experiment: Experiment) -> None:
        """Looks at what is in doubt: in a store that was not asked before, or is another, at all.

        An experiment of the same name and number may be in a database that took the other's place;
        when it was made tells.
        """
        self._client = client
        place = (experiment.experiment_id, experiment.creation_time)
        if place != self._experiment or not self._has_looked_again():
            self._known, self._fresh = self._found(place[0], ""), None
            self._past.clear()
        self._experiment, self._doubtful, self.is_sure = place, set(), True

    @contextlib.contextmanager
    def changing(self, number: int | None) -> Iterator[None]:
        """Has a run looked at afresh if what is done meanwhile fails: it may be half done."""
        try:
            yield
        except Exception:
            self._doubtful.add(number)
            self.is_sure = self.is_sure and (self._fresh is None or number in self._fresh)
            raise

    def settle(self) -> None:
        """Notes that what was looked at has been built on: it is no news any more."""
        self._fresh = set()

    def _has_looked_again(self) -> bool:
        """Looks at the runs in doubt; returns whether the store lets itself be asked for them."""
        doubtful = self._doubtful.copy()
        try:
            for number in doubtful:
                self._look_at(number)
        except Exception as error:
            if is_refusal(error):
                return False
            raise
        self._fresh = doubtful
        return True

    def _look_at(self, number: int | None) -> None:
        tag = "`lttune.kind` = 'study'" if number is None else f"`lttune.trial` = '{number}'"
        found = self._found(self._experiment[0], f"tags.{tag}")
        self._known.pop(number, None)
        self._known.update(found)
        self._past.discard(number)

    def _found(self, experiment: str, which: str) -> dict[int | None, Run]:
        """Returns the study's runs that MLflow's filter lets through."""
        assert self._client is not None
        found = dict[int | None, Run]()
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [experiment], which, order_by=["start_time ASC"], page_token=token or None
            )
            for run in page:
                # The filter language cannot quote every study's name, so that it is compared here.
                tags = run.data.tags
                if (tags.get("lttune.study"), tags.get(STUDY_ID)) == (self._study, self._study_id):
                    text = tags.get("lttune.trial")
                    number = None if text is None else int(text)
                    found.setdefault(number, _known(run, number))
            token = page.token or None
        return found


def _known(run: StoredRun, number: int | None) -> Run:
    info, data = run.info, run.data
    tags, metrics = dict(data.tags), dict(data.metrics)
    return Run(
        *(number, info.run_id, info.run_name or "", info.status),
        *(tags, set(data.params), metrics),
    )
