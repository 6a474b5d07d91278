"""One finished study, which all tests that read it or run it again share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from digits_place import Place
from filelock import FileLock

from lttune.store.files import read_json, write_json


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Place:
    """Two anchors and four search trials, one at a time; whichever test process asks first runs it.

    Nothing may be written into it: who runs it again takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    notes = root.with_suffix(".json")
    with FileLock(root.with_suffix(".lock")):
        if not notes.exists():
            write_json(notes, _finished(root, ray_address))
    return Place(root, ray_address, **read_json(notes))


def _finished(root: Path, ray_address: str) -> dict[str, Any]:
    """Runs the study; returns what a ``Place`` knows of that."""
    # Ray and MLflow take seconds to import: the other tests of this folder should not wait.
    from analysis.report.write import write
    from lttune.study.conductor import Conductor

    place = Place(root, ray_address)
    started = Conductor.started

    def counted(self: Conductor, trial: Any) -> None:
        place.running.append(self._ledger.count("running"))
        started(self, trial)

    (root / "cwd").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root / "cwd"):
        patch.setattr(Conductor, "started", counted)
        place.run("--max-concurrent", "1", report=write)
    return {"exit_code": place.exit_code, "printed": place.printed, "running": place.running}
