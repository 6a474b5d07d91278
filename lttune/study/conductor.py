"""A study from its settings to its outcome: what is missing is run, recorded, shown, mirrored."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lttune.config.rules import every_mistake
from lttune.config.signals import Interrupted, Interrupts
from lttune.data.made import carried, keep_made, not_kept
from lttune.data.transforms import shape_and_classes
from lttune.records.capacity import capacity
from lttune.records.folder import computed_from
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.provenance import with_numerics
from lttune.records.tables import Tables
from lttune.store.sealed import write_object
from lttune.store.workplace import SCRATCH, workplace
from lttune.study.console.curves import add_curves
from lttune.study.console.outcome import Outcome, show, show_absence
from lttune.study.console.printing import PrintingConsole, say_on
from lttune.study.console.progress import Progress
from lttune.study.console.reached import ReachedNote
from lttune.study.declared import Study
from lttune.study.manifest import continued, earlier, filed, refuse_others, require_texts, sheet
from lttune.study.mirrored import TrackedStudy
from lttune.study.phases.limit import TimeLimit
from lttune.study.phases.planned import Depths, plan_trials, require_trials, work
from lttune.study.phases.room import require_room
from lttune.study.phases.shard import fix_beforehand, own_database, require_own_database, sheets
from lttune.study.phases.timed import TIME_IS_UP, left_out_line, time_limit
from lttune.study.prepared import Prepared, prepared
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import RunStatus, Tracker
from lttune.study.workers.cause import keep_traceback
from lttune.study.workers.cluster import end_ray, require_cluster, start_ray
from lttune.study.workers.guardian import children_guarded
from lttune.study.workers.nodes import agreed
from lttune.study.workers.tune import run_trials
from lttune.study.workers.vital import Death, vital_processes

_LOG = logging.getLogger(__name__)

Report = Callable[[Path], Path]
"""Writes the report of a study's folder and returns its path."""


def run_study(
    config: StudyConfig,
    study: Study,
    report: Report,
    began: float | None = None,
    death: Death | None = None,
    arguments: Sequence[str] | None = None,
) -> Outcome:
    """Runs what is missing of a study and writes its report.

    Running a study again goes on where it stopped; running a finished one again trains nothing.

    Args:
        config: the settings.
        study: what the study file declares.
        report: writes the report of a study's folder.
        began: monotonic time at which the command began; None is now.
        death: what is done when a process of this machine's Ray dies, after which the main thread
            may wait for ever; None leaves that to Ray, which then ends this process.
        arguments: as of ``sheet``.

    Raises:
        LttuneError: before anything starts, if the study cannot be run as asked.
    """
    began = time.monotonic() if began is None else began
    _LOG.info("reading the data and checking the settings")
    config = (needed := prepared(config, study)).config
    if config.plan:
        needed.show_plan(PrintingConsole())
        page = config.folder / "report.html"
        return Outcome(exit_code=0, report=page, tracking="", not_tracked="")
    asked = sheet(config, needed.study, needed.dataset, needed.numerics, needed.own, arguments)
    with every_mistake() as mistakes:
        mistakes.attempt(lambda: require_texts(asked))
        mistakes.attempt(lambda: require_cluster(config))
        mistakes.attempt(lambda: require_own_database(config))
        mistakes.attempt(lambda: refuse_others(sheets(config, asked)))
    with workplace(config.folder, config.cells):
        refuse_others(sheets(config, asked))  # Another driver may have begun it meanwhile.
        fix_beforehand(config, study)
        # After what was prepared: its date is when the study began.
        values = {**asked, "created": datetime.now(UTC).isoformat(timespec="seconds")}
        return Conductor(needed, values, report, began, death).run()


