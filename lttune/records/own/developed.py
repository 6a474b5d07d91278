"""Packages that are being developed: their sources may change under the same name and version.

Of a package of an index, name and version stand for what is in it. One that was installed from a
folder, in place or as a copy, or from a repository or a file, says so (``direct_url.json``, PEP
610); one that is found by a path alone lies outside of every folder of installed packages.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path

INSTALLED_IN = frozenset({"site-packages", "dist-packages"})
"""Names of folders of installed packages."""
_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)


def developed_sources(
    modules: Iterable[str], bringers: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Returns module -> SHA-256 of its sources: of those that are developed here.

    Those that their sources import are among them, and so on.

    Args:
        modules: first parts of imported names.
        bringers: module -> the packages that bring it.
    """
    found: dict[str, str] = {}
    ahead, seen = list(modules), set[str]()
    while ahead:
        module = ahead.pop()
        if module in seen or module not in bringers:
            continue
        seen.add(module)
        if not (files := _places(module)) or not _is_developed(files, bringers[module]):
            continue
        sha = hashlib.sha256()
        for name, path in files:
            data = path.read_bytes()
            sha.update(f"{len(name)}|{name}{len(data)}|".encode() + data)
            if path.suffix in SOURCE_SUFFIXES:
                ahead += names_in(data)
        found[module] = sha.hexdigest()
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


def _places(module: str) -> list[tuple[str, Path]]:
    """Returns name and path of each file of a module that Python runs, by name."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # Imported already, by who gave it no origin.
        spec = None
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [(folder, path) for folder in folders for path in folder.rglob("*")]
    if not folders and spec.origin and Path(spec.origin).is_file():
        files = [(Path(spec.origin).parent, Path(spec.origin))]
    named = [(path.relative_to(folder).as_posix(), path) for folder, path in files]
    return sorted((name, path) for name, path in named if name.endswith(_SUFFIXES))


def _is_developed(files: Sequence[tuple[str, Path]], packages: Iterable[str]) -> bool:
    """Returns whether one of the packages that bring a module's files is developed here."""
    distributions = [importlib.metadata.distribution(name) for name in packages]
    if any(map(_is_from_source, distributions)):
        return True
    path = files[0][1]
    if INSTALLED_IN & set(path.parts):
        return False
    # Packages of an index may be put into any folder, and then list what they brought.
    listing = [one for one in distributions if one.read_text("RECORD")]
    return not any(path.is_relative_to(str(one.locate_file(""))) for one in listing)


def _is_from_source(distribution: importlib.metadata.Distribution) -> bool:
    """Returns whether a package was installed from what somebody had or has at hand.

    conda builds its packages in a folder, which is what they say; then their version stands for
    them.
    """
    if (distribution.read_text("INSTALLER") or "").strip() == "conda":
        return False
    try:
        said = json.loads(distribution.read_text("direct_url.json") or "{}")
        is_at_hand = str(said.get("url", "")).startswith("file:")
        return "dir_info" in said or "vcs_info" in said or is_at_hand
    except (ValueError, AttributeError):
        return True
