"""Where a module is, and which installed packages bring it."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

INSTALLED_IN = frozenset({"site-packages", "dist-packages"})
"""Names of folders of installed packages."""
_Installed = tuple[tuple[str, int], ...]


def bringers_of(module: str) -> list[str]:
    """Returns the packages that bring a module, nothing where none does.

    Args:
        module: first part of an imported name.
    """
    installed = _installed()
    if listed := _listed(installed).get(module):
        return listed
    # A package that was installed in place lists no module, only how they are found.
    holders = {place.resolve().parent for place in places_of(module)}
    paths = {Path(path).resolve() for path in sys.path}
    return [
        package
        for package, project, folders in _in_place(installed)
        if any(
            holder in folders or (holder.is_relative_to(project) and holder not in paths)
            for holder in holders
            if not INSTALLED_IN & set(holder.parts)
        )
    ]


def places_of(module: str) -> list[Path]:
    """Returns the folders of a package or the file of a module, nothing of what has neither."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # Imported already, by who gave it no origin.
        return []
    if spec is None:
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if found := [folder for folder in folders if folder.is_dir()]:
        return found
    return [Path(spec.origin)] if spec.origin and Path(spec.origin).is_file() else []


def said_origin(distribution: importlib.metadata.Distribution) -> Mapping[str, Any] | None:
    """Returns what a package says of where it is from (PEP 610); None of what cannot be read."""
    try:
        said = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def is_in_place(said: Mapping[str, Any]) -> bool:
    """Returns whether a package is run from the folder that it was installed from."""
    folder = said.get("dir_info")
    return isinstance(folder, dict) and bool(folder.get("editable"))


def _installed() -> _Installed:
    """Returns the folders of packages, each with when something in it was installed or removed."""
    folders = [Path(path) for path in sys.path if Path(path).is_dir()]
    return tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders)


@functools.lru_cache(maxsize=1)
def _listed(installed: _Installed) -> Mapping[str, list[str]]:
    """Returns module -> the packages that list it: kept, as every installed file is looked at.

    Args:
        installed: as ``_installed`` returns it; with another one it is looked again.
    """
    return importlib.metadata.packages_distributions()


@functools.lru_cache(maxsize=1)
def _in_place(installed: _Installed) -> list[tuple[str, Path, frozenset[Path]]]:
    """Returns what is installed in place: name, project's folder, folders put into ``sys.path``.

    Some builders put folders there (``.pth``); the finders of others find inside of the project.

    Args:
        installed: as in ``_listed``.
    """
    return [
        (one.name, Path(url2pathname(urlsplit(str(said.get("url"))).path)).resolve(), folders)
        for one in importlib.metadata.distributions()
        if (said := said_origin(one)) and is_in_place(said)
        for folders in [frozenset(_added_folders(one))]
    ]


def _added_folders(distribution: importlib.metadata.Distribution) -> Iterator[Path]:
    """Yields the folders that the ``.pth`` files of a package put into ``sys.path``."""
    for listed in distribution.files or ():
        path = Path(str(distribution.locate_file(listed)))
        if path.suffix == ".pth" and path.is_file():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    yield (path.parent / line.rstrip()).resolve()
