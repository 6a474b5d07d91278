"""What a trial costs the driver of a study, by part: nothing is trained, and no Ray is started.

The levels of one real trial are reported again and again, as workers would, to all that a driver
has: searcher, ledger, tables, display, MLflow on SQLite. What Ray itself costs is not among it.

    python -m benchmarks.driver 4000 [--no-mlflow]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from collections import Counter
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
from lttune.study.search.searcher import Searcher, StudySearcher
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


def measure(trials: int, is_tracked: bool = True) -> dict[str, Any]:
    """Returns CPU milliseconds a trial by part, wall seconds, and memory a trial.

    Args:
        trials: of the study, each of 16 networks and one replicate.
        is_tracked: whether MLflow is told.
    """
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
        spent, inside, found = Counter[str](), [""], dict[str, Any]()
        for part, (owner, names) in PARTS.items():
            for name in names:
                if hasattr(owner, name):
                    setattr(owner, name, _timed(getattr(owner, name), part, spent, inside))

        def replayed(_: Any, ledger: Ledger, searcher: StudySearcher, *others: Any) -> None:
            listener = others[1]
            bridge = tune._Bridge(ledger, searcher, listener, place / "notes")
            before, began = (
                _rss_kb(),
                (time.perf_counter(), time.process_time(), time.thread_time()),
            )
            for number in itertools.count():
                if not _one(f"{number:08x}", reports, searcher, bridge):
                    break
                while is_tracked and listener._tracker._waiting.missing > _AHEAD:
                    time.sleep(0.001)
            wall, cpu, main = time.perf_counter(), time.process_time(), time.thread_time()
            found["wall_s"] = wall - began[0]
            found["cpu_ms"] = 1e3 * (cpu - began[1]) / trials
            found["main_ms"] = 1e3 * (main - began[2]) / trials
            found["memory_kb"] = (_rss_kb() - before) / trials

        conductor.run_trials = replayed  # type: ignore[assignment]
        conductor.start_ray = lambda config: {"CPU": 2.0}  # type: ignore[assignment]
        if not is_tracked:
            for name in ("start", "trial", "level", "end_trial", "fill"):
                setattr(Tracker, name, lambda *_, **__: None)
        outcome = conductor.run_study(config, study, _no_report)
        parts = {part: 1e3 * seconds / trials for part, seconds in spent.items()}
        parts["MLflow, sent"] = found["cpu_ms"] - found["main_ms"]
        parts["the rest"] = found["main_ms"] - sum(spent.values()) * 1e3 / trials
        assert outcome.exit_code == 0
        return {"trials": trials, **found, "peak_mb": _peak_mb(), "parts_ms": parts}


def _one(
    trial_id: str, reports: list[dict[str, Any]], searcher: StudySearcher, bridge: Any
) -> bool:
    """Reports the levels of a trial; returns False if there is none left."""
    suggested = searcher.suggest(trial_id)
    if suggested is Searcher.FINISHED or suggested is None:
        return False
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
    return True


def _recorded(folder: Path) -> list[dict[str, Any]]:
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(folder), 0)
    reports = list(run_trial(LOTTERY, [0], [], lab))
    return [{**report, "depth": 1.0, **_end(report)} for report in reports]


def _end(report: dict[str, Any]) -> dict[str, Any]:
    return {"values": [0.9]} if report["last"] else {}


def _timed(
    method: Callable[..., Any], part: str, spent: Counter[str], inside: list[str]
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
    parser.add_argument("--no-mlflow", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.trials, not asked.no_mlflow)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
