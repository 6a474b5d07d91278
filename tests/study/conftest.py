"""One finished study that tests share, and command lines that are refused."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import digits_study
import pytest
from digits_place import StudyPlace
from filelock import FileLock

from lttune.store.plain_json import read_json, write_json
from lttune.study.declared import Study
from lttune.study.main import main


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> StudyPlace:
    """Two anchors and four search trials, one at a time; whichever test process asks first runs it.

    Nothing may be written into it: who runs it again takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    notes = root.with_suffix(".json")
    with FileLock(root.with_suffix(".lock")):
        if not notes.exists():
            write_json(notes, _finished(root, ray_address))
    return StudyPlace(root, ray_address, **read_json(notes))


def _finished(root: Path, ray_address: str) -> dict[str, Any]:
    """Runs the study; returns what a ``StudyPlace`` knows of that."""
    # Ray and MLflow take seconds to import: the other tests of this folder should not wait.
    from analysis.report.write import write
    from lttune.study.conductor import Conductor

    place = StudyPlace(root, ray_address)
    started = Conductor.started

    def counted(self: Conductor, trial: Any) -> None:
        place.running.append(self._ledger.count("running"))
        started(self, trial)

    (root / "cwd").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(root / "cwd"):
        patch.setattr(Conductor, "started", counted)
        place.run("--max-concurrent", "1", report=write)
    return {"exit_code": place.exit_code, "printed": place.printed, "running": place.running}


@pytest.fixture
def refused(
    cwd: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, str]]:
    """Runs a command line that is refused; returns its exit code and what was printed."""
    from lttune.config.output import steps
    from lttune.study import conductor

    # A busy machine would have time to say what it does before it refuses.
    monkeypatch.setattr(steps, "FIRST_STEP_S", 3600.0)

    def start_ray(config: Any) -> None:
        raise AssertionError("Ray was started")

    def run(*arguments: str, study: Study = digits_study.STUDY) -> tuple[Any, str]:
        monkeypatch.setattr(sys, "argv", ["digits_study.py", *arguments])
        try:
            code = main(study, digits_study.report, digits_study.__doc__ or "")
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert "Traceback" not in text
        return code, text

    monkeypatch.setattr(conductor, "start_ray", start_ray)
    return run


@pytest.fixture(scope="session")
def parts_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of docs/your-own-parts.md, in which its study was run."""
    from own_parts import run_parts, write_page

    folder = tmp_path_factory.mktemp("parts")
    write_page(folder)
    with contextlib.chdir(folder):
        code, said = run_parts(folder)
    assert code == 0, said
    return folder


@pytest.fixture
def parts_copy(parts_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, worked in, whose parts nobody has made known."""
    from own_parts import worked_in_copy

    return worked_in_copy(parts_home, tmp_path, monkeypatch)
