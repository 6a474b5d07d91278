"""The answer as a file: what is in it, and what is not read from one."""

from __future__ import annotations

from sample_study import write_study

from analysis.report import write as report
from lttune.records.folder import read_answer


def test_the_answer_is_kept_as_a_file_and_marked_while_the_study_is_incomplete(tmp_path):
    folder = write_study(tmp_path, planned={"anchor": 5})
    page = report.write(folder).read_text()
    mark, first, *_ = read_answer(folder)
    assert mark == "Incomplete: 3 of 5 trials. The numbers below will change."
    assert first.partition(" (")[0] in page
    assert all(line == line.strip() and line for line in read_answer(folder))


def test_an_answer_that_cannot_be_read_is_none(tmp_path):
    assert read_answer(tmp_path) == []
    (tmp_path / "answer.txt").mkdir()
    assert read_answer(tmp_path) == []
    other = tmp_path / "b"
    other.mkdir()
    (other / "answer.txt").write_bytes(b"\xff\x1b[2J\nx" + bytes(2))
    assert read_answer(other) == ["�\\x1b[2J", "x\\x00\\x00"]
    (other / "answer.txt").write_bytes(b"x" * (2 << 20))
    assert read_answer(other) == []
