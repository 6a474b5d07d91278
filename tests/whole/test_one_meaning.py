"""A public name is defined in one module, so that it says one thing wherever it is read."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import lttune

ROOT = Path(lttune.__file__).parents[1]
SEALED = "its sources are part of the key of importances that were saved"
SHARED = {
    "main": "a command's entry, called with its module's name",
    "Flags": "what a command takes, which its own ``main`` reads",
    "load": "reads what its module is of; those of datasets and of studies are documented",
    "read": "reads a file of the form that its module is of",
    "write": "writes what its module is of",
    "make": "every engine has it, and so has the choice between them",
    "warm": "likewise",
    "lack": "likewise",
    "forward": "of one kind of layer in each module of kernels, and of the network",
    "input_gradient": "likewise",
    "train": "likewise",
    "backward": "likewise",
    "evaluate": "of networks with convolutions and of those without, each in its program",
    "compile_kernels": "likewise; who fills the kernels' cache calls it by its module",
    "BETA1": "Adam's; a kernel's numbers lie in its engine's folder, whose digest is its key",
    "BETA2": "likewise",
    "EPS": "likewise",
    "CHUNK": "examples of a forward pass, as many as suit the place",
    "BLOCK": "how many are computed together",
    "T": "any type",
    "STARTS": f"analysis.importance starts a search with it: {SEALED}",
}
"""Name -> why several modules may define it."""
TYPES_ONLY = ("benchmarks", "docs", "tests/helpers")
"""Folders whose functions and constants are read beside their module's name."""
UNTOUCHED = ("analysis/importance/", "lttune/config/design/")
"""Folders whose names may clash among themselves, for the reason of ``SEALED``."""


def bare(name: str) -> str:
    """Returns a name, that of a type without the underscore of a private one."""
    return name.lstrip("_") if is_type(name) else name


def is_type(name: str) -> bool:
    """Returns whether a name is written as those of classes and of aliases of types are."""
    return re.fullmatch("_*[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", name) is not None


def names_of(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yields what a module defines by itself."""
    for node in body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                stored = [n for target in targets for n in ast.walk(target)]
                yield from (n.id for n in stored if isinstance(n, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If() | ast.Try() | ast.With() | ast.For():
                blocks = [node.body, getattr(node, "orelse", []), getattr(node, "finalbody", [])]
                blocks += [handler.body for handler in getattr(node, "handlers", [])]
                for block in blocks:
                    yield from names_of(block)


def places(root: Path) -> dict[str, set[str]]:
    """Returns public name -> the modules that define it; of ``TYPES_ONLY`` their types alone."""
    found = defaultdict(set)
    for top in ("lttune", "analysis", *TYPES_ONLY):
        for path in (root / top).rglob("*.py"):
            for name in map(bare, names_of(ast.parse(path.read_text()).body)):
                if not name.startswith("_") and (top not in TYPES_ONLY or is_type(name)):
                    found[name].add(path.relative_to(root).as_posix())
    return found


def shared(found: dict[str, set[str]]) -> dict[str, list[str]]:
    """Returns the names that modules share which need not."""
    return {
        name: sorted(modules)
        for name, modules in found.items()
        if len(modules) > 1 and not all(module.startswith(UNTOUCHED) for module in modules)
    }


def test_each_public_name_has_one_meaning():
    found = shared(places(ROOT))
    assert {name: modules for name, modules in found.items() if name not in SHARED} == {}
    assert found.keys() >= SHARED.keys(), "a name that one module has needs no reason"


SOURCES = {
    "a constant": ("LOOKS = 1", "LOOKS: int = 2"),
    "one of several": ("BLACK, GREY = 1, 2", "GREY = 3"),
    "a function": ("def draw(): pass", "async def draw(): pass"),
    "a type": ("Course = int", "class Course: pass"),
    "a private class": ("class Kept: pass", "class _Kept: pass"),
    "a private type": ("Kept = int", "_Kept = TypeVar('_Kept')"),
    "where it can be had": (
        "try: X = 1\nexcept KeyError: pass\nelse: Y = 1",
        "if A: pass\nelse: Y = 2",
    ),
}


@pytest.mark.parametrize("sources", SOURCES.values(), ids=SOURCES)
def test_what_is_defined_twice_is_found(sources, tmp_path):
    for top, source in zip(("lttune", "analysis"), sources, strict=True):
        (tmp_path / top).mkdir()
        (tmp_path / top / "module.py").write_text(source)
    assert list(shared(places(tmp_path)).values()) == [["analysis/module.py", "lttune/module.py"]]


def test_what_is_private_or_no_type_of_a_helper_is_not(tmp_path):
    for top in ("lttune", "analysis", "benchmarks", "docs", "tests/helpers"):
        (tmp_path / top).mkdir(parents=True)
    (tmp_path / "lttune" / "module.py").write_text("_LOOKS = 1\nclass Loop: pass\nSTEPS = 1")
    (tmp_path / "analysis" / "module.py").write_text("_LOOKS = 1\ndef f(): STEPS = 1\nRun = int")
    (tmp_path / "benchmarks" / "module.py").write_text("STEPS = 2\nclass Loop: pass")
    (tmp_path / "docs" / "module.py").write_text("STEPS = 2\nclass Way: pass")
    (tmp_path / "tests/helpers" / "module.py").write_text("STEPS = 2\nclass Way: pass\n_Run = 1")
    assert list(shared(places(tmp_path))) == ["Loop", "Run", "Way"]
