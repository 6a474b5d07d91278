"""What docs/extending.md says, done: its files as modules, its rows in their tables."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"


@dataclass(frozen=True)
class Block:
    """A block of code: a whole file, or what is added to a table."""

    table: str
    """Empty: a whole file."""
    path: str
    code: str


def chapters() -> dict[str, str]:
    """Returns heading -> the text below it."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str) -> list[Block]:
    found = re.findall(r"```python\n# (?:in (\w+) of )?(\S+)\n(.*?)```", text, flags=re.S)
    assert len(found) == text.count("```python")
    return [Block(*parts) for parts in found]


def files(text: str) -> set[str]:
    """Returns the files that have to be written or changed: of blocks, and those linked to."""
    linked = re.findall(r"\]\(\.\./((?:lttune|analysis)/\S+\.py)\)", text)
    return {block.path for block in blocks(text)} | set(linked)


def register(heading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does for the length of a test what a chapter says."""
    for block in blocks(chapters()[heading]):
        module = module_name(block.path)
        if block.table:
            _add(block, importlib.import_module(module), monkeypatch)
        else:
            _write(block, module, monkeypatch)


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _write(block: Block, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not (ROOT / block.path).exists()
    made = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, made)
    parent, _, child = name.rpartition(".")
    if parent == "my_package":
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    monkeypatch.setattr(importlib.import_module(parent), child, made, raising=False)
    exec(compile(block.code, block.path, "exec"), vars(made))


def _add(block: Block, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    imports = "".join(re.findall(r"^from .+\n", block.code, flags=re.M))
    row = block.code.removeprefix(imports).strip()
    names = dict(vars(module))
    exec(imports, names)
    table = vars(module)[block.table]
    if isinstance(table, dict) and row.startswith('"'):
        added = eval(f"{{{row}}}", names)
    else:
        added = eval(f"({row},)", names)
    if isinstance(table, dict):
        rows = added if isinstance(added, dict) else {one.name: one for one in added}
        for name, value in rows.items():
            assert name not in table
            monkeypatch.setitem(table, name, value)
    elif isinstance(table, tuple):
        _replace(block.table, table, (*table, *added), monkeypatch)
    else:
        _replace(block.table, table, Literal[(*get_args(table), *added)], monkeypatch)


def _replace(name: str, old: Any, new: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces a value wherever it was imported to, as a changed source would."""
    for module in list(sys.modules.values()):
        ours = module.__name__.partition(".")[0] in ("lttune", "analysis")
        if ours and vars(module).get(name) is old:
            monkeypatch.setattr(module, name, new)
