"""What the source of code of one's own imports, as far as its identity must know."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lttune.records.own.code import OwnCode

KNOWN = frozenset({"torch", "lttune"})
"""Packages that every identity knows anyway, besides Python's own."""


def imported_versions(code: OwnCode, source: str) -> list[str]:
    """Returns the name and version of each package that a source imports, by name.

    Raises:
        ConfigError: if it cannot be parsed, or imports a module that no package brings: a change of
            that would go unseen, and workers on other machines would lack it.
    """
    try:
        names = sorted(set(_imported_names(ast.parse(source, code.place))))
    except (SyntaxError, ValueError) as error:
        code.failed("cannot be imported", error)
    own = code.place.partition(".")[0]
    versions: list[str] = []
    for name in names:
        is_inside = not code.is_file and name in ("", own)
        if is_inside or name in KNOWN or name in sys.stdlib_module_names:
            continue
        if bringers := _bringers(_installed()).get(name):
            versions += [f"{one}=={importlib.metadata.version(one)}" for one in bringers]
        elif not name or name in sys.modules or importlib.util.find_spec(name) is not None:
            what = repr(name) if name else "by a relative name"
            code.refuse(
                f"imports {what}, which no installed package brings: put all into one file, or "
                "install it as a package and give PACKAGE.MODULE:FUNCTION"
            )
    return sorted(set(versions))


def _installed() -> tuple[tuple[str, int], ...]:
    """Returns the folders of packages, each with when something in it was installed or removed."""
    folders = [Path(path) for path in sys.path if Path(path).is_dir()]
    return tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders)


@functools.lru_cache(maxsize=1)
def _bringers(installed: tuple[tuple[str, int], ...]) -> Mapping[str, list[str]]:
    """Returns module -> the packages that bring it: kept, as every installed file is looked at.

    Args:
        installed: as ``_installed`` returns it; with another one it is looked again.
    """
    return importlib.metadata.packages_distributions()


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yields the first part of each imported name, "" where it is relative."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "").partition(".")[0]
