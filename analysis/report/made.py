"""What a report was made from, so that one whose study has not changed is not made again.

Beside the page lies a file with digests: of the study's files and of the code that reads them, and
of what was written. Where one of them is another the report is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from filelock import Timeout

import analysis
import lttune
from lttune.config import digest
from lttune.records.folder import ANSWER
from lttune.store.files import read_whole
from lttune.store.locks import file_lock, sign, wait_for
from lttune.store.plain_json import read_json, write_json

MADE_FROM = "report.json"
"""The file in a study's folder."""
MADE_OF = (
    *("study.json", "trials.json", "trials.journal"),
    *("records.parquet", "records.journal", "layers.parquet", "layers.journal", "curves.parquet"),
    *("claims.yaml", "claims.lock.json", "figures/optuna_importance.csv"),
)
"""Files of a study that a report is made from; importances are known by what they are made from."""
RENDERERS = (
    *("bokeh", "jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "pyyaml", "scikit-learn"),
    "scipy",
)
"""Packages whose versions decide about its bytes."""

LOCK = ".report.lock"
"""The file that a writer of the report holds, and removes when it is done."""
LONGEST_S = 600.0
"""How long another writer is waited for: one that was stopped holds its lock for good."""


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[bool]:
    """Keeps other writers of a report out: of two, one might note the page of the other as its own.

    Where there are no locks, or who has one takes too long, it goes on without. It yields whether
    another one was waited for, who then has written what was not there before.
    """
    lock, has_waited = file_lock(folder / LOCK), False
    if folder.is_dir():  # Else the lock would make it.
        doing = f"the report of {folder} is being written by"
        try:
            has_waited = wait_for(lock, LONGEST_S, doing, told_s=0)
            sign(lock)
        except Timeout:
            has_waited = True
        except (OSError, NotImplementedError):
            pass
    try:
        yield has_waited
    finally:
        if lock.is_locked:
            # While it is held: who waits for it finds it gone, and takes a new one.
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
            lock.release()


def inputs_of(folder: Path) -> str:
    """Returns the SHA-256 of what determines a report now; empty if that cannot be read."""
    try:
        files = {name: _sha(folder / name) for name in MADE_OF}
        files["trials.json"] = _of_trials(folder / "trials.json")
        code = [_sources(Path(str(one.__file__)).parent) for one in (analysis, lttune)]
    except (OSError, ValueError):
        return ""
    versions = {name: version(name) for name in RENDERERS}
    # A report names its folder as it was given.
    return digest({"folder": str(folder), "files": files, "code": code, "packages": versions})


def is_current(folder: Path, inputs: str) -> bool:
    """Returns whether a report was made from these inputs, and all of it is as it was written."""
    try:
        noted = read_json(folder / MADE_FROM)
        written = {name: _sha(folder / name) for name in noted["written"]}
        return inputs != "" and noted == {"inputs": inputs, "written": written}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def note(folder: Path, inputs: str) -> None:
    """Notes what the report that was just written was made from.

    Raises:
        OSError: if what was written cannot be read.
        StorageError: if the note cannot be written.
    """
    figures = sorted(path for path in folder.glob("figures/*.*") if path.is_file())
    names = ["report.html", ANSWER, *(path.relative_to(folder).as_posix() for path in figures)]
    written = {name: _sha(folder / name) for name in names if name not in MADE_OF}
    write_json(folder / MADE_FROM, {"inputs": inputs, "written": written})


def _of_trials(path: Path) -> str:
    """Returns the SHA-256 of what a report reads of the trials: how long a run took is noted later.

    Raises:
        OSError: if they cannot be read.
        ValueError: if they are no JSON.
    """
    values = read_json(path)
    kept = {**values, "wall_s": None, "seal": None} if isinstance(values, dict) else values
    return digest(kept)


def _sha(path: Path) -> str | None:
    """Returns the SHA-256 of a file, None if there is none."""
    try:
        return hashlib.sha256(read_whole(path)).hexdigest()
    except FileNotFoundError:
        return None


def _sources(package: Path) -> str:
    """Returns the SHA-256 of all that a package is made of."""
    files = sorted(path for path in package.rglob("*.*") if path.suffix not in (".pyc", ".tmp"))
    found = {path.relative_to(package).as_posix(): _sha(path) for path in files if path.is_file()}
    return digest(found)
