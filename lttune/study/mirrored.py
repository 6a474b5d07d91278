"""A study as MLflow shows it: what is sent of its settings and of each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.transforms import outline
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.summary import level_metrics, trial_metrics
from lttune.records.tables import Tables
from lttune.study.declared import Study
from lttune.study.phases.planned import phase_config
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import RunStatus, Tracker
from lttune.study.tracking.views import POINT, View, views

STATUS: dict[str, RunStatus] = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
"""State of an ended trial -> MLflow's."""


class TrackedStudy:
    """One run of a study, mirrored trial by trial.

    Args:
        config: the settings.
        study: what the study file declares.
        dataset: the examples of the base configuration.
        sheet: the values of ``study.json``.
        ledger: its trials.
        tables: their records.

    Attributes:
        tracker: the thread that sends; whoever runs the study ends it.
    """

    def __init__(
        self,
        config: StudyConfig,
        study: Study,
        dataset: Dataset,
        sheet: Mapping[str, Any],
        ledger: Ledger,
        tables: Tables,
    ) -> None:
        self._config, self._study, self._dataset = config, study, dataset
        self._sheet, self._ledger, self._tables = sheet, ledger, tables
        self._classes = outline(dataset, config.lottery.data)[1]
        self.tracker = Tracker(config.tracking_uri, config.name)

    def open(self) -> None:
        """Opens the study's run, and sends what MLflow lacks of earlier ones."""
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
        self.tracker.start(
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
                self.show(trial)
                rows = self._tables.of(trial)
                for level in sorted({row["level"] for row in rows}):
                    mine = [row for row in rows if row["level"] == level]
                    self.level(trial, level, mine)
                self.end(trial)

    def show(self, trial: Trial) -> None:
        """Opens the run of a trial."""
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
        self.tracker.trial(trial.number, trial.name, params, tags)

    def level(self, trial: Trial, level: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Sends the rows of a level's networks."""
        self.tracker.level(trial.number, level, level_metrics(rows))

    def end(self, trial: Trial) -> None:
        """Sends a trial's summary and state."""
        rows = self._tables.of(trial)
        summary: dict[str, float] = {}
        if rows and trial.state == "complete":
            summary = trial_metrics(rows, self._classes, self._config.objective)
        # MLflow sorts parameters as text; as metrics they sort, and can be an axis, as numbers.
        base = self._config.lottery.flat()
        factors = {path: trial.hparams.get(path, base.get(path)) for path in self._study.space}
        numbers = {n: float(v) for n, v in factors.items() if isinstance(v, int | float)}
        self.tracker.end_trial(trial.number, STATUS[trial.state], {**numbers, **summary})

    def _views(self) -> list[View]:
        trials, objective = self._ledger.trials, self._config.objective
        # A dictionary keeps the order, which a set would not.
        factors = dict.fromkeys([*self._study.space, *(p for t in trials for p in t.hparams)])
        controls = dict.fromkeys(control for trial in trials for control in trial.controls)
        return views(
            factors, objective.measures[0], objective.direction == "minimize", list(controls)
        )

    def _settings(self) -> dict[str, Any]:
        names = ("scale", "seed", "trials", "replicates", "sampler", "controls")
        values = self._config.plain()
        space = {f"space.{path}": text for path, text in self._sheet["space"].items()}
        objective = {"objective": self._config.objective.name}
        return {name: values[name] for name in names} | objective | space
