"""What this process has imported of code of one's own: a change on the disk does not reach it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What is here of the sources of code."""

    module: str | None
    """Where a package has it; None of a file."""
    files: Sequence[tuple[Path, str]]
    """Each file with its text: that of the code last, before it all of its package."""
    developed: Mapping[str, str]
    """Module that is developed and imported -> SHA-256 of its sources."""
    digest: str
    """SHA-256 of what identifies the code."""

    @property
    def texts(self) -> list[str]:
        """The texts of the files."""
        return [text for _, text in self.files]


_RUN: dict[str, list[str]] = {}
"""Module of a package -> the sources of the package, of what was imported whole."""
_LEFT: dict[str, dict[Path, str]] = {}
"""Package -> file -> source, of what imports that failed have left in this process."""
_IMPORTED: dict[str, str] = {}
"""Module that is developed and that code imports -> SHA-256 of its sources."""


@contextlib.contextmanager
def importing(found: Sources, refuse: Callable[[str], NoReturn]) -> Iterator[None]:
    """Has code imported inside, unless this process holds what was changed since.

    What an import that fails has not reached may be mended and imported then.

    Args:
        found: its sources as they are now.
        refuse: raises the error of others that this process has imported, from why.
    """
    _require_unchanged(found, refuse)
    is_whole = False
    try:
        yield
        is_whole = True
    finally:
        _note(found, is_whole)


def _require_unchanged(found: Sources, refuse: Callable[[str], NoReturn]) -> None:
    changed = "was changed since this process imported it: start Python anew"
    for name, digest in found.developed.items():
        if _IMPORTED.get(name, digest) != digest:
            refuse(f"imports {name}, which {changed}")
    if found.module is not None:
        here, left = dict(found.files), _LEFT.get(_package(found.module), {})
        is_same = _RUN.get(found.module, found.texts) == found.texts
        if not is_same or any(here.get(path) != text for path, text in left.items()):
            refuse(changed)


def _note(found: Sources, is_whole: bool) -> None:
    """Notes what was imported; of what was not whole, what is held."""
    for name, digest in found.developed.items():
        if is_whole or _held(name):
            _IMPORTED.setdefault(name, digest)
    if found.module is not None:
        package = _package(found.module)
        if is_whole:
            _RUN.setdefault(found.module, found.texts)
        elif held := _held(package):
            left = {path: text for path, text in found.files if path in held}
            _LEFT.setdefault(package, {}).update(left)


def _held(package: str) -> list[Path]:
    """Returns the files of a package's modules that this process holds, "." of what has none."""
    modules = list(sys.modules.items())
    files = [getattr(one, "__file__", None) for name, one in modules if _package(name) == package]
    return [Path(file or "") for file in files]


def _package(module: str) -> str:
    return module.partition(".")[0]
