"""Packages that are being developed: their sources may change under the same name and version.

Name and version stand for what was installed among the packages as a copy, wherever it is from: of
an index, a wheel or a folder, it changes by an install alone. They do not for what is run in place
(``pip install -e``), nor for what came from a repository, whose version is seldom raised; both say
so (``direct_url.json``, PEP 610). Nor do they for what is found by a path alone, outside of every
folder of installed packages.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path

from lttune.records.own.bringers import (
    INSTALLED_IN,
    bringers_of,
    is_in_place,
    places_of,
    said_origin,
)

KNOWN = frozenset({"torch", "lttune"})
"""Packages that every identity knows anyway, besides Python's own."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a change of a file surely has another time than the last one."""
_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
_NO_PART = frozenset({"__main__", "analysis"})
"""What a process was started with, which is another thing in each, and lttune's reports."""
_Stamp = tuple[str, Path, int, int]
"""Name in its package, path, when it was changed, size."""


def developed_sources(modules: Iterable[str], own: Set[str] = frozenset()) -> dict[str, str]:
    """Returns module -> SHA-256 of its sources: of those that are developed here.

    Those that their sources import are among them, and so on.

    Args:
        modules: first parts of imported names.
        own: modules that are not asked for.

    Raises:
        OSError: if a source cannot be read.
    """
    found: dict[str, str] = {}
    ahead, seen = list(modules), {*own, *KNOWN, *_NO_PART, *sys.stdlib_module_names}
    while ahead:
        module = ahead.pop()
        if module in seen:
            continue
        seen.add(module)
        places = places_of(module)
        bringers = bringers_of(module) if places else []
        if not any(is_developed(place, bringers) for place in places):
            continue
        if files := _files(places):
            is_settled = time.time_ns() - max(changed for _, _, changed, _ in files) > SETTLED
            hashed = _hashed if is_settled else _hashed.__wrapped__
            found[module], names = hashed(files)
            ahead += names
    return found


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Yields the first part of each imported name, "" where it is relative."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "").partition(".")[0]


def names_in(source: bytes) -> list[str]:
    """Returns what ``imported_names`` yields of a source, nothing of one that is no Python."""
    try:
        return list(imported_names(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        # A template, or of another Python: nothing imports it.
        return []


def _files(places: Iterable[Path]) -> tuple[_Stamp, ...]:
    """Returns each file of a module that Python runs, by name.

    Folders have such names too, and so do links of editors that lead nowhere.
    """
    paths = [
        (place, path) if place.is_dir() else (place.parent, path)
        for place in places
        for path in (place.rglob("*") if place.is_dir() else [place])
    ]
    return tuple(
        (name, path, stat.st_mtime_ns, stat.st_size)
        for name, path in sorted((path.relative_to(at).as_posix(), path) for at, path in paths)
        if name.endswith(_SUFFIXES) and path.is_file()
        for stat in [path.stat()]
    )


@functools.lru_cache(maxsize=256)
def _hashed(files: tuple[_Stamp, ...]) -> tuple[str, frozenset[str]]:
    """Returns the SHA-256 of sources and what they import: kept, as each part of a study asks."""
    sha, names = hashlib.sha256(), set[str]()
    for name, path, _, _ in files:
        data = path.read_bytes()
        sha.update(f"{len(name)}|{name}{len(data)}|".encode() + data)
        if path.suffix in SOURCE_SUFFIXES:
            names |= set(names_in(data))
    return sha.hexdigest(), frozenset(names)


def is_developed(place: Path, packages: Sequence[str]) -> bool:
    """Returns whether a module is developed here.

    Args:
        place: where it is.
        packages: that bring it.
    """
    distributions = [importlib.metadata.distribution(name) for name in packages]
    origins = [said_origin(one) for one in distributions]
    if any(said is None or "vcs_info" in said or is_in_place(said) for said in origins):
        return True
    if INSTALLED_IN & set(place.parts):
        return False
    # Packages of an index may be put into any folder, and then list what they brought.
    listing = [
        one
        for one, said in zip(distributions, origins, strict=True)
        if said is not None and "dir_info" not in said and one.read_text("RECORD")
    ]
    if any(place.is_relative_to(str(one.locate_file(""))) for one in listing):
        return False
    # Some of Python's own, such as its tests, are not among its names.
    return bool(packages) or not place.is_relative_to(sysconfig.get_path("stdlib"))
