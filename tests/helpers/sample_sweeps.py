"""Sweeps, designs and verdicts of known numbers, for the tests of their analysis."""

import itertools
import math

import numpy as np
import pandas as pd
from sample_study import anchor_rows, network, trial, write_study

from analysis import (
    load,
)

LOTTERY = {"levels": 4, "train": {"lr": 0.01, "steps": 9}, "prune": {"fraction": 0.2}}


def sweep(points, replicates=3, levels=4, start=10, phase="sweep"):
    """Returns trials and rows of points: (label, hparams, role, loss of accuracy per level)."""
    rng = np.random.default_rng(3)
    trials, rows = [], []
    for replicate, (label, hparams, role, slope) in itertools.product(range(replicates), points):
        number = start + len(trials)
        name = f"{label} replicate={replicate}"
        facts = {"label": name, "hparams": hparams, "role": role, "replicates": [replicate]}
        trials.append(trial(number, phase, 0.9 - slope, **facts))
        rows += [
            network(
                phase,
                number,
                replicate,
                "trunk",
                level,
                0.9 + 0.01 * replicate - slope * level + rng.normal(0, 1e-3) * (level > 0),
                role=role,
            )
            for level in range(levels + 1)
        ]
    return trials, rows


POINTS = [
    ("lr=0.1", {"train.lr": 0.1}, "sweep", 0.05),
    ("lr=1e-3", {"train.lr": 1e-3}, "sweep", 0.01),
    ("lr=0.01", {"train.lr": 0.01}, "sweep", 0.0),
    ("criterion=snip", {"prune.criterion": "snip"}, "sweep", 0.02),
    ("criterion=large_final", {"prune.criterion": "large_final"}, "paper", 0.0),
    ("late", {"rewind_step": 9}, "sweep", 0.0),
]


def swept_study(folder):
    """Returns the study of ``POINTS``."""
    trials, rows = sweep(POINTS)
    return load(
        write_study(
            folder,
            [*anchor_rows(), *rows],
            [*(trial(n) for n in range(3)), *trials],
            {"anchor": 3, "sweep": len(trials)},
            lottery=LOTTERY,
        )
    )


PROXY = {"model.name": "lenet-9-5", "data.pool": 2}


def on_proxy(trials, rows):
    """Returns a sweep's trials and rows as those of another network on pooled pictures."""
    trials = [one | {"hparams": {**PROXY, **one["hparams"]}} for one in trials]
    return trials, [row | PROXY for row in rows]


def study_on_a_proxy(folder, points):
    place = {"model.name": "lenet-300-100", "data.pool": 1, "data.name": "mnist"}
    place |= {"train.steps": 9}
    trials, rows = on_proxy(*sweep(points))
    rows = [place | row for row in rows]
    lottery = {**LOTTERY, "model": {"name": "lenet-300-100"}, "data": {"name": "mnist", "pool": 1}}
    return load(
        write_study(
            folder,
            [*(row | place for row in anchor_rows()), *rows],
            [*(trial(n) for n in range(3)), *trials],
            {"anchor": 3, "sweep": len(trials)},
            lottery=lottery,
        )
    )


def accuracy_of(rows, value, level):
    found = rows[(rows["value"] == value) & (rows["level"] == level)]
    return found.set_index("replicate")["test_accuracy"]


def design_study(folder, points=16, **info):
    """Writes a study whose accuracy at every density is a line in the learning rate's logarithm."""
    unit = np.linspace(0.03, 0.97, points)
    shuffled = np.random.default_rng(0).permutation(unit)
    label = {i: (f"sobol-{i:03d}", {"train.lr": 10 ** (2 * u - 4)}) for i, u in enumerate(unit)}
    trials, rows = [], []
    for i, (name, hparams) in label.items():
        for replicate in range(2 if i < 4 else 1):
            number, role = len(trials), "repeat" if i < 4 else "design"
            facts = {"label": f"{name} replicate={replicate}", "hparams": hparams, "role": role}
            trials.append(trial(number, "design", replicates=[replicate], **facts))
            rows += [
                network(
                    "design",
                    number,
                    replicate,
                    "trunk",
                    level,
                    0.8 + 0.1 * unit[i] + 0.001 * replicate,
                    inert=shuffled[i],
                )
                for level in range(5)
            ]
    factors = [
        {"path": "train.lr", "kind": "log_uniform", "low": 1e-4, "high": 1e-2, "linked": {}},
        {"path": "inert", "kind": "uniform", "low": 0.0, "high": 1.0, "linked": {}},
    ]
    info = {"factors": factors, "lottery": LOTTERY, "space": {}} | info
    return load(write_study(folder, rows, trials, {"design": len(trials)}, **info))


VERDICTS = pd.DataFrame(
    [
        {"claim": "a", "verdict": "not tested", "reason": "<No> records.", "n": 0},
        {"claim": "b", "verdict": "supported", "estimate": 0.01, "unit": "share", "n": 5}
        | {"low": 0.005, "high": math.inf, "deviates": ["train.steps"]},
        {"claim": "c", "verdict": "contradicted", "estimate": 0.9, "unit": "ratio", "n": 5}
        | {"low": 0.8, "high": 1.0},
    ]
)
