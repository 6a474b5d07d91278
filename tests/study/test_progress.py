from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hand_clock import HandClock, hand_clock
from rich.console import Console

from lttune.records.ledger import Ledger, Trial
from lttune.study.console import progress
from lttune.study.console.progress import Progress
from lttune.study.console.reached import ReachedNote, read_reached
from lttune.study.console.table import clock


@pytest.fixture
def watch(monkeypatch) -> HandClock:
    return hand_clock(monkeypatch, progress)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """One anchor and three search trials."""
    book = Ledger(path=tmp_path / "trials.json", planned={"anchor": 1, "search": 3})
    book.add("anchor", "replicate=0", {}, [0], [])
    for lr in (0.1, 0.2, 0.3):
        book.add("search", f"lr={lr}", {"train.lr": lr}, [0], [])
    return book


WORK = {"anchor": 9, "search": 3}


def report(level: int, density: float, reused: bool = False) -> dict[str, Any]:
    row = {"reused": reused}
    return {
        "level": level,
        "density": density,
        "val_accuracy": 0.9,
        "test_accuracy": 0.875,
        "rows": [row],
    }


def on_file(ledger: Ledger) -> tuple[Progress, io.StringIO]:
    file = io.StringIO()
    shown = Progress(ledger, WORK, Console(file=file, width=200))
    shown.started()
    return shown, file


def on_terminal(ledger: Ledger) -> tuple[Progress, Console]:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, record=True)
    shown = Progress(ledger, WORK, console)
    shown.started()
    return shown, console


def drawn(progress: Progress, console: Console) -> list[str]:
    console.print(progress)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_time_left_is_that_of_the_phases_of_this_run(ledger, watch):
    ledger.planned["design"] = 7
    ledger.only = ("anchor", "search")
    shown, _ = on_file(ledger)
    ledger.trials[0].state = "running"
    watch.now += 9
    shown.level(ledger.trials[0], report(0, 1.0), share=1.0)
    assert shown._left() == pytest.approx(9)


