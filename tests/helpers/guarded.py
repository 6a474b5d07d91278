"""Tests that are called while a guard is missing, and where those fail that do."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parents[1]
PROMISED = yaml.safe_load((TESTS / "faults" / "promised.yaml").read_text())

Calls = dict[str, Callable[[Any, Path], None]]
"""Test -> how it is called, with an empty folder."""


def module(name: str) -> ModuleType:
    """A module of tests that no other test has imported: what is patched in it stays here."""
    spec = importlib.util.spec_from_file_location(f"guarded_{Path(name).stem}", TESTS / name)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def failures(calls: Calls, factory: Any) -> dict[str, str]:
    """Returns test -> kind of error and line of the test at which it failed, of those that do."""
    found = {}
    for name, call in calls.items():
        path, _, function = name.partition("::")
        try:
            call(getattr(module(path), function), factory.mktemp("guarded"))
        except (Exception, pytest.fail.Exception) as error:
            frames = traceback.extract_tb(error.__traceback__)
            (*_, line) = [f.line for f in frames if is_of_tests(Path(f.filename))]
            found[name] = f"{type(error).__name__}: {line}"
    return found


def is_of_tests(file: Path) -> bool:
    """Whether a file is of the tests, and not of those that take guards away."""
    return file.is_relative_to(TESTS) and not file.name.startswith("test_guards")


def promised(test: str) -> bool:
    """Whether the table of promises names a test, or all of its file."""
    rows = [row for table in PROMISED.values() for row in table.values()]
    named = {one for row in rows for one in row.get("tests", ())}
    return bool({test, test.partition("::")[0]} & named)
