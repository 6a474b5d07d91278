"""A study as MLflow shows it: what is sent of its settings and of each trial.

All of it is read from the values of the study's files, so that a study that runs and ``lttune
sync`` send the same.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.config import DEPTH, from_dict
from lttune.config.control import branch_name
from lttune.config.fields import settings_text
from lttune.config.lottery.length import joined_settings
from lttune.records.ledger import Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.records.summary import level_metrics, metric_of, trial_metrics
from lttune.records.tables import TABLES, Row
from lttune.records.tables.curves import CURVES_FILE
from lttune.store.regular import is_of_system
from lttune.study.phases.planned import phase_config
from lttune.study.tracking.examples import TrainingExamples
from lttune.study.tracking.tracker import RunStatus, Tracker
from lttune.study.tracking.views import POINT, View, views

STATUS: dict[str, RunStatus] = {"complete": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
"""State of an ended trial -> MLflow's."""

MIRRORED = (
    *("name", "question", "source", "scale", "command", "space", "lottery"),
    *(f"dataset.{field}" for field in ("name", "digest", "source", "train", "validation")),
    *("config.objective", "code.version", "code.commit", "code.dirty"),
)
"""Fields of ``study.json`` that are sent, or that what is sent is computed from."""

_PARAMS = ("scale", "seed", "trials", "replicates", "sampler", "controls")
"""Settings that are parameters of the study's run."""


