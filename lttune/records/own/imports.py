"""What the source of code of one's own imports, as far as its identity must know."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lttune.records.own.bringers import bringers_of
from lttune.records.own.developed import KNOWN, developed_sources, imported_names, names_in

if TYPE_CHECKING:
    from lttune.records.own.code import OwnCode


def imported_versions(code: OwnCode, source: str) -> list[str]:
    """Returns the name and version of each package that a source imports, by name.

    Args:
        code: where the source is.
        source: of a file, or of the function's module.

    Raises:
        ConfigError: if it cannot be parsed, or imports a module that no package brings: a change of
            that would go unseen, and workers on other machines would lack it.
    """
    try:
        names = sorted(set(imported_names(ast.parse(source, code.place))))
    except (SyntaxError, ValueError) as error:
        code.failed("cannot be imported", error)
    own = code.place.partition(".")[0]
    versions: list[str] = []
    for name in names:
        is_inside = not code.is_file and name in ("", own)
        if is_inside or name in KNOWN or name in sys.stdlib_module_names:
            continue
        if bringers := bringers_of(name):
            versions += [f"{one}=={importlib.metadata.version(one)}" for one in bringers]
        elif not name or name in sys.modules or importlib.util.find_spec(name) is not None:
            what = repr(name) if name else "by a relative name"
            code.refuse(
                f"imports {what}, which no installed package brings: put all into one file, or "
                "install it as a package and give PACKAGE.MODULE:FUNCTION"
            )
    return sorted(set(versions))


def imported_sources(code: OwnCode, sources: Iterable[str]) -> dict[str, str]:
    """Returns module -> SHA-256, of modules that sources import and that may change unseen.

    Args:
        code: where the sources are.
        sources: that can be parsed, or are of no Python.

    Raises:
        ConfigError: if one of those modules cannot be read.
    """
    names = _names_in(frozenset(sources))
    own = frozenset() if code.is_file else frozenset({code.place.partition(".")[0]})
    try:
        return dict(sorted(developed_sources(names, own).items()))
    except OSError as error:
        code.failed("imports what cannot be read", error)


@functools.lru_cache(maxsize=32)
def _names_in(sources: frozenset[str]) -> frozenset[str]:
    """Returns what sources import: kept, as each part of a study asks for all of its package."""
    return frozenset(name for source in sources for name in names_in(source.encode()))
