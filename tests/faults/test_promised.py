"""The table of promises names tests that exist, and every row or the reason why there is none."""

import re
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


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_tests_or_says_what_is_missing(name):
    row = ROWS[name]
    assert row["what"]
    assert bool(row.get("tests")) != bool(row.get("missing"))
    for test in row.get("tests", ()):
        file, _, function = test.partition("::")
        text = (TESTS / file).read_text()
        assert not function or re.search(rf"^ *def {function}\(", text, re.M), test
