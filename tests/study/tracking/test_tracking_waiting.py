"""What waits for MLflow: in order, bounded, and earlier trials only when their turn comes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lttune.study.tracking import waiting as module
from lttune.study.tracking.waiting import Waiting


def taken(waiting: Waiting) -> list[str]:
    """Returns the kinds of all entries, as one thread takes them."""
    kinds: list[str] = []

    def take() -> None:
        while entry := waiting.first(lambda: True):
            kinds.append(entry[0])
            waiting.done()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(10)
    return kinds


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
