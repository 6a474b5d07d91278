"""Parts of one's own for tests: those of docs/your-own-parts.md, and small ones."""

from __future__ import annotations

from pathlib import Path

from own_networks import ROOT, page_block, run

from lttune.models.own import use
from lttune.records.own import OwnCode, parts, read_own_code

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


def known(folder: Path, field: str, source: str, file: str = "own.py") -> str:
    """Writes a file whose function is ``part``, makes it known and returns its name."""
    (folder / file).write_text(source)
    name = f"{folder / file}:part"
    use([read_own_code(field, name)])
    return name


def code_of(folder: Path, field: str, source: str, file: str = "own.py") -> OwnCode:
    """Writes a file whose function is ``part`` and returns its code, which is not run."""
    (folder / file).write_text(source)
    return read_own_code(field, f"{folder / file}:part")


def forget(monkeypatch) -> None:
    """Has nobody know any part."""
    monkeypatch.setattr(parts, "KNOWN_PARTS", {})
