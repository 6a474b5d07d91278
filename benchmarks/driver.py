"""What a trial costs the driver of a study, by part: nothing is trained.

The levels of one real trial are reported again and again, as workers would, to all that a driver
has: searcher, ledger, tables, display, MLflow on SQLite. With ``--ray`` Ray's workers report them.

    python -m benchmarks.driver 4000 [--no-mlflow] [--search] [--ray] [--last 100] [--at FOLDER]
    python -m benchmarks.driver 100 --uri http://127.0.0.1:5000

While it runs it prints a line of JSON for 100, 200, 400, 1,000, ... trials, at the end one for all.
A folder that is named is kept: the same call again measures what a finished study that is run again
takes.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from optuna.distributions import FloatDistribution

from benchmarks.curve import Curve, rss_kb
from benchmarks.parts import Parts
from lttune.config.presets import LENET_300_100
from lttune.data import load
from lttune.records.ledger import Ledger
from lttune.records.tables import Tables
from lttune.store.store import Store
from lttune.study import conductor
from lttune.study.console.progress import Progress
from lttune.study.declared import Study
from lttune.study.mirrored import TrackedStudy
from lttune.study.phases.planned import Depths
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import Tracker
from lttune.study.workers import tune
from lttune.study.workers.trainable import LotteryTrainable
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

LOTTERY = LENET_300_100.override(
    {
        **{"data.name": "digits", "levels": 15, "train.steps": 10, "train.eval_every": 10},
        **{"train.eval_train": 100},
    }
)
_EVENTS = ("on_trial_start", "on_trial_result", "on_trial_complete")
PARTS: dict[str, dict[type, tuple[str, ...]]] = {
    "proposals": {StudySearcher: ("suggest", *_EVENTS)},
    "ledger": {Ledger: ("save", "note")},
    "tables": {Tables: ("keep", "note", "write", "flush", "counts")},
    "ended rows": {Tables: ("pack",)},
    "display": {Progress: ("started", "level", "ended"), Depths: ("share",)},
    "MLflow, what is sent": {TrackedStudy: ("show", "level", "end")},
    "MLflow, noted": {Tracker: ("trial", "level", "end_trial")},
    "events": {tune._Bridge: _EVENTS},
}
"""Part -> the classes whose methods, as far as they have them, are counted for it."""
_REPLAY = "replay"
"""Part of this benchmark itself: rows are made of a trial's own networks."""
_SETTINGS = {*LOTTERY.flat(), "density"}
_AHEAD = 2_000
"""Entries that MLflow's thread may be behind: a real study is no faster either."""


def measure(
    trials: int,
    last: int | None = None,
    is_tracked: bool = True,
    phase: str = "random",
    has_ray: bool = False,
    at: Path | None = None,
    uri: str | None = None,
) -> dict[str, Any]:
    """Returns CPU milliseconds a trial by part, seconds of start and end, and memory a trial.

    Args:
        trials: of the study, each of 16 networks and one replicate.
        last: how many of them are counted, the last ones; None is all.
        is_tracked: whether MLflow is told.
        phase: that they are of.
        has_ray: whether workers of Ray report them; all of them are counted then.
        at: where the study is kept; None keeps it nowhere.
        uri: of MLflow; None is a SQLite file.
    """
    last = trials if last is None or has_ray else last
    kept = contextlib.nullcontext(at) if at else tempfile.TemporaryDirectory()
    with kept as scratch, contextlib.closing(Parts(PARTS)) as parts:
        place = Path(scratch)
        reports = _recorded(place / "one")
        config = StudyConfig(
            **{"name": "driver", "scale": "quick", "out": place, "phases": (phase,)},
            **{"trials": trials, "search_replicates": 1, "lottery": LOTTERY},
            tracking_uri=uri or f"sqlite:///{place / 'mlflow.db'}",
        )
        study = Study(
            question="What does a trial cost its driver?",
            source="benchmarks",
            scales={"quick": config},
            space={"train.lr": FloatDistribution(1e-4, 1e-2, log=True)},
            file=Path(__file__),
        )
        found, moments, before_kb = dict[str, Any](), [time.process_time()], rss_kb()
        report_one = parts.timed(_REPLAY, _one)

        def wait(listener: Any, most: int) -> None:
            while is_tracked and listener._tracker._waiting.missing > most:
                time.sleep(0.001)

        def begun() -> Curve:
            moments.append(time.process_time())
            found["start_mb"] = (rss_kb() - before_kb) / 1024
            return Curve(trials)

        def ended(curve: Curve) -> None:
            found.update(curve.found(last))
            found["parts_ms"] = {part: 1e3 * took / last for part, took in parts.spent.items()}
            moments.append(time.process_time())

        def replayed(_: Any, ledger: Ledger, searcher: StudySearcher, *others: Any) -> None:
            listener, curve = others[1], begun()
            bridge = tune._Bridge(ledger, searcher, listener, place / "notes")
            for number in range(trials):
                if number == trials - last:
                    wait(listener, 0)
                    parts.spent.clear()
                    curve.begin()
                report_one(f"{number:08x}", reports, searcher, bridge)
                wait(listener, _AHEAD)
                curve.passed(number + 1)
            wait(listener, 0)
            ended(curve)

        def reported(*arguments: Any) -> None:
            listener, numbers, curve = arguments[4], itertools.count(1), begun()
            end = listener.ended

            def counted(trial: Any) -> None:
                end(trial)
                curve.passed(next(numbers))

            listener.ended = counted
            tune.LotteryTrainable = _replaying(reports)  # type: ignore[misc]
            tune.run_trials(*arguments)
            ended(curve)

        conductor.run_trials = reported if has_ray else replayed  # type: ignore[assignment]
        # No network is written.
        conductor.require_room = lambda *_: None  # type: ignore[assignment]
        if not has_ray:
            conductor.start_ray = lambda config: {"CPU": 2.0}  # type: ignore[assignment]
        if not is_tracked:
            for name in ("start", "trial", "level", "end_trial", "fill"):
                setattr(Tracker, name, lambda *_, **__: None)
        outcome = conductor.run_study(config, study, _no_report)
        assert outcome.exit_code == 0
        whole = {"trials": trials, "whole_cpu_s": time.process_time(), "peak_mb": _peak_mb()}
        if not found:  # It had ended before.
            return {**whole, "again_cpu_s": time.process_time() - moments[0]}
        by_part = found["parts_ms"]
        by_part["the rest"] = found["main_ms"] - sum(by_part.values())
        by_part["MLflow, sent"] = found["cpu_ms"] - found["main_ms"]
        began, ready, over = moments
        edges = {"start_cpu_s": ready - began, "end_cpu_s": time.process_time() - over}
        return {**whole, "last": last, **found, **edges}


