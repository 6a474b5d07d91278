"""A public name is defined in one module, so that it says one thing wherever it is read."""

from __future__ import annotations

import ast
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
    "BETA1": "Adam's; a kernel's numbers lie in its engine's folder, whose digest is its key",
    "BETA2": "likewise",
    "EPS": "likewise",
    "CHUNK": "examples of a forward pass, as many as suit the place",
    "BLOCK": "how many are computed together",
    "T": "any type",
    "STARTS": f"analysis.importance starts a search with it: {SEALED}",
}
"""Name -> why several modules may define it."""
UNTOUCHED = ("analysis/importance/", "lttune/config/design/")
"""Folders whose names may clash among themselves, for the reason of ``SEALED``."""


def names_of(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yields what a module defines by itself; classes without the underscore of a private one."""
    for node in body:
        match node:
            case ast.ClassDef(name=name):
                yield name.lstrip("_")
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
    """Returns public name -> the modules that define it; of the benchmarks their classes alone."""
    found = defaultdict(set)
    for top in ("lttune", "analysis", "benchmarks"):
        for path in (root / top).rglob("*.py"):
            body = ast.parse(path.read_text()).body
            if top == "benchmarks":
                body = [node for node in body if isinstance(node, ast.ClassDef)]
            for name in names_of(body):
                if not name.startswith("_"):
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


def test_what_is_private_or_of_a_benchmark_is_not(tmp_path):
    for top in ("lttune", "analysis", "benchmarks"):
        (tmp_path / top).mkdir()
    (tmp_path / "lttune" / "module.py").write_text("_LOOKS = 1\nclass Loop: pass\nSTEPS = 1")
    (tmp_path / "analysis" / "module.py").write_text("_LOOKS = 1\ndef f(): STEPS = 1")
    (tmp_path / "benchmarks" / "module.py").write_text("STEPS = 2\nclass Loop: pass")
    assert list(shared(places(tmp_path))) == ["Loop"]
