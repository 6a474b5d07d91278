"""A trial that is silent for far longer than any level took is found, and no other."""

from __future__ import annotations

import pytest
from hand_clock import HandClock, hand_clock

from lttune.study.workers import watchdog
from lttune.study.workers.watchdog import Watchdog


@pytest.fixture
def clock(monkeypatch) -> HandClock:
    return hand_clock(monkeypatch, watchdog)


def after(dog: Watchdog, clock: HandClock, seconds: int) -> dict[int, float]:
    """Asks every second; returns whoever was found."""
    found: dict[int, float] = {}
    for _ in range(seconds):
        clock.now += 1.0
        found |= dog.silent()
    return found


def test_a_silent_trial_is_found_once_and_then_anew(clock):
    dog = Watchdog(least_s=10.0, levels=3.0)
    dog.began(0)
    assert after(dog, clock, 5) == {}
    dog.reported(0, trained=True)
    dog.began(1)
    # Three levels of five seconds are more than the ten that are never too long.
    assert after(dog, clock, 8) == {}
    dog.reported(1, trained=True)
    assert after(dog, clock, 16) == {}
    assert after(dog, clock, 8) == {0: 25.0}
    dog.reported(1, trained=True)
    dog.ended(1)
    assert after(dog, clock, 50) == {}
    assert after(dog, clock, 60).keys() == {0}
    dog.ended(0)
    assert after(dog, clock, 1000) == {}


def test_nobody_is_silent_before_anything_was_trained(clock):
    dog = Watchdog(least_s=10.0, levels=3.0)
    dog.began(0)
    assert after(dog, clock, 500) == {}
    # What was read from the store says nothing of how long a level takes.
    dog.reported(0, trained=False)
    assert after(dog, clock, 500) == {}


def test_a_study_that_was_stopped_itself_finds_nobody_silent(clock):
    dog = Watchdog(least_s=10.0, levels=3.0)
    dog.began(0)
    after(dog, clock, 1)
    dog.reported(0, trained=True)
    clock.now += 10_000.0
    assert dog.silent() == {}
    assert after(dog, clock, 4) == {}


def test_a_level_may_take_half_an_hour():
    assert watchdog.LEAST_S >= 1800
    assert watchdog.LEVELS >= 50
