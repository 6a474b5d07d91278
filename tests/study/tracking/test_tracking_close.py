"""How long the end of a study waits for MLflow."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from answering import answering

from lttune.study.tracking.tracker import Tracker
from lttune.study.tracking.waiting import Entry


class TestClose:
    """How long close() waits, with a store whose calls last ``seconds``; no MLflow is needed."""

    @pytest.fixture
    def store(self, monkeypatch):
        store = SimpleNamespace(seconds=0.0, opening_s=0.0, call_s=0.0)
        store.began, store.sent, store.failures = [], [], []
        store.refused = ()

        class Mirror:
            experiment = "1"

            def __init__(self, *given: object) -> None:
                time.sleep(store.opening_s)
                self.runs = SimpleNamespace(is_sure=not store.refused)

            def send(self, entries: Sequence[Entry]) -> None:
                (number, *_) = numbers = [entry.trial for entry in entries]
                store.began.append(number)
                time.sleep(store.call_s + store.seconds * len(numbers))
                if number in store.refused:
                    raise ValueError("never")
                if number in store.failures:
                    store.failures.remove(number)
                    raise ConnectionError("busy")
                store.sent += numbers

        module = SimpleNamespace(
            Mirror=Mirror,
            forbidden=lambda _: "",
            is_refusal=lambda error: isinstance(error, ValueError),
            is_broken=lambda _: False,
            is_of_itself=lambda _: False,
        )
        monkeypatch.setitem(sys.modules, "lttune.study.tracking.mirror", module)
        monkeypatch.setattr("lttune.study.tracking.sender._FIRST_WAIT_S", 0.01)
        return store

    def close(self, entries: int, timeout_s: float) -> tuple[str, float]:
        tracker = Tracker("databricks", "slow")
        for number in range(entries):
            tracker.end_trial(number, "FINISHED", {})
        clock = time.perf_counter()
        return tracker.close(timeout_s), time.perf_counter() - clock

    def test_slow_entries_are_all_sent(self, store):
        store.seconds = 0.15
        said, seconds = self.close(entries=8, timeout_s=0.5)
        assert said == ""
        assert store.sent == list(range(8))
        assert 1.1 < seconds < 2

    def test_entries_of_a_trial_go_together_for_as_long_as_they_may_take(self, store, monkeypatch):
        monkeypatch.setattr("lttune.study.tracking.sender._TOGETHER_S", 0.5)
        store.seconds, clock = 0.1, time.perf_counter()
        tracker = Tracker("databricks", "slow")
        for number in (0, *[1] * 12):
            tracker.end_trial(number, "FINISHED", {})
        assert tracker.close(1) == ""
        assert store.sent == [0, *[1] * 12]
        assert 4 <= len(store.began) <= 6
        assert time.perf_counter() - clock > 1.2

    def test_entries_go_together_to_a_server_that_is_far_away(self, store):
        store.call_s = 0.6
        tracker = Tracker("databricks", "far")
        for number in (0, *[1] * 30):
            tracker.end_trial(number, "FINISHED", {})
        assert tracker.close(3) == ""
        assert store.sent == [0, *[1] * 30]
        assert len(store.began) <= 5

    def test_entries_that_fail_together_go_one_by_one(self, store):
        tracker = Tracker("databricks", "fails")
        with tracker._waiting.changed:
            tracker.end_trial(0, "FINISHED", {})
            for _ in range(5):
                tracker.end_trial(1, "FINISHED", {})
            tracker.end_trial(2, "FINISHED", {})
            store.failures = [1]
        assert tracker.close(5) == ""
        assert store.began == [0, *[1] * 6, 2]
        assert store.sent == [0, *[1] * 5, 2]

    def test_what_is_refused_twice_is_not_tried_for_ever(self, store):
        # Each try meets another run that it has not looked at.
        store.refused = (1,)
        said, seconds = self.close(entries=3, timeout_s=5)
        assert said == "MLflow refused 1 entries: never."
        assert (store.began, store.sent) == ([0, 1, 1, 2], [0, 2])
        assert seconds < 2

    def test_four_times_the_timeout_is_the_end(self, store):
        store.seconds = 0.1
        said, seconds = self.close(entries=100, timeout_s=0.3)
        assert said.endswith("there was no time.")
        assert 1.1 < seconds < 1.5

    def test_who_is_urged_while_it_waits_waits_no_longer(self, store, monkeypatch):
        monkeypatch.setattr("lttune.study.tracking.sender._URGENT_S", 0.3)
        store.seconds = 0.1
        tracker, clock = Tracker("databricks", "slow"), time.perf_counter()
        for number in range(100):
            tracker.end_trial(number, "FINISHED", {})
        said = tracker.close(60, lambda: time.perf_counter() - clock > 0.5)
        assert said.endswith("there was no time.")
        assert 0.8 < time.perf_counter() - clock < 5  # All that wait take ten seconds.

    def test_nothing_moves(self, store):
        store.seconds = 3
        said, seconds = self.close(entries=5, timeout_s=0.3)
        assert said.startswith("5 of 5 entries are missing")
        assert seconds < 0.7

    def test_opening_is_movement(self, store):
        store.opening_s = store.seconds = 0.4
        assert self.close(entries=1, timeout_s=0.6)[0] == ""

    def test_failures_between_successes_are_not_added_up(self, store):
        store.failures = [0, 1, 2, 3]
        assert self.close(entries=5, timeout_s=5)[0] == ""

    def test_a_store_that_is_away_is_tried_twice(self, store):
        store.failures = [0] * 9
        said, seconds = self.close(entries=1, timeout_s=5)
        assert said.endswith("busy.")
        assert len(store.failures) in (6, 7)
        assert seconds < 1

    def test_a_server_that_does_not_answer_is_given_up_within_a_second(self, store):
        store.seconds = 30
        with answering(200) as port:
            tracker = Tracker(f"http://127.0.0.1:{port}", "hangs")
            tracker.end_trial(0, "FINISHED", {})
            while not store.began:
                time.sleep(0.01)
        clock = time.perf_counter()
        said = tracker.close(60)
        assert time.perf_counter() - clock < 1.3
        assert said.startswith("1 of 1 entries are missing in MLflow at http://127.0.0.1:")
        assert tracker.close(60) == said

    def test_a_server_that_answers_may_be_slow(self, store):
        store.seconds = 2
        with answering(200) as port:
            tracker = Tracker(f"http://127.0.0.1:{port}", "slow")
            tracker.end_trial(0, "FINISHED", {})
            assert tracker.close(10) == ""

    def test_no_entry_can_stop_the_study(self, store, monkeypatch):
        monkeypatch.setattr("lttune.study.tracking.waiting.MOST_WAITING", 2)
        store.seconds = 0.2
        tracker = Tracker("databricks", "full")
        for number in range(6):
            tracker.end_trial(number, "FINISHED", {})
        said = tracker.close(5)
        assert store.sent == [0, 1]
        assert said == (
            "4 of 6 entries are missing in MLflow at databricks (experiment 1): "
            "more than 20000 waited for it."
        )
