"""Parts of one's own for tests: those of docs/your-own-parts.md, and small ones."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from own_networks import ROOT, page_block, run

from lttune.config import LotteryConfig
from lttune.data import load
from lttune.models.own import use, use_described
from lttune.records.own import OwnCode, known_part, parts, read_own_code
from lttune.store.store import Store
from lttune.training.engines import make
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

PARTS_PAGE = ROOT / "docs" / "your-own-parts.md"
PAGE_FILES = ("mine.py", "test_mine.py", "parts_study.py")
GAIN_FILES = ("gain.py", "test_gain.py", "gain_study.py")


def write_page(folder: Path, names: tuple[str, ...] = PAGE_FILES) -> None:
    """Writes files of the page into a folder."""
    for name in names:
        (folder / name).write_text(page_block(name, PARTS_PAGE))


def run_parts(folder: Path, *flags: str, alone: bool = True) -> tuple[int, str]:
    """Runs the page's study in the folder that is worked in."""
    return run(folder, *flags, alone=alone, file="parts_study.py")


def run_gain(folder: Path, *flags: str, alone: bool = True) -> tuple[int, str]:
    """Runs the page's study of an objective in the folder that is worked in."""
    return run(folder, *flags, alone=alone, file="gain_study.py")


def assert_refused(
    folder: Path, flag: str, function: str, source: str, told: str, *more: str, run=run_parts
) -> None:
    """Asserts that a study with a function of ``bad.py`` is one line, and leaves nothing.

    Args:
        folder: that is worked in, with the page's files.
        flag: that names the function.
        function: its name.
        source: of ``bad.py``.
        told: how the line goes on.
        more: flags.
        run: what runs the study.
    """
    (folder / "bad.py").write_text(source)
    code, said = run(folder, "--name", "bad", flag, f"bad.py:{function}", *more)
    assert code == 2
    field = flag.removeprefix("--").removeprefix("lottery.")
    assert said.startswith(f"lttune: error: {field}: bad.py:{function} {told}")
    assert said.count("\n") == 1
    assert not (folder / "results/bad").exists()


def known(
    folder: Path, field: str, source: str, file: str = "own.py", function: str = "part"
) -> str:
    """Writes a file, makes its function known and returns its name."""
    (folder / file).write_text(source)
    name = f"{folder / file}:{function}"
    use([read_own_code(field, name)])
    return name


def code_of(folder: Path, field: str, source: str, file: str = "own.py") -> OwnCode:
    """Writes a file whose function is ``part`` and returns its code, which is not run."""
    (folder / file).write_text(source)
    return read_own_code(field, f"{folder / file}:part")


def forget(monkeypatch) -> None:
    """Has nobody know any part."""
    monkeypatch.setattr(parts, "KNOWN_PARTS", {})


def described(monkeypatch, field: str, name: str) -> None:
    """Has a part known as who reads its study knows it: by what the sheet says."""
    source = known_part(field, name).source
    forget(monkeypatch)
    use_described({"own": [{"field": field, "name": name, "source": source}]}, "study.json")


def worked_in_copy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a copy of a folder, worked in, whose parts nobody has made known."""
    folder = shutil.copytree(home, tmp_path / "copy")
    monkeypatch.chdir(folder)
    forget(monkeypatch)
    return folder


NEWS = ("cell", "reused", "train_time_s", "eval_time_s", "trained", "host")
"""Columns that differ between equal networks of other identities."""


def rows(
    config: LotteryConfig, folder: Path, controls: Sequence[str] = (), engine: str = "torch"
) -> list[dict[str, Any]]:
    """Trains a replicate on digits, with a store in a folder, and returns its rows."""
    lab = Lab({"digits": load("digits")}, make(engine, "cpu"), Store(folder))
    return [row for report in run_trial(config, [0], controls, lab) for row in report["rows"]]


def same_but(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], *columns: str) -> bool:
    """Returns whether rows are equal but for ``NEWS`` and some columns."""
    left = {*NEWS, *columns}
    mine, others = (
        [{n: v for n, v in r.items() if n not in left} for r in f] for f in (one, other)
    )
    return mine == others
