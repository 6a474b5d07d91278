"""CSV files whose cells no spreadsheet computes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lttune
from lttune.records.spreadsheet import save_csv

ROOT = Path(lttune.__file__).parents[1]


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def one_feed(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "\0"])
def test_text_that_begins_as_a_formula_is_shown(tmp_path, start):
    text = f"{start}1+1"
    for column in ([text, "a"], pd.Categorical([text, "a"]), np.array([text, None], object)):
        save_csv(pd.DataFrame({"name": column}), tmp_path / "x.csv")
        assert cells(tmp_path / "x.csv")[1][0] == f"'{one_feed(text)}"


def test_a_column_is_shown_too(tmp_path):
    save_csv(pd.DataFrame({"=1+1": [1], "plain": [2]}), tmp_path / "x.csv")
    assert cells(tmp_path / "x.csv") == [["'=1+1", "plain"], ["1", "2"]]


@pytest.mark.parametrize(
    "text", ["", "a=1", "'=1", "1-2", " =1", "é", "-1.5", "+3", "-1e-3", "-.5"]
)
def test_other_text_and_numbers_that_are_written_as_text_stay(tmp_path, text):
    save_csv(pd.DataFrame({"name": [text], "other": ["b"]}), tmp_path / "x.csv")
    assert cells(tmp_path / "x.csv")[1][0] == text


@pytest.mark.parametrize("text", ["-", "+", "-1-2", "-a", "--", "-1 2", "+1;2", "-inf", "-1.2.3"])
def test_what_is_no_number_is_text(tmp_path, text):
    save_csv(pd.DataFrame({"name": [text]}), tmp_path / "x.csv")
    assert cells(tmp_path / "x.csv")[1][0] == f"'{text}"


def test_numbers_stay_numbers_with_all_their_digits(tmp_path):
    table = pd.DataFrame(
        {
            "whole": [-1, 2],
            "real": [-0.1 - 0.2, -np.inf],
            "gap": pd.Series([-3, None], dtype=object),
            "mixed": pd.Series([-0.5, "=x"], dtype=object),
            "flag": [True, False],
        }
    )
    before = table.copy()
    save_csv(table, tmp_path / "x.csv")
    assert cells(tmp_path / "x.csv")[1:] == [
        ["-1", "-0.30000000000000004", "-3", "-0.5", "True"],
        ["2", "-inf", "", "'=x", "False"],
    ]
    pd.testing.assert_frame_equal(table, before)


def test_a_table_of_nothing_is_its_head(tmp_path):
    save_csv(pd.DataFrame(columns=pd.Index(["a", "b"])), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == "a,b\n"
    save_csv(pd.DataFrame(), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().strip() in ("", '""')


def test_a_return_within_a_cell_begins_no_row(tmp_path):
    save_csv(pd.DataFrame({"name": ["a\r=1+1", "b\r\n=2"], "n": [1, 2]}), tmp_path / "x.csv")
    assert cells(tmp_path / "x.csv")[1:] == [["a\n=1+1", "1"], ["b\n=2", "2"]]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_what_is_read_back_is_what_was_written(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    texts = [text.replace("\0", "") for text in texts]
    save_csv(pd.DataFrame({"name": texts, "n": range(len(texts))}), path)
    for text, (shown, _) in zip(texts, cells(path)[1:], strict=True):
        assert shown.removeprefix("'") == one_feed(text).removeprefix("'")
        number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", shown, re.IGNORECASE)
        assert number or not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_every_csv_is_written_by_one_function():
    writers = {
        path.relative_to(ROOT).as_posix()
        for top in ("lttune", "analysis", "studies", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
        if re.search(r"\.to_csv\(|csv\.writer|DictWriter|savetxt", path.read_text())
    }
    # The others make a digest of the text, which nobody opens.
    digests = {"analysis/importance/saved.py", "analysis/tables/design/current.py"}
    assert writers == {"lttune/records/spreadsheet.py", *digests}
