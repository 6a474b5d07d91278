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

from lttune.confirmation import Confirmation
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.transforms import outline
from lttune.driver import Interrupted, on_interrupt, run_trials, start_ray
from lttune.files import read_json, write_json
from lttune.ledger import ENDED, Ledger, Trial
from lttune.mlflow_views import POINT, View, views
from lttune.models import Network
from lttune.outcome import Outcome, show
from lttune.phases import levels, phase_config, plan_trials, work
from lttune.progress import Progress
from lttune.search import StudySearcher
from lttune.settings import Study, StudyConfig
from lttune.sheet import continued
from lttune.summary import level_metrics, trial_metrics
from lttune.tables import Tables
from lttune.tracking import Status, Tracker

STATUS: dict[str, Status] = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}

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
        self._tracker = Tracker(config.tracking_uri, config.name)
        self._progress = Progress(self._ledger, work(config, study, datasets), self._console)

    def run(self) -> Outcome:
        """Runs the missing trials, then writes records and report and closes MLflow's runs."""
        interrupts = list[Interrupted]()

        def interrupt(signum: int) -> None:
            interrupts.append(Interrupted(signum))
            raise interrupts[0]

        self._open_tracking()
        self._ran = not self._ledger.finished
        if self._ran:
            restore = on_interrupt(interrupt)
            try:
                with self._progress:
                    self._run_trials(interrupt)
            except KeyboardInterrupt:
                # In the middle of a call of Ray, ours comes back as a plain one.
                interrupts = interrupts or [Interrupted(signal.SIGINT)]
            except BaseException:
                self._tracker.finish("FAILED")
                self._tracker.close(timeout_s=30)
                raise
            finally:
                restore()
                ray.shutdown()
                # Ray's state files are scratch; networks and ledger are what a study is.
                shutil.rmtree(self._config.folder / "ray", ignore_errors=True)
        return self._finish(interrupts[0] if interrupts else None)

    def started(self, trial: Trial) -> None:
        """A trial begins."""
        self._progress.started()
        self._show_trial(trial)

    def level(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """A trial finished a level: keep its rows, show and mirror it."""
        self._tables.keep(trial, report["rows"], report["layers"])
        self._progress.level(trial, report, self._share(trial, report["level"]))
        self._tracker.level(trial.number, report["level"], level_metrics(report["rows"]))

    def ended(self, trial: Trial) -> None:
        """A trial ended: write the records, close its run."""
        self._tables.write()
        self._end_in_tracker(trial)
        self._progress.ended(trial)

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised: keep where, for whoever mends it."""
        path = self._config.folder / "failures" / f"trial-{trial.number:03d}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(traceback)

    def _run_trials(self, interrupt: Callable[[int], None]) -> None:
        config, chosen = self._config, self._chosen
        resources = start_ray(config)
        self._console.print(f"engine: {chosen.engine}{chosen.reason and f' ({chosen.reason})'}")
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
        base = phase_config(trial.phase, self._config.lottery, self._config.objective)
        return (level + 1) / levels(base.override(trial.hparams), self._datasets)

    def _rows_of(self, trial: Trial) -> list[dict[str, Any]]:
        return self._tables.of(trial)

    def _open_tracking(self) -> None:
        config, code = self._config, self._sheet["code"]
        tags = {
            "lttune.scale": config.scale,
            "lttune.version": code["version"],
            "lttune.command": self._sheet["command"],
            "mlflow.source.name": self._study.file.name,
        }
        if code["commit"]:
            tags["mlflow.source.git.commit"] = code["commit"]
            tags["lttune.dirty"] = str(code["dirty"]).lower()
        self._tracker.start(
            description=f"{self._study.question} ({self._study.source})",
            params={**self._settings(), **config.lottery.flat()},
            tags=tags,
            files=[config.folder / "study.json", config.folder / self._study.file.name],
            dataset=self._dataset,
            views=self._views(),
        )
        # MLflow may lack what an earlier run could not send: what is there is not sent again.
        for trial in self._ledger.trials:
            if trial.state in ENDED:
                self._show_trial(trial)
                rows = self._rows_of(trial)
                for level in sorted({row["level"] for row in rows}):
                    mine = [row for row in rows if row["level"] == level]
                    self._tracker.level(trial.number, level, level_metrics(mine))
                self._end_in_tracker(trial)

    def _views(self) -> list[View]:
        trials, target = self._ledger.trials, self._config.objective
        # A dictionary keeps the order, which a set would not.
        factors = dict.fromkeys([*self._study.space, *(p for t in trials for p in t.hparams)])
        controls = dict.fromkeys(control for trial in trials for control in trial.controls)
        return views(factors, target.name, target.direction == "minimize", list(controls))

    def _settings(self) -> dict[str, Any]:
        names = ("scale", "seed", "trials", "replicates", "sampler", "controls")
        values = self._config.plain()
        space = {f"space.{path}": text for path, text in self._sheet["space"].items()}
        target = {"objective": self._config.objective.name}
        return {name: values[name] for name in names} | target | space

    def _show_trial(self, trial: Trial) -> None:
        # Not ``override``, which refuses the values of a trial that will fail.
        base = phase_config(trial.phase, self._config.lottery, self._config.objective)
        validation = validation_size(self._dataset, base.data.validation)
        params = {**base.flat(), "data.validation": validation, **trial.hparams}
        replicate = f"replicate={trial.replicates[0]}"
        tags = {
            "lttune.phase": trial.phase,
            "lttune.replicates": repr(trial.replicates),
            POINT: trial.label.removesuffix(replicate).strip() or trial.phase,
        }
        if trial.role is not None:
            tags["lttune.role"] = trial.role
        self._tracker.trial(trial.number, trial.name, params, tags)

    def _end_in_tracker(self, trial: Trial) -> None:
        rows = self._rows_of(trial)
        summary: dict[str, float] = {}
        if rows and trial.state == "complete":
            summary = trial_metrics(rows, self._classes, self._config.objective)
        # MLflow sorts parameters as text; as metrics they sort, and can be an axis, as numbers.
        base = self._config.lottery.flat()
        factors = {path: trial.hparams.get(path, base.get(path)) for path in self._study.space}
        numbers = {n: float(v) for n, v in factors.items() if isinstance(v, int | float)}
        self._tracker.end_trial(trial.number, STATUS[trial.state], {**numbers, **summary})

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
        self._tracker.finish("KILLED" if interrupted else status, files)
        missing = self._tracker.close(timeout_s=15 if interrupted else 60)
        if self._ran:
            self._ledger.wall_s += time.monotonic() - self._chosen.began
            self._ledger.save()
        outcome = Outcome(
            exit_code=interrupted.exit_code if interrupted else int(not self._ledger.finished),
            report=page,
            tracking=self._tracker.address,
            not_tracked=missing,
        )
        rows = self._tables.rows
        show(outcome, self._ledger, rows, self._config, self._classes, self._console)
        return outcome
