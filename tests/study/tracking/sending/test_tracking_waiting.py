"""What waits for MLflow: in order, bounded, and earlier trials only when their turn comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lttune.study.tracking import waiting as module
from lttune.study.tracking.waiting import Waiting


def taken(waiting: Waiting) -> list[str]:
    """Returns the kinds of all entries, as one thread takes them one by one."""
    return [kind for kinds in groups(waiting, 1) for kind in kinds]


def groups(waiting: Waiting, most: int) -> list[list[str]]:
    """Returns the kinds of all entries, as one thread takes some together."""
    found: list[list[str]] = []

    def take() -> None:
        while entries := waiting.first(lambda: True, most):
            found.append([entry.kind for entry in entries])
            waiting.done(len(entries))

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(10)
    return found


def trials(waiting: Waiting, count: int, drawn: list[int] | None = None) -> Iterator[None]:
    for number in range(count):
        if drawn is not None:
            drawn.append(number)
        waiting.note(f"trial {number}", number)
        waiting.note(f"end {number}", number)
        yield


def test_entries_come_in_the_order_in_which_they_were_noted():
    waiting = Waiting()
    for kind in "abc":
        waiting.note(kind)
    assert (waiting.noted, waiting.missing, waiting.is_empty) == (3, 3, False)
    assert taken(waiting) == ["a", "b", "c"]
    assert (waiting.noted, waiting.missing, waiting.is_empty) == (3, 0, True)


def test_earlier_trials_come_where_they_were_put():
    waiting = Waiting()
    waiting.note("study")
    waiting.fill(trials(waiting, 2), 2)
    waiting.note("live")
    assert (waiting.noted, waiting.missing) == (4, 4)
    assert taken(waiting) == ["study", "trial 0", "end 0", "trial 1", "end 1", "live"]
    assert (waiting.noted, waiting.missing) == (6, 0)


def test_an_earlier_trial_is_read_when_all_before_it_is_dealt_with():
    waiting, drawn = Waiting(), list[int]()
    waiting.fill(trials(waiting, 1000, drawn), 1000)
    thread = threading.Thread(target=waiting.first, args=(lambda: True,))
    thread.start()
    thread.join(10)
    assert drawn == [0]
    assert waiting.missing == 1001


def test_a_full_queue_takes_nothing_more_and_counts_it(monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    waiting = Waiting()
    for number in range(5):
        waiting.note(f"{number}")
    assert (waiting.noted, waiting.missing) == (5, 5)
    assert taken(waiting) == ["0", "1", "2"]
    # What came after a gap would be refused: the trial that it is of was never opened.
    waiting.note("5")
    assert taken(waiting) == []
    assert (waiting.noted, waiting.missing) == (6, 3)


def test_entries_of_a_trial_are_taken_together():
    waiting = Waiting()
    waiting.note("study")
    waiting.note("file")
    for kind, trial in (("a0", 0), ("b0", 1), ("a1", 0), ("a2", 0), ("b1", 1)):
        waiting.note(kind, trial=trial)
    waiting.note("end")
    waiting.note("late", trial=0)
    assert waiting.missing == 9
    found = [["study"], ["file"], ["a0", "a1"], ["a2"], ["b0", "b1"], ["end"], ["late"]]
    assert groups(waiting, 2) == found
    assert (waiting.missing, waiting.is_empty) == (0, True)


def test_no_entry_comes_before_the_backlog_that_it_came_after():
    def earlier() -> Iterator[None]:
        for kind in ("a0", "a1"):
            waiting.note(kind, trial=0)
        yield

    waiting = Waiting()
    waiting.note("b0", trial=1)
    waiting.fill(earlier(), 1)
    for kind, trial in (("b1", 1), ("a2", 0)):
        waiting.note(kind, trial=trial)
    assert groups(waiting, 9) == [["b0"], ["a0", "a1"], ["b1"], ["a2"]]
    assert (waiting.noted, waiting.missing) == (5, 0)


def test_what_comes_while_a_trials_entries_are_sent_is_sent_after_them():
    waiting = Waiting()
    waiting.note("a0", trial=0)
    waiting.note("b0", trial=1)
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(waiting.first(lambda: True, 9))))
    thread.start()
    thread.join(10)
    waiting.note("a1", trial=0)
    waiting.done()
    assert (found, groups(waiting, 9)) == ([1], [["a1"], ["b0"]])
    waiting.note("a2", trial=0)
    assert groups(waiting, 9) == [["a2"]]


@pytest.mark.parametrize("error", [KeyError("density"), TypeError("level")])
def test_trials_that_cannot_be_read_end_no_thread(error):
    def broken() -> Iterator[None]:
        waiting.note("trial 0")
        yield
        raise error

    waiting = Waiting()
    waiting.fill(broken(), 3)
    waiting.note("live")
    assert taken(waiting) == ["trial 0", "live"]
    assert (waiting.missing, waiting.unreadable) == (2, error)
