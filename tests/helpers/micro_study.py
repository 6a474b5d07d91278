"""A study of seconds in a process of its own, which a failpoint may end anywhere."""

from __future__ import annotations

import hashlib
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from digits_place import StudyPlace, lasting
from forked import forked
from mlflow.entities import Run
from one_process import one_process

from lttune.records.schema import read
from lttune.store.sealed import read_object

FLAGS = ("--max-concurrent", "1", "--trials", "2", "--replicates", "1", "--controls", "reinit")
"""Three trials: an anchor with a control, and two of a search that learns."""


def run(
    root: Path,
    fault: str = "",
    flags: tuple[str, ...] = FLAGS,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Runs what is missing of the study; returns the exit code, negative for a signal."""
    StudyPlace(root).ready()
    process = forked(_run, root, fault, flags, environment or {})
    process.join(120)
    assert process.exitcode is not None, "the study hangs"
    return process.exitcode


def _run(root: Path, fault: str, flags: tuple[str, ...], environment: Mapping[str, str]) -> None:
    os.environ |= {"LTTUNE_FAULT": fault, "OMP_NUM_THREADS": "1", **environment}
    with one_process():
        place = StudyPlace(root).run(*flags)
    # A fault may have left none to write with.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    (root / "printed.txt").write_text(place.printed)
    sys.exit(place.exit_code)


def told(root: Path) -> dict[str, Any]:
    """Returns all that a study says, without what differs between two runs of it."""
    place = StudyPlace(root)
    cells = (root / "out" / "cells").glob("??/*")
    kept = ("number", "label", "hparams", "state", "values", "error")
    return {
        "records": lasting(place.rows()),
        "layers": read(place.folder / "layers.parquet"),
        "trials": [{n: one[n] for n in kept} for one in place.trials()],
        "planned": read_object(place.folder / "trials.json")["planned"],
        "cells": {cell.name: _bytes(cell) for cell in cells},
        "mlflow": {n: (run.info.status, _lasting(run)) for n, run in place.runs().items()},
    }


def _lasting(run: Run) -> dict[str, float]:
    return {name: value for name, value in run.data.metrics.items() if not name.endswith("_s")}


def _bytes(cell: Path) -> list[str]:
    names = [name for name in ("record.json", "tensors.safetensors") if (cell / name).exists()]
    return [hashlib.sha256((cell / name).read_bytes()).hexdigest() for name in names]
