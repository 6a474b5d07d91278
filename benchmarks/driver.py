"""What a trial costs the driver of a study, by part: nothing is trained, and no Ray is started.

The levels of one real trial are reported again and again, as workers would, to all that a driver
has: searcher, ledger, tables, display, MLflow on SQLite. What Ray itself costs is not among it.

    python -m benchmarks.driver 4000 [--last 100] [--no-mlflow]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from optuna.distributions import FloatDistribution

from lttune.config.presets import LENET_300_100
from lttune.data import load
from lttune.records.ledger import Ledger
from lttune.records.tables import Tables
from lttune.store.store import Store
from lttune.study import conductor
from lttune.study.console.progress import Progress
from lttune.study.declared import Study
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import Tracker
from lttune.study.workers import tune
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

LOTTERY = LENET_300_100.override(
    {
        **{"data.name": "digits", "levels": 15, "train.steps": 10, "train.eval_every": 10},
        **{"train.eval_train": 100},
    }
)
PARTS: dict[str, tuple[type, tuple[str, ...]]] = {
    "proposals": (StudySearcher, ("_added", "_waiting")),
    "ledger": (Ledger, ("save", "note")),
    "tables": (Tables, ("keep", "note", "settle", "write", "counts")),
    "display": (Progress, ("started", "level", "ended")),
    "MLflow, noted": (Tracker, ("trial", "level", "end_trial")),
}
"""Part -> the class whose methods, as far as it has them, are counted for it."""
_AHEAD = 2_000
"""Entries that MLflow's thread may be behind: a real study is no faster either."""


def measure(trials: int, last: int | None = None, is_tracked: bool = True) -> dict[str, Any]:
    """Returns CPU milliseconds a trial by part, wall seconds, and memory a trial.

    Args:
        trials: of the study, each of 16 networks and one replicate.
        last: how many of them are counted, the last ones; None is all.
        is_tracked: whether MLflow is told.
    """
    last = trials if last is None else last
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        reports = _recorded(place / "one")
        config = StudyConfig(
            **{"name": "driver", "scale": "quick", "out": place, "phases": ("random",)},
            **{"trials": trials, "search_replicates": 1, "lottery": LOTTERY},
            tracking_uri=f"sqlite:///{place / 'mlflow.db'}",
        )
        study = Study(
            question="What does a trial cost its driver?",
            source="benchmarks",
            scales={"quick": config},
            space={"train.lr": FloatDistribution(1e-4, 1e-2, log=True)},
            file=Path(__file__),
        )
        spent, inside, found = defaultdict[str, float](float), [""], dict[str, Any]()
        for part, (owner, names) in PARTS.items():
            for name in names:
                if hasattr(owner, name):
                    setattr(owner, name, _timed(getattr(owner, name), part, spent, inside))

        def wait(listener: Any, most: int) -> None:
            while is_tracked and listener._tracker._waiting.missing > most:
                time.sleep(0.001)

        def replayed(_: Any, ledger: Ledger, searcher: StudySearcher, *others: Any) -> None:
            listener = others[1]
            bridge = tune._Bridge(ledger, searcher, listener, place / "notes")
            before, clocks = _rss_kb(), _clocks()
            for number in range(trials):
                if number == trials - last:
                    wait(listener, 0)
                    spent.clear()
                    clocks = _clocks()
                _one(f"{number:08x}", reports, searcher, bridge)
                wait(listener, _AHEAD)
            wait(listener, 0)
            wall, cpu, main = (now - then for now, then in zip(_clocks(), clocks, strict=True))
            found.update(wall_s=wall, cpu_ms=1e3 * cpu / last, main_ms=1e3 * main / last)
            found["memory_kb"] = (_rss_kb() - before) / trials
            found["parts_ms"] = {part: 1e3 * seconds / last for part, seconds in spent.items()}

        conductor.run_trials = replayed  # type: ignore[assignment]
        conductor.start_ray = lambda config: {"CPU": 2.0}  # type: ignore[assignment]
        if not is_tracked:
            for name in ("start", "trial", "level", "end_trial", "fill"):
                setattr(Tracker, name, lambda *_, **__: None)
        outcome = conductor.run_study(config, study, _no_report)
        assert outcome.exit_code == 0
        parts = found["parts_ms"]
        parts["the rest"] = found["main_ms"] - sum(parts.values())
        parts["MLflow, sent"] = found["cpu_ms"] - found["main_ms"]
        return {"trials": trials, "last": last, **found, "peak_mb": _peak_mb()}


def _clocks() -> tuple[float, float, float]:
    return time.perf_counter(), time.process_time(), time.thread_time()


def _one(
    trial_id: str, reports: list[dict[str, Any]], searcher: StudySearcher, bridge: Any
) -> None:
    """Reports the levels of a trial."""
    suggested = searcher.suggest(trial_id)
    trial = SimpleNamespace(trial_id=trial_id, config=suggested)
    bridge.on_trial_start(0, [], trial)
    for report in reports:
        # Of each network its own, as a study has them.
        rows = [{**row, "cell": f"{trial_id}{row['cell'][8:]}"} for row in report["rows"]]
        result = {**report, "rows": rows}
        searcher.on_trial_result(trial_id, result)
        bridge.on_trial_result(0, [], trial, result)
    searcher.on_trial_complete(trial_id, reports[-1])
    bridge.on_trial_complete(0, [], trial)


def _recorded(folder: Path) -> list[dict[str, Any]]:
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(folder), 0)
    reports = list(run_trial(LOTTERY, [0], [], lab))
    return [{**report, "depth": 1.0, **_end(report)} for report in reports]


def _end(report: dict[str, Any]) -> dict[str, Any]:
    return {"values": [0.9]} if report["last"] else {}


def _timed(
    method: Callable[..., Any], part: str, spent: defaultdict[str, float], inside: list[str]
) -> Callable[..., Any]:
    """Returns a method whose CPU seconds count for a part, but for what counts for another."""

    def timed(*arguments: Any, **named: Any) -> Any:
        outer, began = inside[0], time.thread_time()
        inside[0] = part
        try:
            return method(*arguments, **named)
        finally:
            took, inside[0] = time.thread_time() - began, outer
            if outer != part:
                spent[part] += took
                if outer:
                    spent[outer] -= took

    return timed


def _rss_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _no_report(folder: Path) -> Path:
    return folder / "report.html"


def main() -> int:
    """Prints what was measured as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("--last", type=int)
    parser.add_argument("--no-mlflow", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.trials, asked.last, not asked.no_mlflow)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
