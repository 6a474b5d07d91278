"""A study as it is seen while it runs, and what its end says; without Ray."""

from __future__ import annotations

import os

import pytest
from digits_place import StudyPlace
from one_process import one_process

from analysis import write_report
from lttune.records.folder import read_answer
from lttune.study.conductor import Conductor
from lttune.study.console import reached
from lttune.study.console.watching import Glance, Looks

FLAGS = ("--max-concurrent", "1", "--trials", "2", "--replicates", "1", "--controls", "reinit")
"""Three trials: an anchor with a control, and two of a search."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_study_is_seen_while_it_runs_and_says_at_its_end_what_it_found(tmp_path, monkeypatch):
    place, seen, pages = StudyPlace(tmp_path), list[Glance](), list[str]()
    level = Conductor.level

    def looked(self, trial, report):
        level(self, trial, report)
        seen.append(Looks(place.folder).glance())
        if len(seen) == 5:  # In the middle of the second trial.
            pages.append(write_report(place.folder).read_text())

    monkeypatch.setattr(Conductor, "level", looked)
    monkeypatch.setattr(reached, "NOTED_EACH_S", 0.0)
    with one_process():
        place.run(*FLAGS, report=write_report)
    assert place.exit_code == 0
    written = (place.folder / "report.html").stat().st_mtime_ns
    with one_process():
        place.run(*FLAGS, report=write_report)
    assert (place.folder / "report.html").stat().st_mtime_ns == written
    first, later = seen[0], seen[4]
    assert first.driver is not None
    assert first.driver["pid"] == os.getpid()
    assert [one.name for one in first.running] == ["000 anchor base configuration (replicate=0)"]
    assert first.reports[0]["level"] == 0
    (searched,) = later.running
    assert searched.name.startswith("001 search lr=")
    assert 0 < later.reports[1]["density"] < 1
    assert later.left_s is not None
    assert "Incomplete: 1 of 3 trials. The numbers below will change." in pages[0]
    after = Looks(place.folder).glance()
    assert (after.driver, after.running, after.reports) == (None, [], {})
    assert after.ledger.complete
    assert not (place.folder / reached.PROGRESS).exists()
    said = read_answer(place.folder)
    assert said[0].startswith("Best of 2 trials of the search by accuracy_auc")
    assert searched.name.split()[2] in place.printed
    assert said[0] in " ".join(place.printed.split())
    assert place.printed.index(said[0].split(":")[0]) < place.printed.index("best trials by")
