"""What MLflow itself takes for a trial: the calls that a driver makes, and nothing besides.

    python -m benchmarks.mlflow_alone 400 [--uri URI]

The calls of a few trials of ``benchmarks.driver`` are recorded, and made again of as many runs as
are asked for, one after the other, on a database that MLflow made; prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from typing import Any

from mlflow import MlflowClient

from benchmarks.driver import measure

_RECORDED = 20
"""Trials whose calls are made again and again."""
_OF_A_TRIAL: tuple[str, ...] = ("create_run", "log_batch", "set_terminated")


def recorded() -> list[list[tuple[str, Any, Any]]]:
    """Returns the calls of some trials: the method, its arguments behind the run's, and others."""
    calls: dict[str, list[tuple[str, Any, Any]]] = {}
    plain = {name: getattr(MlflowClient, name) for name in _OF_A_TRIAL}

    def recording(name: str) -> Any:
        def call(client: MlflowClient, whose: str, *others: Any, **named: Any) -> Any:
            found = plain[name](client, whose, *others, **named)
            run = found.info.run_id if name == "create_run" else whose
            calls.setdefault(run, []).append((name, others, named))
            return found

        return call

    for name in _OF_A_TRIAL:
        setattr(MlflowClient, name, recording(name))
    try:
        measure(_RECORDED)
    finally:
        for name, method in plain.items():
            setattr(MlflowClient, name, method)
    # The first run is the study's own.
    return [*calls.values()][1:]


def replayed(trials: int, uri: str) -> dict[str, Any]:
    """Returns what the calls of so many trials take: by the clock, and of this process's CPU."""
    known, client = recorded(), MlflowClient(uri)
    experiment = client.create_experiment(f"alone-{time.time_ns()}")
    spent = dict.fromkeys(_OF_A_TRIAL, 0.0)
    wall, cpu = time.perf_counter(), time.process_time()
    for number in range(trials):
        run = ""
        for name, others, named in known[number % len(known)]:
            began = time.perf_counter()
            found = getattr(client, name)(run or experiment, *others, **named)
            spent[name] += time.perf_counter() - began
            run = run or found.info.run_id
    made = time.perf_counter() - wall, time.process_time() - cpu
    calls = {name: round(1e3 * took / trials, 2) for name, took in spent.items()}
    wall_ms, cpu_ms = (1e3 * took / trials for took in made)
    return {"trials": trials, "wall_ms": wall_ms, "cpu_ms": cpu_ms, "by_call_ms": calls}


def main() -> int:
    """Prints what was measured as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=int)
    parser.add_argument("--uri", help="of the store; else a new SQLite file")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(replayed(asked.trials, asked.uri or f"sqlite:///{scratch}/mlflow.db")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