class Conductor:
    """Runs one study once; a ``Listener`` of its trials.

    Args:
        needed: the study, checked.
        sheet: the values of ``study.json``.
        report: writes the report at the end.
        began: monotonic time at which the command began, from which wall time counts.
        death: as in ``run_study``.
    """

    def __init__(
        self,
        needed: Prepared,
        sheet: Mapping[str, Any],
        report: Report,
        began: float,
        death: Death | None = None,
    ) -> None:
        config, study, datasets = needed.config, needed.study, needed.datasets
        self._needed, self._config, self._study, self._datasets = needed, config, study, datasets
        self._report, self._began, self._death = report, began, death
        self._classes = shape_and_classes(needed.dataset, config.lottery.data)[1]
        self._depths, self._interrupts = Depths(config, datasets), Interrupts()
        self._limit: TimeLimit | None = None
        self._ran, self._concurrent = False, config.max_concurrent or capacity().cores
        self._command = str(sheet["command"])
        self._console, folder = PrintingConsole(highlight=False), config.folder
        self._sheet = continued(earlier(folder), sheet)
        study_id, listing = self._sheet.get("study_id"), folder / "trials.json"
        self._ledger = Ledger.open(listing, study_id)
        self._wall_before = self._ledger.wall_s
        require_trials(listing, self._ledger.trials, config.lottery, config.objective)
        self._tables = Tables(folder, config.name, study_id)
        self._tables.read(self._ledger)
        with computed_from(listing):
            plan_trials(self._ledger, config, study)
        pictures = not_kept(folder, datasets)
        self._missing = require_room(
            config, study, datasets, pictures.values(), self._ledger, self._sheet
        )
        # The sheet first: trials without one belong to nobody.
        self._sheet = filed(folder, self._sheet, study, is_over=self._ledger.finished)
        self._ledger.save()
        for text in self._tables.renew():
            say_on(self._console, text)
        keep_made(folder, pictures)
        is_own = own_database(config) is not None
        self._tracker = Tracker(config.tracking_uri, config.name, study_id, is_own)
        self._tracked = TrackedStudy(
            folder, self._sheet, self._ledger.trials, self._tables.of, self._tracker
        )
        networks, base = work(config, study, datasets), config.lottery.flat()
        self._progress = Progress(self._ledger, networks, self._console, base, ReachedNote(folder))

    def run(self) -> Outcome:
        """Runs the missing trials, then writes records and report and closes MLflow's runs."""
        _LOG.info("opening MLflow")
        if reason := self._tracker.ask():
            show_absence(self._tracker.address, reason, self._config, self._console)
        self._ran = not self._ledger.finished
        with self._interrupts.handled():
            self._tracked.open(is_running=True)
            if self._ran:
                self._train()
            try:
                outcome = self._finish()
            except Exception:
                self._tracker.finish("FAILED")
                self._close_tracker(15)
                raise
        if interrupted := self._interrupts.first:
            outcome = dataclasses.replace(outcome, exit_code=interrupted.exit_code)
        show(outcome, self._ledger, self._tables.of, self._config, self._classes, self._console)
        return outcome

    def started(self, trial: Trial) -> None:
        """A trial begins."""
        self._interrupts.raise_first()
        self._progress.started()
        self._tracked.show(trial)

    def level(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """A trial finished a level: keep its rows, show and mirror it."""
        self._interrupts.raise_first()
        self._tables.note(trial, report["rows"], report["layers"])
        self._progress.level(trial, report, self._depths.share(trial, report["level"]))
        self._tracked.level(trial, report["level"], report["rows"])

    def told(self, text: str) -> None:
        """A person should read this line."""
        say_on(self._console, text)

    def ended(self, trial: Trial) -> None:
        """A trial ended: write the records, close its run."""
        if trial.state in ENDED:
            trial.rows, trial.rebuilt = self._tables.counts(trial), False
        self._tables.flush()
        self._tracked.end(trial)
        self._tables.pack(trial)
        self._progress.ended(trial)

    def put_off(self, trial: Trial) -> None:
        """A trial was ended for want of time: its rows wait for the levels that it lacks."""
        self._progress.ended(trial)

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised: keep where, for whoever mends it."""
        keep_traceback(self._config.folder, trial.number, traceback)

    def _train(self) -> None:
        with contextlib.ExitStack() as ending:  # Each is done, whatever those before it raise.
            # Ray's state files are scratch; networks and ledger are what a study is.
            ending.callback(shutil.rmtree, self._config.folder / SCRATCH, ignore_errors=True)
            try:
                if self._config.has_own_ray:
                    # Before Ray: what a driver is starting when it is killed ends with it too.
                    ending.enter_context(children_guarded())
                ending.callback(end_ray)
                with self._progress, self._interrupts.raised():
                    self._run_trials()
            except KeyboardInterrupt as error:
                # In the middle of a call of Ray, ours comes back as a plain one.
                ours = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
                self._interrupts.first = self._interrupts.first or ours
            except BaseException:
                self._tracker.finish("FAILED")
                self._close_tracker(30)
                raise

    def _run_trials(self) -> None:
        config, tables, known = self._config, self._tables, self._ledger.trials
        engine, codes = self._needed.engine, carried(self._needed.own)
        self._limit = time_limit(config, self._datasets, engine, self._began, tables, known)
        if self._limit and not self._limit.has_any(self._ledger, config, self._study):
            return
        _LOG.info("starting Ray")
        is_begun = not tables.is_empty or any(trial.rebuilt for trial in known)
        found = agreed(config, engine, start_ray(config), is_begun, self._missing)
        if found.engine != engine:
            self._needed = self._needed.trained_by(found.engine, found.reason)
            self._sheet = with_numerics(self._sheet, self._needed.numerics)
            write_object(config.folder / "study.json", self._sheet)
        _LOG.info("")  # The display of the trials takes over.
        self._needed.show_engine(self._console)
        for line in found.lines:
            say_on(self._console, line)
        cores = max(1, int(found.cores))
        searcher = StudySearcher.of(self._ledger, config, self._study, self._limit)
        concurrent = self._concurrent = min(config.max_concurrent or cores, cores)
        self._needed.show_width(concurrent, self._console)
        with vital_processes(self._death) if self._death else contextlib.nullcontext():
            run_trials(
                config, self._ledger, searcher, self._datasets, self, concurrent, found, codes
            )

    def _finish(self) -> Outcome:
        """Leaves a study as whoever reads it wants it, whole also after a signal."""
        for trial in self._ledger.trials:  # A signal may have come before an end was counted.
            if trial.state == "running":
                trial.state = "waiting"
            elif trial.state in ENDED and (trial.rows is None or trial.rebuilt):
                trial.rows, trial.rebuilt = self._tables.counts(trial), False
        self._save_time()
        self._tables.write()
        add_curves(self._config, self._sheet, lambda: bool(self._interrupts.first), self._console)
        _LOG.info("writing the report")
        page = self._report(self._config.folder)
        _LOG.info("sending the last of it to MLflow")
        interrupted, left_out = self._interrupts.first, ""
        if self._limit and not interrupted:
            found = self._limit.left_out(self._ledger, self._config, self._study)
            left_out = left_out_line(found, self._config, self._concurrent, self._command)
        status: RunStatus = "KILLED" if left_out else "FAILED"
        if self._ledger.finished:
            status = "FINISHED" if self._ledger.complete else "KILLED"
        self._tracked.finish("KILLED" if interrupted else status)
        missing = self._close_tracker(15 if interrupted or self._limit else 60)
        _LOG.info("")
        if self._ran:
            self._save_time()
        return Outcome(
            exit_code=TIME_IS_UP if left_out else int(not self._ledger.finished),
            report=page,
            tracking=self._tracker.address,
            not_tracked=missing,
            left_out=left_out,
            is_complete=self._ledger.complete,
        )

    def _save_time(self) -> None:
        """Saves the ledger with the time so far: a report may fail, or be ended."""
        if self._ran:
            self._ledger.wall_s = self._wall_before + time.monotonic() - self._began
        self._ledger.save()

    def _close_tracker(self, timeout_s: float) -> str:
        before = self._interrupts.first
        return self._tracker.close(timeout_s, lambda: self._interrupts.first is not before)
