"""One run of a study: what is missing is run, what happens is recorded, shown and mirrored."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import ray
from rich.console import Console

from lttune import records
from lttune.config import LotteryConfig
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.transforms import outline
from lttune.densities import planned_densities
from lttune.driver import Interrupted, on_interrupt, run_trials, start_ray
from lttune.errors import StorageError
from lttune.files import read_json, write_json
from lttune.lab import network_of
from lttune.ledger import Ledger, Trial
from lttune.models import Network
from lttune.outcome import Outcome, show
from lttune.progress import Progress
from lttune.search import StudySearcher, phase_config
from lttune.settings import Study, StudyConfig
from lttune.sheet import continued
from lttune.summary import level_metrics, trial_metrics
from lttune.tracking import Status, Tracker
from lttune.trial import networks

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
        self._plan()
        self._rows: dict[tuple[int, int, str, int], dict[str, Any]] = {}
        self._layers: dict[tuple[int, int, int, str], dict[str, Any]] = {}
        self._read_records()
        self._tracker = Tracker(config.tracking_uri, config.name)
        self._progress = Progress(self._ledger, self._work(), self._console)

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
        for row in report["rows"]:
            own = {"phase": trial.phase, "role": trial.role, "inert": trial.inert}
            self._keep({"study": self._config.name, "trial": trial.number, **own, **row})
        whose = {"study": self._config.name, "phase": trial.phase, "trial": trial.number}
        for row in report["layers"]:
            self._keep_layer({**whose, **row})
        self._progress.level(trial, report, self._share(trial, report["level"]))
        self._tracker.level(trial.number, report["level"], level_metrics(report["rows"]))

    def ended(self, trial: Trial) -> None:
        """A trial ended: write the records, close its run."""
        self._write_records()
        self._end_in_tracker(trial)
        self._progress.ended(trial)

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised: keep where, for whoever mends it."""
        path = self._config.folder / "failures" / f"trial-{trial.number:03d}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(traceback)

    def _plan(self) -> None:
        """Adds the anchor's missing trials and says how many make each phase complete."""
        ledger, config = self._ledger, self._config
        ledger.only = config.phases
        if "anchor" in config.phases:
            have = {replicate for trial in ledger.of("anchor") for replicate in trial.replicates}
            for replicate in range(config.replicates):
                if replicate in have:
                    continue
                label = f"replicate={replicate}"
                ledger.add("anchor", label, {}, [replicate], list(config.controls))
            ledger.planned["anchor"] = len(ledger.of("anchor"))
        for phase, points in self._study.points_of(config).items():
            known = {trial.label for trial in ledger.of(phase)}
            # Replicate by replicate, so that an early look has every point once.
            most = max(len(point.replicates) for point in points)
            each = [(p, i) for i in range(most) for p in points if i < len(p.replicates)]
            for point, index in each:
                replicate = point.replicates[index]
                name = f"{point.label} replicate={replicate}"
                if name not in known:
                    controls = list(point.controls)
                    reason = (point.role, point.inert)
                    ledger.add(phase, name, point.hparams, [replicate], controls, *reason)
            ledger.planned[phase] = len(ledger.of(phase))
        if "search" in config.phases:
            ledger.planned["search"] = max(config.trials, len(ledger.of("search")))
        ledger.save()

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
            control_densities=config.control_densities,
        )
        concurrent = min(config.max_concurrent or cores, cores)
        engine = self._chosen.engine
        run_trials(config, self._ledger, searcher, self._datasets, self, concurrent, engine)

    def _work(self) -> dict[str, float]:
        """Returns the networks that a trial of each phase trains, for the time left."""
        config, base = self._config, self._config.lottery
        work: dict[str, float] = {
            "anchor": self._networks(base, config.controls),
            "search": self._levels(base) * config.search_replicates,
        }
        for phase, points in self._study.points_of(config).items():
            work[phase] = fmean(
                self._networks(base.override(p.hparams), p.controls) for p in points
            )
        return work

    def _networks(self, lottery: LotteryConfig, controls: Sequence[str]) -> int:
        network = network_of(lottery, self._datasets[lottery.data.name])
        planned = planned_densities(lottery, network)
        return sum(networks(planned, controls, self._config.control_densities))

    def _levels(self, lottery: LotteryConfig) -> int:
        network = network_of(lottery, self._datasets[lottery.data.name])
        return len(planned_densities(lottery, network))

    def _share(self, trial: Trial, level: int) -> float:
        base = phase_config(trial.phase, self._config.lottery, self._config.objective)
        return (level + 1) / self._levels(base.override(trial.hparams))

    def _keep(self, row: dict[str, Any]) -> None:
        self._rows[row["trial"], row["replicate"], row["branch"], row["level"]] = row

    def _keep_layer(self, row: dict[str, Any]) -> None:
        self._layers[row["trial"], row["replicate"], row["level"], row["layer"]] = row

    def _read_records(self) -> None:
        """Keeps the rows of complete trials; one without rows waits again, its cells are there."""
        complete = {trial.number for trial in self._ledger.trials if trial.state == "complete"}
        rows, layers = (self._read_table(name) for name in ("records", "layers"))
        for row in rows:
            if row["trial"] in complete:
                self._keep(row)
        for row in layers:
            if row["trial"] in complete:
                self._keep_layer(row)
        found = {row["trial"] for row in rows} & {row["trial"] for row in layers}
        for number in complete - found:
            self._ledger.trials[number].state = "waiting"

    def _read_table(self, name: str) -> list[dict[str, Any]]:
        path = self._config.folder / f"{name}.parquet"
        try:
            return records.read(path)
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{path} is damaged ({type(error).__name__}): move it away"
            ) from error

    def _write_records(self) -> None:
        folder = self._config.folder
        layers = list(self._layers.values())
        records.write(folder / "layers.parquet", layers, records.LAYERS)
        records.write(folder / "records.parquet", list(self._rows.values()))

    def _rows_of(self, trial: Trial) -> list[dict[str, Any]]:
        return [row for key, row in self._rows.items() if key[0] == trial.number]

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
        )
        # MLflow may lack what an earlier run could not send: what is there is not sent again.
        for trial in self._ledger.trials:
            if trial.state == "complete":
                self._show_trial(trial)
                rows = self._rows_of(trial)
                for level in sorted({row["level"] for row in rows}):
                    mine = [row for row in rows if row["level"] == level]
                    self._tracker.level(trial.number, level, level_metrics(mine))
                self._end_in_tracker(trial)

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
        tags = {"lttune.phase": trial.phase, "lttune.replicates": repr(trial.replicates)}
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
        self._write_records()
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
        rows = list(self._rows.values())
        show(outcome, self._ledger, rows, self._config, self._classes, self._console)
        return outcome
