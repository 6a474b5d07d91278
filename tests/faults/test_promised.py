"""The table of promises names tests that exist, and every row or the reason why there is none."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parents[1]
PROMISED = yaml.safe_load((TESTS / "faults" / "promised.yaml").read_text())
ROWS = {name: row for table in PROMISED.values() for name, row in table.items()}


def test_every_row_is_there():
    faults = {f"R{n:02d}" for n in range(1, 45)}
    inputs = {f"B{n:02d}" for n in range(1, 61)}
    rules = {f"S{n:02d}" for n in range(1, 15)}
    assert {name: set(table) for name, table in PROMISED.items()} == {
        "faults": faults,
        "inputs": inputs,
        "rules": rules,
    }


@cache
def names_in(file: str) -> set[str]:
    """Returns the tests of a file as pytest names them, a class's after it."""
    found = set()
    for one in ast.parse((TESTS / file).read_text()).body:
        inside = one.body if isinstance(one, ast.ClassDef) else []
        found |= {f"{one.name}::{own.name}" for own in inside if isinstance(own, ast.FunctionDef)}
        found |= {one.name} if isinstance(one, ast.FunctionDef) else set()
    return found


def test_a_test_in_a_class_is_named_after_it():
    found = names_in("study/tracking/test_tracking.py")
    assert "TestStore::test_a_deleted_experiment_comes_back" in found
    assert "test_a_deleted_experiment_comes_back" not in found
    assert "test_a_broken_database_is_named" in found


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_tests_or_says_what_is_missing(name):
    row = ROWS[name]
    assert row["what"]
    assert bool(row.get("tests")) != bool(row.get("missing"))
    for test in row.get("tests", ()):
        file, _, function = test.partition("::")
        # One name that pytest does not know has it run none of the others either.
        assert (TESTS / file).is_file()
        assert not function or function in names_in(file), test


def test_the_readme_names_tests_beside_each_promise():
    text = (TESTS.parent / "README.md").read_text()
    table = text.partition("| promise | shown by |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| **")]
    assert len(rows) >= 10
    for row in rows:
        named = re.findall(r"\[(\w+\.py)::(\w+)\]\(tests/([\w/]+\.py)\)", row)
        assert named, row
        for file, test, path in named:
            assert Path(path).name == file
            assert test in names_in(path), f"{path}::{test}"
