"""What trials of earlier runs took, by which a run that is given a time knows what fits into it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import searching
from hand_clock import HandClock, hand_clock
from limited import level, limit_of, trial

from lttune.records.ledger import Trial
from lttune.records.tables import Tables
from lttune.study.phases import limit as limits
from lttune.study.workers import tune


@pytest.fixture
def clock(monkeypatch) -> HandClock:
    return hand_clock(monkeypatch, limits)


def complete(number: int, seconds: float) -> Trial:
    return dataclasses.replace(trial(number), state="complete", seconds=seconds)


def test_what_trials_took_before_is_believed_where_it_is_less_than_a_busy_machine_says(clock):
    assert not limit_of(3.5).fits(trial(9))
    # Estimated at six seconds each, they took three; one of them found its networks in the store.
    earlier = [complete(0, 3.0), complete(1, 3.1), complete(2, 0.01), trial(3)]
    assert limit_of(3.5, earlier=earlier).fits(trial(9))
    assert not limit_of(2.9, earlier=earlier).fits(trial(9))
    # They were trained on a busier machine than this one is now.
    assert limit_of(6, earlier=[complete(0, 600.0)]).fits(trial(9))
    # Of the machines of a cluster nothing is known, whatever it was before.
    assert limit_of(1, is_measured=False, earlier=[complete(0, 600.0)]).fits(trial(9))
    found = limit_of(20, earlier=earlier)
    found.began(trial(9))
    clock.now += 4
    # This run's own levels are believed more: four seconds for one, so 24 s a trial.
    assert not found.ends(trial(9), level(0))
    assert not found.fits(trial(8))


def test_the_last_piece_of_a_trial_is_not_taken_for_all_of_it(clock):
    # Runs of little time each trained a level; of the last trial the networks were of a faster one.
    earlier = [complete(0, 0.1), complete(1, 0.2), complete(2, 5.0)]
    seconds, asked = {0: 3.0, 1: 3.2, 2: 1.0}, []

    def trained_s(one: Trial) -> float:
        asked.append(one.number)
        return seconds.get(one.number, 0.0)

    assert limit_of(3.3, earlier=earlier, trained_s=trained_s).fits(trial(9))
    assert not limit_of(3.1, earlier=earlier, trained_s=trained_s).fits(trial(9))
    # Of all trials of a long study only the last are asked, as each has many networks.
    asked.clear()
    limit_of(3, earlier=[complete(n, 1.0) for n in range(100)], trained_s=trained_s)
    assert asked == [*range(80, 100)]


def test_what_is_rebuilt_costs_nothing_while_its_networks_are_there(clock):
    found, lost = limit_of(1), dataclasses.replace(trial(), rebuilt=True)
    assert found.fits(lost)
    assert not found.fits(trial(1))
    found.began(lost)
    assert not found.ends(lost, level(0, reused=True))
    clock.now += 1
    assert found.ends(lost, level(1))


class Silent:
    """A listener to whom it does not matter."""

    def started(self, trial: Trial) -> None:
        """Nothing."""

    def ended(self, trial: Trial) -> None:
        """Nothing."""


@pytest.mark.parametrize("is_rebuilt", [True, False])
def test_what_is_rebuilt_keeps_the_seconds_that_it_took(tmp_path, is_rebuilt, monkeypatch):
    now = hand_clock(monkeypatch, tune)
    book = searching.ledger(tmp_path, anchors=1, search=0)
    book.trials[0].seconds, book.trials[0].rebuilt = 60.0, is_rebuilt
    search = searching.searcher(book)
    bridge = tune._Bridge(book, search, Silent(), "run")
    search.suggest("a")
    bridge.on_trial_start(0, [], SimpleNamespace(trial_id="a"))
    now.now += 0.5
    book.trials[0].values = [0.9]
    bridge.on_trial_complete(0, [], SimpleNamespace(trial_id="a"))
    assert (book.trials[0].state, book.trials[0].seconds) == ("complete", 60 if is_rebuilt else 0.5)


def test_the_networks_of_a_trial_say_how_long_they_were_trained(tmp_path):
    tables = Tables(tmp_path, "x")
    rows = [{"replicate": 0, "branch": name, "level": 0} for name in ("ticket", "random")]
    tables.keep(trial(), [{**row, "train_time_s": 1.5} for row in rows], [])
    assert (tables.trained_s(trial()), tables.trained_s(trial(1))) == (3, 0)
