"""Records of studies that were never run, with truths planted in them, and claims about them.

A replicate adds the same large number to all its networks, as a split of the data does, so that
what is not paired shows nothing; each network adds a small one of its own.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims import Registry, as_registry
from lttune.config import LotteryConfig

SHARED, OWN = 0.01, 0.0004
"""Standard deviations of accuracy: between replicates, and of a network."""
LEVELS = 17
LRS = (1e-3, 1.2e-3, 2e-3, 3e-3)
COLUMNS = {"measure": "accuracy", "compare": "columns", "densities": [0.211]}


def flat(density: float) -> float:
    return 0.97


def rising(size: float) -> Callable[[float], float]:
    """Accuracy that pruning raises by ``size`` at every density below 1."""
    return lambda density: 0.97 + (size if density < 1 else 0.0)


def decay(slope: float) -> Callable[[float], float]:
    """Accuracy that is linear in log density."""
    return lambda density: 0.97 + slope * np.log(density)


def trial(
    number: int = 0,
    *,
    n: int = 6,
    branch: str = "trunk",
    accuracy: Callable[[float], float] = flat,
    steps: Callable[[float], float] = lambda density: 5_000.0,
    at: Mapping[str, Any] | None = None,
    base: LotteryConfig | None = None,
    study: str = "planted",
    phase: str = "sweep",
    seed: int = 0,
    first: int = 0,
    levels: int = LEVELS,
    own: float = OWN,
    jitter: float = 0.03,
    late: Callable[[float], bool] = lambda density: False,
    **changes: Any,
) -> pd.DataFrame:
    """The networks of one configuration and branch, each replicate a trial, as studies train them.

    A control comes with the trunk that it leaves.
    """
    config = base or LotteryConfig().override({"data.validation": 5_000})
    config = config.override(dict(at or {}))
    fraction = config.prune.fraction
    prunable = 266_200
    if config.model.name.startswith("lenet-"):
        widths = [784, *map(int, config.model.name.split("-")[1:]), 10]
        prunable = sum(a * b for a, b in itertools.pairwise(widths))
    plain, rows = config.flat(), []
    for replicate in range(first, first + n):
        shift = np.random.default_rng([seed, replicate]).normal(0, SHARED)
        for name in dict.fromkeys(("trunk", branch)):
            curve = accuracy if name == branch else flat
            course = steps if name == branch else (lambda density: 5_000.0)
            key = f"{sorted((at or {}).items())} {name} {seed} {replicate} {number}"
            digest = int(hashlib.sha256(key.encode()).hexdigest()[:12], 16)
            rng = np.random.default_rng(digest)
            start = 0 if name in ("trunk", "sibling") else 1
            for level in range(start, levels + 1):
                density = (1 - fraction) ** level
                value = curve(density) + shift + rng.normal(0, own)
                rows.append(
                    {
                        "study": study,
                        "phase": phase,
                        "trial": 1_000 * number + replicate,
                        "replicate": replicate,
                        "branch": name,
                        "level": level,
                        "density": density,
                        "prunable": prunable,
                        "early_stop_step": round(course(density) * np.exp(rng.normal(0, jitter))),
                        "early_stop_at_end": name == branch and late(density),
                        "test_accuracy": value,
                        "val_accuracy": value - 0.001,
                        "train_accuracy": value + 0.01,
                        "end_test_accuracy": value,
                        "end_val_accuracy": value - 0.001,
                        "end_train_accuracy": 1.0 - abs(rng.normal(0, 1e-5)),
                        "barrier_test_error": abs(rng.normal(0, 1e-3)),
                        "diverged": False,
                        "seed": seed,
                        "cell": f"{digest:x}-{level}",
                        **(changes if name == branch else {}),
                    }
                )
    table = pd.DataFrame(rows)
    own_columns = pd.DataFrame([plain] * len(table))
    return pd.concat([table, own_columns], axis=1)


def records(*trials: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(trials, ignore_index=True)


def sweep(*sizes: float, n: int = 6, **options: Any) -> pd.DataFrame:
    """Trials whose accuracy is raised by each size at every density."""
    return records(
        *(
            trial(i, n=n, at={"train.lr": v}, accuracy=lambda d, s=s: 0.97 + s, **options)
            for i, (v, s) in enumerate(zip(LRS, sizes, strict=False))
        )
    )


def control(size: float, n: int = 6, **options: Any) -> pd.DataFrame:
    """A reinitialised control that is worse than the ticket by ``size``."""
    return trial(n=n, branch="reinit", accuracy=lambda d: 0.97 - size, **options)


TICKET = {"name": "ticket"}
CONTRAST = [{"name": "ticket", "weight": 1}, {"name": "reinit", "branch": "reinit", "weight": -1}]


def lr(value: float, **more: Any) -> dict[str, Any]:
    return {"name": f"lr {value:g}", "at": {"train.lr": value}, **more}


def question(**changes: Any) -> dict[str, Any]:
    plain = {"name": "asked", "densities": [0.211, 0.135], "cells": [TICKET], "measure": "gain"}
    return plain | changes


def columns(form: str, count: int = 3, **more: Any) -> dict[str, Any]:
    """A question of a row of learning rates."""
    return question(form=form, cells=[lr(v) for v in LRS[:count]], **(COLUMNS | more))


def claim(*questions: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    plain = {
        "id": "X",
        "source": "nowhere",
        "text": "It is so.",
        "network": "lenet-300-100",
        "dataset": "mnist",
        "densities": "all",
        "setting": "plain",
        "form": questions[0].get("form", "superiority") if questions else "superiority",
        "family": "family",
        "role": "exploratory",
        "tier": "A",
        "n": 6,
        "cost": "nothing",
        "study": "no study",
        "questions": [dict(one) for one in questions],
    }
    return plain | changes


def tree(*claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": 1,
        "version": "1",
        "defaults": {"margin": 0.002, "sesoi": 0.001, "alpha": 0.05},
        "settings": {"plain": {"train.steps": 50_000}},
        "claims": [dict(one) for one in claims],
    }


def registry(*claims: Mapping[str, Any], sha256: str = "a" * 64) -> Registry:
    return as_registry(tree(*claims), sha256)


def words(table: pd.DataFrame) -> Sequence[str]:
    return table["verdict"].tolist()