def _one(
    trial_id: str, reports: list[dict[str, Any]], searcher: StudySearcher, bridge: Any
) -> None:
    """Reports the levels of a trial."""
    suggested = searcher.suggest(trial_id)
    trial = SimpleNamespace(trial_id=trial_id, config=suggested)
    bridge.on_trial_start(0, [], trial)
    for result in _of_trial(trial_id, reports):
        searcher.on_trial_result(trial_id, result)
        bridge.on_trial_result(0, [], trial, result)
    searcher.on_trial_complete(trial_id, reports[-1])
    bridge.on_trial_complete(0, [], trial)


def _of_trial(trial_id: str, reports: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the levels of a trial: of each network its own, as a study has them."""
    less = 1 - 1e-9 * random.Random(trial_id).random()
    for report in reports:
        rows = [
            {**_measured(row, less), "cell": f"{trial_id}{row['cell'][8:]}"}
            for row in report["rows"]
        ]
        yield {**report, "rows": rows, "layers": [_measured(row, less) for row in report["layers"]]}


def _measured(row: dict[str, Any], less: float) -> dict[str, Any]:
    """Returns a row whose measurements are no other trial's: equal ones would pack to nothing."""
    is_other = {name for name, value in row.items() if type(value) is float} - _SETTINGS
    return {name: value * less if name in is_other else value for name, value in row.items()}


def _replaying(reports: list[dict[str, Any]]) -> type:
    """Returns what reports the levels of a trial at once, in a worker."""

    class Replaying(LotteryTrainable):
        def setup(self, config: dict[str, Any], **others: Any) -> None:
            self.lab = None
            self.reset_config(config)

        def _levels(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
            for report in _of_trial(f"{config['trial']:08x}", reports):
                yield {**report, "done": report["last"]}

    return Replaying


def _recorded(folder: Path) -> list[dict[str, Any]]:
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(folder), 0)
    reports = list(run_trial(LOTTERY, [0], [], lab))
    return [{**report, "depth": 1.0, **_end(report)} for report in reports]


def _end(report: dict[str, Any]) -> dict[str, Any]:
    return {"values": [0.9]} if report["last"] else {}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _no_report(folder: Path) -> Path:
    return folder / "report.html"


def main() -> int:
    """Prints what was measured as lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("--last", type=int)
    parser.add_argument("--no-mlflow", action="store_true")
    parser.add_argument("--search", action="store_true", help="trials that Optuna proposes")
    parser.add_argument("--ray", action="store_true", help="its workers report them")
    parser.add_argument("--at", type=Path, help="where the study is kept")
    parser.add_argument("--uri", help="of MLflow; else a SQLite file")
    asked = parser.parse_args()
    phase = "search" if asked.search else "random"
    how = not asked.no_mlflow, phase, asked.ray, asked.at, asked.uri
    print(json.dumps(measure(asked.trials, asked.last, *how)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
