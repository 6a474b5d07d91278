"""The folder of a study of known numbers, for the tests of its analysis."""

import json
import math
import os
from pathlib import Path

import numpy as np

from lttune.records import schema
from lttune.store.locks import NOTE
from lttune.store.plain_json import write_json
from lttune.store.temporary import this_process

LEVELS = 4
SPACE = {
    "train.lr": {"kind": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "train.batch_size": {"kind": "int", "low": 16, "high": 256, "log": True},
    "prune.scope": {"kind": "categorical", "choices": ["layer", "global"]},
}
ANCHOR = {"train.lr": 1.2e-3, "train.batch_size": 60, "prune.scope": "layer"}


def network(phase, trial, replicate, branch, level, accuracy, **changes):
    row = dict.fromkeys(schema.MEASURES)
    row |= {"study": "s", "phase": phase, "trial": trial, "replicate": replicate}
    row |= {"branch": branch, "level": level, "density": 0.8**level, "diverged": False}
    row |= {"early_stop_step": 1000 - 10 * level + replicate, "early_stop_at_end": False}
    row |= {"test_accuracy": accuracy, "val_accuracy": accuracy - 0.01, "seed": 0}
    row |= {"prunable": 10_000}
    return row | changes


def anchor_rows(replicates=3, levels=LEVELS, branches=("trunk", "reinit", "random"), seed=1):
    """Networks whose replicates differ far more than the branches within a replicate do."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.01, replicates)
    gain = {"trunk": 0.001, "reinit": -0.002, "random": -0.02}
    return [
        network(
            "anchor",
            replicate,
            replicate,
            branch,
            level,
            0.95 + luck[replicate] + gain[branch] * level + rng.normal(0, 2e-4),
        )
        for replicate in range(replicates)
        for branch in branches
        for level in range(0 if branch == "trunk" else 1, levels + 1)
    ]


def ended_rows(replicate=1, level=2, **options):
    """Networks of which one replicate's ticket diverges: its trajectory has no deeper level."""
    rows = [
        row
        for row in anchor_rows(**options)
        if row["replicate"] != replicate or row["level"] <= level
    ]
    for row in rows:
        if (row["branch"], row["level"], row["replicate"]) == ("trunk", level, replicate):
            row |= {"diverged": True}
    return rows


def trial(number, phase="anchor", objective=0.9, **changes):
    facts = {"number": number, "phase": phase, "label": f"{phase}-{number}", "hparams": ANCHOR}
    facts |= {"replicates": [number], "state": "complete", "objective": objective}
    return facts | {"seconds": 1.0, "error": None} | changes


def search_trials(number, start=3):
    rng = np.random.default_rng(2)
    return [
        trial(
            start + index,
            "search",
            float(0.95 - 0.02 * abs(math.log10(lr) + 3)),
            replicates=[0],
            hparams={
                "train.lr": float(lr),
                "train.batch_size": int(rng.choice([16, 60, 128, 256])),
                "prune.scope": ["layer", "global"][index % 2],
            },
        )
        for index, lr in enumerate(10 ** rng.uniform(-4, -2, number))
    ]


def write_study(folder, rows=None, trials=None, planned=None, **info):
    """Writes the folder of a study: by default three anchor replicates, all complete."""
    rows = anchor_rows() if rows is None else rows
    trials = [trial(number) for number in range(3)] if trials is None else trials
    planned = {"anchor": 3} if planned is None else planned
    facts = {
        "name": "sample",
        "question": "Does it win?",
        "source": "Figure 3",
        "scale": "smoke",
        "command": "python studies/sample.py",
        "created": "2026-11-23T08:00:00+00:00",
        "config": {"workers": 2},
        "lottery": {"levels": LEVELS, "train": {"lr": 1.2e-3, "batch_size": 60, "steps": 1000}},
        "space": SPACE,
        "objective": {"name": "accuracy_auc", "text": "Mean accuracy over log density."},
        "controls": ["reinit", "random"],
        "code": {"version": "0.1.0", "commit": "fbd7a8c", "dirty": False},
        "packages": {"torch": "2.13.0"},
        "machine": {"cpu": "some cpu", "cores": 2},
        "dataset": {"name": "digits", "digest": "abc123", "train": 1200},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(facts | info))
    (folder / "trials.json").write_text(json.dumps({"planned": planned, "trials": trials}))
    if rows:
        schema.write(folder / "records.parquet", rows)
    return folder


def run(**changes):
    facts = {"command": "python studies/s.py", "started": "2026-11-23T08:00:00+00:00"}
    facts |= {"code": {"commit": "a", "dirty": False}, "packages": {"torch": "2.13.0"}}
    return facts | {"machine": {"cores": 2}, "numerics": "torch-2.13.0/cpu"} | changes


def runs(folder: Path, **changes) -> None:
    """Notes that this process runs the study."""
    whose = {"pid": os.getpid(), "host": "here", "since": "2026-11-23T08:00:00+00:00"}
    write_json(folder / NOTE, whose | {"process": this_process()} | changes)
