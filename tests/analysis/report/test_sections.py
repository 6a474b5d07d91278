"""Every section of the report, of whatever study."""

from __future__ import annotations

import pytest
from sample_study import write_study

from analysis.frame import load
from analysis.report.section import Subject
from analysis.report.sections import SECTIONS


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_section_says_nothing_of_a_study_that_has_nothing(section, tmp_path):
    subject = Subject(study=load(write_study(tmp_path, [], [])), design=None)
    tables = {name: make(subject) for one in SECTIONS for name, make in one.tables.items()}
    assert [drawn for drawn in section.figures(subject, tables) if drawn is not None] == []
    assert all(len(tables[name]) == 0 for name in section.tables)
    assert dict(section.rows(subject, tables)) == {}