def end(trial: Trial, objective: float = 0.5) -> Trial:
    trial.state, trial.objective = "complete", objective
    return trial


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (89 * 60, "89 min"),
        (90 * 60, "1 h 30 min"),
        (11_100, "3 h 05 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert clock(seconds) == text


def test_every_ended_trial_is_a_line_where_there_is_no_terminal(ledger, watch):
    shown, file = on_file(ledger)
    with shown:
        trial = ledger.trials[0]
        trial.state = "running"
        watch.now += 10
        shown.level(trial, report(2, 0.5), 1.0)
        assert file.getvalue() == ""
        shown.ended(end(trial))
    # 9 of 18 networks took 10 s.
    assert file.getvalue() == (
        "[1/4] 000 anchor base configuration (replicate=0): complete  level 2  density 50.0%"
        "  test 87.50%  objective 0.5000  (10 s left)\n"
    )


def test_a_failed_trial_says_why(ledger, watch):
    shown, file = on_file(ledger)
    with shown:
        trial = ledger.trials[1]
        trial.state, trial.error = "failed", "ValueError: [red] no"
        shown.ended(trial)
    assert file.getvalue() == "[0/4] 001 search lr=0.1: failed  ValueError: [red] no\n"


def test_a_long_line_is_not_cut(ledger, watch):
    file = io.StringIO()
    shown = Progress(ledger, WORK, Console(file=file, width=30))
    shown.started()
    ledger.trials[0].label = "x" * 100
    shown.ended(end(ledger.trials[0]))
    assert file.getvalue().count("\n") == 1


def test_the_time_left_is_the_work_left_at_the_pace_so_far(ledger, watch):
    shown, _ = on_file(ledger)
    assert shown._left() is None
    anchor, search = ledger.trials[0], ledger.trials[1]
    anchor.state = search.state = "running"
    watch.now += 6
    shown.level(anchor, report(0, 1.0), 1 / 3)
    # 3 of 18 networks in 6 s: 15 are left, 2 s each.
    assert shown._left() == pytest.approx(30)
    watch.now += 6
    shown.level(anchor, report(1, 0.8), 2 / 3)
    shown.level(search, report(0, 1.0), 1 / 3)
    assert shown._left() == pytest.approx((18 - 6 - 1) * 12 / 7)
    shown.level(anchor, report(2, 0.6), 1.0)
    shown.ended(end(anchor))
    assert shown._left() == pytest.approx((18 - 9 - 1) * 12 / 10)


def test_a_failed_trial_is_no_work_left(ledger, watch):
    shown, _ = on_file(ledger)
    ledger.trials[0].state = "running"
    watch.now += 9
    shown.level(ledger.trials[0], report(0, 1.0), 1.0)
    shown.ended(end(ledger.trials[0]))
    ledger.trials[1].state = "failed"
    shown.ended(ledger.trials[1])
    assert shown._left() == pytest.approx(6)


def test_networks_from_the_store_are_not_the_pace(ledger, watch):
    shown, _ = on_file(ledger)
    anchor, search = ledger.trials[0], ledger.trials[1]
    anchor.state = search.state = "running"
    shown.level(anchor, report(0, 1.0, reused=True), 1.0)
    assert shown._left() is None
    watch.now += 3
    shown.level(search, report(0, 1.0), 1 / 3)
    assert shown._left() == pytest.approx(8 * 3)


def test_a_repeated_trial_is_not_work_done_twice(ledger, watch):
    shown, _ = on_file(ledger)
    ledger.trials[1].state = "running"
    watch.now += 6
    for level, reused in ((0, False), (1, False), (0, True), (1, True), (2, False)):
        shown.level(ledger.trials[1], report(level, 1.0, reused), (level + 1) / 3)
    # 3 networks in 6 s, and 15 are left.
    assert shown._left() == pytest.approx(30)


def test_a_terminal_shows_counts_and_every_running_trial(ledger, watch):
    shown, console = on_terminal(ledger)
    anchor, first, second, _ = ledger.trials
    end(anchor)
    first.state = second.state = "running"
    watch.now += 5
    shown.level(first, report(1, 0.64), 2 / 3)
    lines = drawn(shown, console)
    # 2 networks in 5 s; 7 of the search's 9 are left.
    assert lines[0] == (
        "search   1 of 4 trials done, 2 running, 1 to come   5 s so far, about 18 s left"
    )
    assert " ".join(lines[1].split()) == "trial lr level density val accuracy test accuracy"
    assert lines[2].split() == ["001", "search", "0.1", "1", "64.0%", "90.00%", "87.50%"]
    assert lines[3].split() == ["002", "search", "0.2", "training", "dense"]
    assert len(lines) == 4


def test_a_terminal_names_the_phases_that_run_and_the_failures(ledger, watch):
    shown, console = on_terminal(ledger)
    assert drawn(shown, console)[0].startswith("starting Ray   0 of 4 trials done, 0 running, 4 to")
    ledger.trials[0].state = ledger.trials[1].state = "running"
    ledger.trials[2].state = "failed"
    line = drawn(shown, console)[0]
    assert line.startswith("anchor and search   0 of 4 trials done, 2 running, 1 to come, 1 failed")
    for trial in ledger.trials:
        trial.state = "failed" if trial.number else "complete"
    assert drawn(shown, console)[0].startswith("writing the report   1 of 4 trials done, 0 running")


def test_a_terminal_is_drawn_and_cleaned_up_and_has_no_lines_of_trials(ledger, watch):
    shown, console = on_terminal(ledger)
    with shown:
        assert shown._live is not None
        shown.ended(end(ledger.trials[0]))
        assert "complete" not in console.export_text()
    assert not shown._live.is_started


def test_rays_start_is_not_counted_as_pace(ledger, watch):
    shown = Progress(ledger, WORK, Console(file=io.StringIO(), width=200))
    watch.now += 20
    shown.started()
    anchor = ledger.trials[0]
    anchor.state = "running"
    watch.now += 5
    shown.level(anchor, report(0, 1.0), 1.0)
    late = shown._left()
    early = Progress(ledger, WORK, Console(file=io.StringIO(), width=200))
    early.started()
    watch.now += 5
    early.level(anchor, report(0, 1.0), 1.0)
    assert late == early._left()


def test_what_is_reached_is_noted_while_trials_run_and_not_afterwards(ledger, watch, tmp_path):
    note = ReachedNote(tmp_path)
    shown = Progress(ledger, WORK, Console(file=io.StringIO(), width=200), note=note)
    shown.started()
    with shown:
        ledger.trials[0].state = "running"
        watch.now += 9
        shown.level(ledger.trials[0], report(0, 1.0), share=1.0)
        kept = {"level": 0, "density": 1.0, "val_accuracy": 0.9, "test_accuracy": 0.875}
        # 9 of 18 networks took 9 s.
        assert read_reached(tmp_path) == ({0: kept}, 9.0)
    assert list(tmp_path.iterdir()) == []


def lines_of(total: int, failing: frozenset[int], tmp_path: Path) -> list[str]:
    """Returns what is printed while a study's trials end one after the other."""
    book, file = Ledger(path=tmp_path / "trials.json", planned={"search": total}), io.StringIO()
    shown = Progress(book, WORK, Console(file=file, width=200))
    with shown:
        for number in range(total):
            trial = book.add("search", f"lr={number}", {}, [0], [])
            trial.state = "failed" if number in failing else "complete"
            shown.ended(trial)
    return file.getvalue().splitlines()


def test_a_file_gets_a_line_for_each_trial_of_a_few(tmp_path):
    assert len(lines_of(100, frozenset(), tmp_path)) == 100


def test_a_file_gets_a_line_for_each_percent_of_many_and_all_that_failed(tmp_path):
    found = lines_of(4000, frozenset({7, 8, 9}), tmp_path)
    assert len(found) <= 101 + 3
    assert len("\n".join(found)) < 10_000
    assert [line for line in found if "failed" in line] == [found[1], found[2], found[3]]
    assert found[-1].startswith("[3960/4000]")  # Its 99 %: with the end of the study comes more.
