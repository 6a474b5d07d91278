"""A study as runs of DeepCAVE, in its native format.

A DeepCAVE trial is a configuration at a budget with a seed: here a trained network, at its level,
of its replicate. Its objectives are validation accuracy (more is better) and density (less is).

A row of the history has the eight fields of version 1.3. DeepCAVE 1.4.1 writes nine and reads only
eight, of which it takes the times for others: they are 0, and the seconds are in the last field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from lttune.errors import StorageError
from lttune.exchange.studies.folder import Folder, new_folder
from lttune.exchange.studies.trial_sets import TrialSet, contains, trial_sets
from lttune.records.columns import require_columns
from lttune.records.ledger import Trial
from lttune.store.files import reason_of, require_absent

SUCCESS, CRASHED, PRUNED = 1, 4, 8
"""DeepCAVE's numbers for how a trial ended."""
LEVEL_STATES = {"failed": CRASHED, "stopped": PRUNED}
"""State in the ledger -> how the level after the last trained one ended."""

MORE_MEASURES = ("test_accuracy", "diverged", "train_time_s")
"""Measures of the records that are told beside the objectives."""
OBJECTIVES = [
    {"name": name, "lower": 0.0, "upper": 1.0, "lock_lower": True, "lock_upper": True} | better
    for name, better in (
        ("val_accuracy", {"optimize": "upper"}),
        ("density", {"optimize": "lower"}),
    )
]


def write_deepcave(folder: Folder, path: Path) -> list[str]:
    """Writes a folder of runs, the working directory of DeepCAVE; returns a line for each run.

    Raises:
        ConfigError: if no trial that has ended is a point of the study's space.
        StorageError: if the folder is there already, or the study is none that DeepCAVE can have.
    """
    require_absent(path)
    names = [*(objective["name"] for objective in OBJECTIVES), *MORE_MEASURES]
    require_columns(folder.path / "records.parquet", folder.records, names)
    found = trial_sets(folder, "--deepcave")
    lines: list[str] = []
    with new_folder(path) as draft:
        for chosen in found:
            try:
                history = _write(folder, chosen, draft / chosen.name)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                text = f"{folder.path} is no study that DeepCAVE can have: {reason_of(error)}"
                raise StorageError(text) from error
            lines.append(f"{chosen.name}: {len(chosen.points)} trials, {history} networks")
    return lines


def _write(folder: Folder, chosen: TrialSet, path: Path) -> int:
    """Writes one run and returns the length of its history."""
    configs: dict[str, int] = {}
    origins: dict[int, str] = {}
    history: dict[tuple[int, int, int], list[Any]] = {}
    for trial, point in chosen.points:
        number = configs.setdefault(json.dumps(point), len(configs))
        origins.setdefault(number, trial.phase)
        for row in _history(folder, trial):
            # A network that two trials share is one; the first is kept.
            history.setdefault((number, row[0], row[1]), [number, *row])
    budgets, seeds = (sorted({key[i] for key in history}) for i in (1, 2))
    meta = {"objectives": OBJECTIVES, "budgets": budgets, "seeds": seeds}
    path.mkdir()
    for name, values in {
        "meta": meta,
        "configspace": _configspace(chosen, folder.base),
        "configs": {number: json.loads(text) for text, number in configs.items()},
        "origins": origins,
    }.items():
        (path / f"{name}.json").write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
    lines = [json.dumps(row, allow_nan=False) + "\n" for row in history.values()]
    (path / "history.jsonl").write_text("".join(lines))
    return len(lines)


def _history(folder: Folder, trial: Trial) -> list[list[Any]]:
    """Returns budget, seed, costs, start, end, status and more of each network, and of the end."""
    rows: list[list[Any]] = []
    about = {"trial": trial.number, "phase": trial.phase}
    for replicate in trial.replicates:
        own = [row for row in folder.tickets[trial.number] if row["replicate"] == replicate]
        for row in own:
            costs = [row[objective["name"]] for objective in OBJECTIVES]
            more = about | {name: row[name] for name in MORE_MEASURES}
            rows.append([row["level"], replicate, costs, 0.0, 0.0, SUCCESS, more])
        if trial.state in LEVEL_STATES:
            more = about if trial.error is None else {**about, "traceback": trial.error}
            none = [None] * len(OBJECTIVES)
            rows.append([len(own), replicate, none, 0.0, 0.0, LEVEL_STATES[trial.state], more])
    return rows


def _configspace(chosen: TrialSet, base: dict[str, Any]) -> dict[str, Any]:
    """Returns the space as ConfigSpace 1.2 writes it; a stepped range is its whole range."""
    return {
        "name": chosen.name,
        "hyperparameters": [_described(p, d, base.get(p)) for p, d in chosen.space.items()],
        "conditions": [],
        "forbiddens": [],
        "python_module_version": "1.2.0",
        "format_version": 0.4,
    }


def _described(path: str, distribution: BaseDistribution, base: Any) -> dict[str, Any]:
    values = _only_values(distribution)
    if len(values) == 1:
        # DeepCAVE 1.4 has NaN for a categorical of one choice, and ConfigSpace no range of width 0.
        return {"name": path, "type": "constant", "value": values[0], "meta": None}
    if isinstance(distribution, CategoricalDistribution):
        kind = {"type": "categorical", "choices": values, "weights": None}
        first = values[0]
    else:
        first, high, log = (getattr(distribution, name) for name in ("low", "high", "log"))
        name = "uniform_float" if isinstance(distribution, FloatDistribution) else "uniform_int"
        kind = {"type": name, "lower": first, "upper": high, "log": log}
    default = base if contains(distribution, base) else first
    return {"name": path, **kind, "default_value": default, "meta": None}


def _only_values(distribution: BaseDistribution) -> list[Any]:
    """Returns the choices of a categorical, and the ends of a range, once if they are one."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    low, high = getattr(distribution, "low"), getattr(distribution, "high")  # noqa: B009
    return list(dict.fromkeys((low, high)))
