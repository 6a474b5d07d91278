"""One run of a study: what is missing is run, what happens is recorded, shown and mirrored."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from rich.console import Console

from lttune.data import Dataset
from lttune.data.transforms import outline
from lttune.models import Network
from lttune.records.ledger import Ledger, Trial
from lttune.records.tables import Tables
from lttune.store.files import read_json, write_json
from lttune.study.console.outcome import Outcome, show
from lttune.study.console.progress import Progress
from lttune.study.declared import Study
from lttune.study.manifest import continued
from lttune.study.mirrored import TrackedStudy
from lttune.study.phases.confirmation import Confirmation
from lttune.study.phases.planned import levels, phase_config, plan_trials, work
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import Status
from lttune.study.workers.cluster import start_ray
from lttune.study.workers.tune import Interrupted, on_interrupt, run_trials

Report = Callable[[Path], Path]
"""Writes the report of a study's folder and returns its path."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What was settled about a run before it began."""

    engine: str
    """Which engine the workers make."""
    reason: str
    """Why it is not the fast one; empty if it is."""
    began: float
    """Monotonic time at which the command began, from which wall time counts."""

    def show(self, console: Console) -> None:
        """Prints the engine, and why it is not the fast one, in one line."""
        line = f"engine: {self.engine}{self.reason and f' ({self.reason})'}"
        console.print(line, soft_wrap=True, markup=False)


class Conductor:
    """Runs one study once; a ``Listener`` of its trials.

    Args:
        config: the settings.
        study: what the study file declares.
        datasets: the examples of every dataset that it can come to, by name, as loaded.
        network: its base architecture.
        sheet: the values of ``study.json``.
        report: writes the report at the end.
        chosen: the engine, and when this run began.
    """

    def __init__(
        self,
        config: StudyConfig,
        study: Study,
        datasets: Mapping[str, Dataset],
        network: Network,
        sheet: Mapping[str, Any],
        report: Report,
        chosen: Chosen,
    ) -> None:
        self._config, self._study, self._datasets = config, study, datasets
        self._dataset = datasets[config.lottery.data.name]
        self._classes = outline(self._dataset, config.lottery.data)[1]
        self._network, self._report, self._chosen = network, report, chosen
        self._ran = False
        self._levels: dict[int, int] = {}
        self._interrupts = list[Interrupted]()
        self._console = Console(highlight=False)
        folder = config.folder
        path = folder / "study.json"
        self._sheet = continued(read_json(path) if path.exists() else None, sheet)
        write_json(path, self._sheet)
        shutil.copyfile(study.file, folder / study.file.name)
        self._ledger = Ledger.open(folder / "trials.json")
        self._tables = Tables(folder, config.name)
        self._tables.read(self._ledger)
        plan_trials(self._ledger, config, study)
        self._tracked = TrackedStudy(
            config, study, self._dataset, self._sheet, self._ledger, self._tables
        )
        self._progress = Progress(self._ledger, work(config, study, datasets), self._console)

    def run(self) -> Outcome:
        """Runs the missing trials, then writes records and report and closes MLflow's runs."""
        interrupts = self._interrupts

        def interrupt(signum: int) -> None:
            interrupts.append(Interrupted(signum))
            raise interrupts[0]

        self._tracked.open()
        self._ran = not self._ledger.finished
        if self._ran:
            restore = on_interrupt(interrupt)
            try:
                with self._progress:
                    self._run_trials(interrupt)
            except KeyboardInterrupt:
                # In the middle of a call of Ray, ours comes back as a plain one.
                interrupts[:] = interrupts or [Interrupted(signal.SIGINT)]
            except BaseException:
                self._tracked.tracker.finish("FAILED")
                self._tracked.tracker.close(timeout_s=30)
                raise
            finally:
                restore()
                ray.shutdown()
                # Ray's state files are scratch; networks and ledger are what a study is.
                shutil.rmtree(self._config.folder / "ray", ignore_errors=True)
        return self._finish(interrupts[0] if interrupts else None)

    def started(self, trial: Trial) -> None:
        """A trial begins."""
        self._stop_if_interrupted()
        self._progress.started()
        self._tracked.show(trial)

    def level(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """A trial finished a level: keep its rows, show and mirror it."""
        self._stop_if_interrupted()
        self._tables.keep(trial, report["rows"], report["layers"])
        self._progress.level(trial, report, self._share(trial, report["level"]))
        self._tracked.level(trial, report["level"], report["rows"])

    def ended(self, trial: Trial) -> None:
        """A trial ended: write the records, close its run."""
        self._tables.write()
        self._tracked.end(trial)
        self._progress.ended(trial)

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised: keep where, for whoever mends it."""
        path = self._config.folder / "failures" / f"trial-{trial.number:03d}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(traceback)

    def _stop_if_interrupted(self) -> None:
        # Where an exception cannot be raised, as in a callback from C, Python drops it.
        if self._interrupts:
            raise self._interrupts[0]

    def _run_trials(self, interrupt: Callable[[int], None]) -> None:
        config, chosen = self._config, self._chosen
        resources = start_ray(config)
        chosen.show(self._console)
        on_interrupt(interrupt)  # Ray has taken SIGTERM for itself, and would end in SIGABRT.
        cores = max(1, int(resources.get("CPU", 1)))
        searcher = StudySearcher(
            self._ledger,
            config.lottery,
            self._study.space,
            config.objective,
            sampler=config.sampler,
            seed=config.seed,
            replicates=config.search_replicates,
            confirmation=Confirmation.of(config, self._study),
            control_densities=config.control_densities,
        )
        concurrent = min(config.max_concurrent or cores, cores)
        engine = self._chosen.engine
        run_trials(config, self._ledger, searcher, self._datasets, self, concurrent, engine)

    def _share(self, trial: Trial, level: int) -> float:
        if trial.number not in self._levels:
            base = phase_config(trial.phase, self._config.lottery, self._config.objective)
            mine = base.override(trial.hparams)
            self._levels[trial.number] = levels(mine, self._datasets)
        return (level + 1) / self._levels[trial.number]

    def _finish(self, interrupted: Interrupted | None) -> Outcome:
        for trial in self._ledger.trials:
            if trial.state == "running":
                trial.state = "waiting"
        self._ledger.save()
        self._tables.write()
        page = self._report(self._config.folder)
        figures = sorted((self._config.folder / "figures").glob("*"))
        tables = [self._config.folder / f"{name}.parquet" for name in ("records", "layers")]
        files = [page, *tables, *figures]
        status: Status = "FAILED"
        if self._ledger.finished:
            status = "FINISHED" if self._ledger.complete else "KILLED"
        tracker = self._tracked.tracker
        tracker.finish("KILLED" if interrupted else status, files)
        missing = tracker.close(timeout_s=15 if interrupted else 60)
        if self._ran:
            self._ledger.wall_s += time.monotonic() - self._chosen.began
            self._ledger.save()
        outcome = Outcome(
            exit_code=interrupted.exit_code if interrupted else int(not self._ledger.finished),
            report=page,
            tracking=tracker.address,
            not_tracked=missing,
        )
        rows = self._tables.rows
        show(outcome, self._ledger, rows, self._config, self._classes, self._console)
        return outcome