class TrackedStudy:
    """One study, mirrored trial by trial.

    Args:
        folder: of the study.
        sheet: the values of ``study.json``.
        trials: all of them, those that a study that runs adds later too.
        rows_of: the records of a trial.
        tracker: the thread that sends; whoever made it closes it.
    """

    def __init__(
        self,
        folder: Path,
        sheet: Mapping[str, Any],
        trials: Sequence[Trial],
        rows_of: Callable[[Trial], Sequence[Row]],
        tracker: Tracker,
    ) -> None:
        self._folder, self._sheet, self._tracker = folder, sheet, tracker
        self._trials, self._rows_of = trials, rows_of
        self._lottery = from_dict(sheet["lottery"])
        self._objective = ObjectiveConfig(**sheet["config"]["objective"])

    def open(self, is_running: bool) -> None:
        """Opens the study's run, and sends what MLflow lacks of trials that have records.

        Args:
            is_running: whether the study goes on now; else only what is missing is filled in.
        """
        sheet, code = self._sheet, self._sheet["code"]
        file = self._file()
        tags = {
            "lttune.scale": sheet["scale"],
            "lttune.version": code["version"],
            "lttune.command": sheet["command"],
            "mlflow.source.name": file.name,
        }
        if code["commit"]:
            tags["mlflow.source.git.commit"] = code["commit"]
            tags["lttune.dirty"] = str(code["dirty"]).lower()
        self._tracker.start(
            description=f"{sheet['question']} ({sheet['source']})",
            params={**self._settings(), **self._lottery.flat()},
            tags=tags,
            files=self._own([self._folder / "study.json", file]),
            dataset=TrainingExamples.of(sheet["dataset"]),
            views=self._views(),
            is_running=is_running,
        )
        # Chosen now, because what runs later is sent as it comes.
        ended = [trial for trial in self._trials if trial.state in STATUS or self._rows_of(trial)]
        self._tracker.fill(self._filled(ended), len(ended))

    def show(self, trial: Trial, is_running: bool = True) -> None:
        """Opens the run of a trial."""
        # Not ``override``, which refuses the values of a trial that will fail.
        base = phase_config(trial.phase, self._lottery, self._objective)
        validation = self._sheet["dataset"]["validation"]
        known = {**base.flat(), "data.validation": validation}
        params = joined_settings(known, trial.hparams)
        settings = settings_text(trial.hparams)
        point = trial.label.removesuffix(f"replicate={trial.replicates[0]}").strip()
        tags = {
            "lttune.phase": trial.phase,
            "lttune.replicates": repr(trial.replicates),
            POINT: settings if point in ("", settings) else f"{settings} ({point})",
        }
        if trial.role is not None:
            tags["lttune.role"] = trial.role
        self._tracker.trial(trial.number, trial.name, params, tags, is_running)

    def level(self, trial: Trial, level: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Sends the rows of a level's networks."""
        self._tracker.level(trial.number, level, level_metrics(rows))

    def end(self, trial: Trial) -> None:
        """Sends a trial's summary and state."""
        rows = self._rows_of(trial)
        summary: dict[str, float] = {}
        if rows and trial.state == "complete":
            classes = self._sheet["dataset"]["classes"]
            summary = trial_metrics(rows, classes, self._objective, trial.values or ())
        # MLflow sorts parameters as text; as metrics they sort, and can be an axis, as numbers.
        settings = joined_settings(self._lottery.flat(), trial.hparams)
        factors = {path: settings.get(path) for path in self._sheet["space"]}
        numbers = {n: float(v) for n, v in factors.items() if isinstance(v, int | float)}
        self._tracker.end_trial(trial.number, STATUS[trial.state], {**numbers, **summary})

    def finish(self, status: RunStatus, tables: Sequence[Path] = ()) -> None:
        """Sends report, tables and figures, and closes the study's run.

        Args:
            status: how it ended.
            tables: files that are sent in place of those of their names, until the tracker is
                closed: whole ones, where the study's have journals.
        """
        folder, others = self._folder, {path.name for path in tables}
        names = sorted({"study.json", "report.html", *TABLES, CURVES_FILE} - others)
        files = [*(folder / name for name in names), *sorted((folder / "figures").glob("*"))]
        self._tracker.finish(status, [*tables, *self._own(files)])

    def _filled(self, trials: Sequence[Trial]) -> Iterator[None]:
        """Sends one trial a step: what MLflow has already is found there, and not sent again."""
        for trial in trials:
            self.show(trial, is_running=False)
            rows = self._rows_of(trial)
            for level in sorted({row["level"] for row in rows}):
                self.level(trial, level, [row for row in rows if row["level"] == level])
            if trial.state in STATUS:
                self.end(trial)
            yield

    def _own(self, files: Sequence[Path]) -> list[Path]:
        """Returns the files that are there, but links to others' and what systems leave."""
        root = self._folder.resolve()
        found = [path for path in files if path.is_file() and not is_of_system(path.name)]
        return [path for path in found if root in path.resolve().parents]

    def _file(self) -> Path:
        """Returns the study file's copy, which its command names."""
        words: list[str] = []
        with contextlib.suppress(ValueError):  # Of a command that ends inside of quotes.
            words = shlex.split(self._sheet["command"])
        return self._folder / Path(words[1] if len(words) > 1 else "study.py").name

    def _views(self) -> list[View]:
        trials, objective, base = self._trials, self._objective, self._lottery.flat()
        # A dictionary keeps the order, which a set would not.
        given = dict.fromkeys(path for trial in trials for path in trial.hparams)
        # A sweep names what is the base's own too.
        values = {p: {repr(t.hparams.get(p, base.get(p))) for t in trials} for p in given}
        varied = [path for path, found in values.items() if found - {repr(base.get(path))}]
        factors = dict.fromkeys(p for p in (*self._sheet["space"], *varied) if p not in DEPTH)
        controls = dict.fromkeys(branch_name(name) for t in trials for name in t.controls)
        best, ascending = metric_of(objective.measures[0]), objective.directions[0] == "minimize"
        return views(factors, best, ascending, list(controls))

    def _settings(self) -> dict[str, Any]:
        config = self._sheet["config"]
        space = {f"space.{path}": text for path, text in self._sheet["space"].items()}
        shown = {name: config[name] for name in _PARAMS if name in config}
        return shown | {"objective": self._objective.name} | space
