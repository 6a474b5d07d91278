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
_PAGE = 200
"""Runs that are read at a time: of a thousand, a server's answer takes seconds."""


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
    """A study's runs in one store: each is read when it is asked for, and after a call that failed.

    Which there are is seen page by page, in the order in which they were started and so about that
    in which a study that is run again asks for them. What is known of a run takes some kilobytes:
    it is kept while the trial runs. Of the others there is no more than MLflow's number.

    Attributes:
        is_sure: whether the failed change was of runs that had been looked at just before, so
            that a refusal says something of the change and not of what was known.
    """

    def __init__(self, study: str, study_id: str | None) -> None:
        self._study, self._study_id = study, study_id
        self._known: dict[int | None, Run] = {}
        self._ids: dict[int, str] = {}
        self._page: dict[int, StoredRun] = {}
        self._since: int | None = 0
        self._token: str | None = None
        self._client: MlflowClient | None = None
        self._experiment = ("", 0)
        self._doubtful: set[int | None] = set()
        self._fresh: set[int | None] = set()
        self.is_sure = True

    def get(self, number: int | None) -> Run | None:
        """Returns the study's run or that of a trial; None if there is none."""
        if number is None or number in self._known:
            return self._known.get(number)
        while number not in self._ids and self._since is not None:
            self._turn_page()
        if number in self._page:
            self._known[number] = _known(self._page.pop(number), number)
        elif number in self._ids:
            self._read(number)
        return self._known.get(number)

    def running(self) -> list[Run]:
        """Returns the runs of trials that are RUNNING, those that a killed driver left too."""
        for run in self._found("attributes.status = 'RUNNING' and tags.`lttune.kind` = 'trial'"):
            number = _number_of(run)
            if number is not None and number not in self._known:
                self._keep(run, number)
        known = self._known.values()
        return [run for run in known if run.number is not None and run.status == "RUNNING"]

    def add(self, run: StoredRun, number: int | None) -> Run:
        """Keeps a run that was just made, and has no level."""
        made = self._keep(run, number)
        made.levels = set()
        return made

    def forget(self, number: int) -> None:
        """Keeps no more of a trial's run than which it is."""
        self._known.pop(number, None)
        self._page.pop(number, None)

    def refresh(self, client: MlflowClient, experiment: Experiment) -> None:
        """Looks at what is in doubt; of a store that was not asked before all is.

        An experiment of the same name and number may be in a database that took the other's place;
        when it was made tells.
        """
        self._client = client
        place = (experiment.experiment_id, experiment.creation_time)
        if place != self._experiment or not self._has_looked_again():
            self._experiment, self._doubtful = place, set[int | None]([None])
            for known in (self._known, self._ids, self._page, self._fresh):
                known.clear()
            self._since, self._token = 0, None
            self._look_at(None)
        self._doubtful, self.is_sure = set(), True

    @contextlib.contextmanager
    def changing(self, number: int | None) -> Iterator[None]:
        """Has a run looked at afresh if what is done meanwhile fails: it may be half done."""
        try:
            yield
        except Exception:
            self._doubtful.add(number)
            self.is_sure = self.is_sure and number in self._fresh
            raise

    def settle(self) -> None:
        """Notes that what was looked at has been built on: it is no news any more."""
        self._fresh = set()

    def _has_looked_again(self) -> bool:
        """Looks at the runs in doubt; returns whether the store lets itself be asked for them."""
        try:
            for number in self._doubtful:
                self._look_at(number)
        except Exception as error:
            if is_refusal(error):
                return False
            raise
        return True

    def _keep(self, run: StoredRun, number: int | None) -> Run:
        kept = self._known[number] = _known(run, number)
        if number is not None:
            self._ids[number] = run.info.run_id
        return kept

    def _read(self, number: int) -> None:
        """Reads a run of which the number is known; it may have been deleted since."""
        assert self._client is not None
        run = self._client.get_run(self._ids[number])
        if run.info.lifecycle_stage == "active":
            self._keep(run, number)
            self._fresh.add(number)
        else:
            self._look_at(number)

    def _look_at(self, number: int | None) -> None:
        """Looks for a run afresh, whatever was known of it."""
        tag = "`lttune.kind` = 'study'" if number is None else f"`lttune.trial` = '{number}'"
        found = self._found(f"tags.{tag}")
        self._known.pop(number, None)
        if number is not None:
            self._ids.pop(number, None)
            self._page.pop(number, None)
        for run in found[:1]:
            self._keep(run, number)
        self._fresh.add(number)

    def _turn_page(self) -> None:
        """Reads the runs that were started next.

        They are told by their start, not by how many come before them: of those some may be
        deleted meanwhile, and as many others would be passed over.
        """
        assert self._since is not None
        which = f"attributes.start_time >= {self._since}" if self._since else ""
        page, self._token = self._searched(which, self._token)
        self._page.clear()
        for run in filter(self._is_ours, page):
            number = _number_of(run)
            if number is not None and number not in self._ids:
                self._ids[number], self._page[number] = run.info.run_id, run
                self._fresh.add(number)
        last = page[-1].info.start_time if page else None
        if not self._token:
            self._since = None
        elif last is not None and last > self._since:
            self._since, self._token = last, None

    def _found(self, which: str) -> list[StoredRun]:
        """Returns the study's runs that MLflow's filter lets through, the oldest first."""
        page, token = self._searched(which, None)
        found = [*page]
        while token:
            page, token = self._searched(which, token)
            found += page
        return [run for run in found if self._is_ours(run)]

    def _searched(self, which: str, token: str | None) -> tuple[list[StoredRun], str | None]:
        assert self._client is not None
        experiments, order = [self._experiment[0]], ["start_time ASC"]
        page = self._client.search_runs(
            experiments, which, max_results=_PAGE, order_by=order, page_token=token
        )
        return [*page], page.token or None

    def _is_ours(self, run: StoredRun) -> bool:
        # The filter language cannot quote every study's name, so that it is compared here.
        tags = run.data.tags
        return (tags.get("lttune.study"), tags.get(STUDY_ID)) == (self._study, self._study_id)


def _number_of(run: StoredRun) -> int | None:
    text = run.data.tags.get("lttune.trial")
    return None if text is None else int(text)


def _known(run: StoredRun, number: int | None) -> Run:
    info, data = run.info, run.data
    tags, metrics = dict(data.tags), dict(data.metrics)
    return Run(
        *(number, info.run_id, info.run_name or "", info.status),
        *(tags, set(data.params), metrics),
    )
