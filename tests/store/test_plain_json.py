"""What is no JSON, or more than a reader can hold, is an error that says so."""

import pytest

from lttune.store.plain_json import DEEPEST, parse_json, read_json


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "[1, Infinity]", '{"a": -Infinity}', "[" * 100_000, "[1, 1e400]"),
        *(f"1{400 * '0'}.5", f"[1{400 * '0'}]"),
    ],
)
def test_what_is_no_json_is_a_value_error(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    refused = r"it holds .*, (which is no JSON|a number that 64 bits cannot hold)|nested too deeply"
    with pytest.raises(ValueError, match=refused):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a": ', "}")])
def test_lists_in_lists_are_bounded_so_that_a_walk_through_them_ends(before, after):
    text = before * DEEPEST + "1" + after * DEEPEST
    assert parse_json(text.encode())
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(f"[{text}]".encode())


def test_large_numbers_that_64_bits_hold_are_read():
    assert parse_json(b"[1e308, 1e-400, 12345e100]") == [1e308, 0.0, 12345e100]
    assert parse_json(f"[{2**63 - 1}, {-(2**63)}]".encode()) == [2**63 - 1, -(2**63)]
