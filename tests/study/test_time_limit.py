"""A run that is given a time trains what fits, says what it left out, and goes on the next time."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import pytest
import searching
from digits_place import StudyPlace, lasting
from digits_study import LOTTERY, SMOKE, STUDY, report
from hand_clock import HandClock, hand_clock
from limited import level, limit_of, trial
from one_process import one_process
from ray.tune.search import Searcher

from lttune.config.fields import duration_s
from lttune.data import load
from lttune.records.ledger import Ledger
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.study.conductor import run_study
from lttune.study.phases import limit as limits
from lttune.study.phases.estimate import relative_pace
from lttune.study.phases.limit import LeftOut, TimeLimit, closing_s, planned_costs, training_ends
from lttune.study.phases.timed import TIME_IS_UP, left_out_line
from lttune.study.workers.trainable import LotteryTrainable


@pytest.fixture
def clock(monkeypatch) -> HandClock:
    return hand_clock(monkeypatch, limits)


@pytest.mark.parametrize(
    ("limit_s", "training_s"), [(45, 25), (600, 570), (7200, 6900), (86_400, 86_100)]
)
def test_the_end_of_a_run_has_its_share(limit_s, training_s):
    assert training_ends(1000.0, limit_s) == 1000 + training_s


def test_a_trial_fits_that_ends_in_time(clock):
    assert limit_of(6).fits(trial())
    assert not limit_of(5.9).fits(trial())
    found = limit_of(6)
    clock.now += 0.1
    assert not found.fits(trial())
    assert not found.fits_one_more("search", 1)


def test_levels_of_this_run_correct_the_estimate(clock):
    found = limit_of(20)
    found.began(trial())
    clock.now += 2
    assert not found.ends(trial(), level(0))
    # Twice as long as estimated: 12 s a trial, 18 are left.
    assert found.fits(trial(1))
    clock.now += 7
    assert not found.fits(trial(1))
    # What was read from the store says nothing of the pace.
    assert not found.ends(trial(), level(1, reused=True))
    clock.now -= 3
    assert found.fits(trial(1))


def test_before_the_first_level_an_unknown_machine_is_taken_to_be_fast_enough(clock):
    found = limit_of(20, is_measured=False)
    assert found.fits(trial())
    found.began(trial())
    clock.now += 5
    assert not found.ends(trial(), level(0))
    # Five seconds for each that was estimated: 30 s a trial.
    assert not found.fits(trial(1))
    late = limit_of(20, is_measured=False)
    clock.now += 16
    assert not late.fits(trial())


def test_a_trial_is_put_off_before_the_level_that_would_end_late(clock):
    found = limit_of(10)
    found.began(trial())
    clock.now += 2
    assert not found.ends(trial(), level(0))
    clock.now += 4
    # The last level took twice its time: the next one takes six seconds, and four are left.
    assert found.ends(trial(), level(1))
    assert found.put_off == {0}
    assert not found.fits(trial())
    other = limit_of(10)
    other.began(trial(1))
    clock.now += 60
    # What is complete is not put off.
    assert not other.ends(trial(1), level(2, last=True))
    assert not other.ends(trial(1), {"error": "x", "done": True})


def test_levels_of_an_earlier_run_cost_nothing(clock):
    found = limit_of(3.5, reached={0: 1})
    assert found.fits(trial())
    assert not found.fits(trial(1))
    found.began(trial())
    clock.now += 1
    # It is read up to level 1, whatever the time.
    assert not found.ends(trial(), level(0, reused=True))
    assert found.ends(trial(), level(1, reused=True))


def test_the_first_trial_that_fits_is_handed_out(tmp_path, clock):
    book = searching.ledger(tmp_path, anchors=2, search=0)
    costs = {"0": (9.0,), "1": (4.0,)}

    def of_label(phase, hparams, controls, replicates):
        return costs[str(hparams.get("n", 0))]

    book.trials[1].hparams = {"n": 1}
    found = TimeLimit(clock.now + 5, of_label, is_measured=True)
    search = searching.searcher(book, limit=found)
    assert search.suggest("a")["trial"] == 1
    # A fast level may still make room for the other one.
    assert search.suggest("b") is None
    book.trials[1].state = "complete"
    assert search.suggest("b") == Searcher.FINISHED
    assert book.trials[0].state == "waiting"


def test_nothing_is_proposed_that_does_not_fit(tmp_path, clock):
    book = searching.ledger(tmp_path, search=2)
    search = searching.searcher(book, limit=limit_of(6))
    assert search.suggest("a")["trial"] == 0
    clock.now += 1
    book.trials[0].state = "complete"
    assert search.suggest("b") == Searcher.FINISHED
    assert len(book.trials) == 1


def test_without_a_limit_proposals_are_the_same(tmp_path, clock):
    (tmp_path / "free").mkdir()
    free, timed = (
        searching.ledger(tmp_path / "free", search=3),
        searching.ledger(tmp_path, search=3),
    )
    for book, found in ((free, None), (timed, limit_of(1e6))):
        search = searching.searcher(book, limit=found)
        for number in range(3):
            search.suggest(str(number))
            searching.play(search, book, str(number), 0.1 * number)
    assert searching.points(free) == searching.points(timed)


SETTINGS = dataclasses.replace(
    SMOKE, tracking_uri="sqlite:///mlflow.db", max_concurrent=1, trials=2
)


@pytest.fixture
def slow(monkeypatch, clock) -> dict[int, float]:
    """Levels take ten seconds of the stand-in clock, those of some trials as long as is said."""
    took: dict[int, float] = {}
    step, reset = LotteryTrainable.step, LotteryTrainable.reset_config
    now = {"trial": 0}

    def noted(self: LotteryTrainable, config: dict[str, Any]) -> bool:
        now["trial"] = config["trial"]
        return reset(self, config)

    def slowed(self: LotteryTrainable) -> dict[str, Any]:
        clock.now += took.get(now["trial"], 10.0)
        return step(self)

    monkeypatch.setattr(LotteryTrainable, "reset_config", noted)
    monkeypatch.setattr(LotteryTrainable, "step", slowed)
    return took


def run(clock: HandClock, out: Path, max_time: str | None) -> tuple[int, str]:
    text = io.StringIO()
    config = dataclasses.replace(SETTINGS, out=out, max_time=max_time)
    with one_process(), contextlib.redirect_stdout(text):
        code = run_study(config, STUDY, report, began=clock.now).exit_code
    return code, text.getvalue()


def states(out: Path) -> list[tuple[str, str]]:
    trials = read_json(out / "digits" / "trials.json")["trials"]
    return [(one["phase"], one["state"]) for one in trials]


def rows(out: Path) -> list[dict[str, Any]]:
    return read(out / "digits" / "records.parquet")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_does_not_fit_is_left_out_and_trained_by_the_same_command(cwd, clock, slow):
    # The second anchor turns out to be slow: its second level would end late.
    slow[1] = 40.0
    code, text = run(clock, Path("out"), "2m")
    assert code == TIME_IS_UP
    assert states(Path("out")) == [("anchor", "complete"), ("anchor", "waiting")]
    assert "--max-time 2m left out 3 trials (1 of anchor, 2 of search), about" in text
    assert "goes on\n" in text
    assert "run the same command again" not in text
    assert "incomplete: 1 of 4 trials" in text
    assert (cwd / "out" / "digits" / "report.html").exists()
    levels = {row["level"] for row in rows(Path("out")) if row["trial"] == 1}
    assert 0 in levels
    assert 2 not in levels
    slow.clear()
    assert run(clock, Path("out"), None)[0] == 0
    assert set(states(Path("out"))) == {("anchor", "complete"), ("search", "complete")}
    # What was trained is not trained again, and all is as if nobody had looked at the clock.
    again = [row for row in rows(Path("out")) if row["trial"] == 1 and row["level"] in levels]
    assert all(row["reused"] for row in again)
    assert run(clock, Path("whole"), None)[0] == 0
    assert lasting(rows(Path("out"))) == lasting(rows(Path("whole")))
    assert run(clock, Path("out"), "2m")[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_where_nothing_fits_nothing_is_begun_and_the_time_is_named_that_would(cwd, clock):
    code, text = run(clock, Path("out"), "1s")
    assert code == TIME_IS_UP
    assert "--max-time 1s left out 4 trials (2 of anchor, 2 of search)" in text
    assert ", 20 s are kept for the report, and the shortest trial takes about " in text
    assert re.search(r"; `python .* --max-time \d+[smh]` goes on\n", text)
    assert set(states(Path("out"))) == {("anchor", "waiting")}


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_real_run_ends_in_time(tmp_path, ray_address, monkeypatch):
    monkeypatch.setattr(limits, "LEAST_CLOSING_S", 5.0)
    place = StudyPlace(tmp_path, ray_address)
    flags = ("--trials", "500", "--max-concurrent", "1", "--lottery.train.steps", "4000")
    place.run(*flags, "--max-time", "30s")
    assert place.exit_code == TIME_IS_UP, place.printed
    assert "--max-time 30s left out" in place.printed
    found = place.states()
    assert set(found) <= {"complete", "waiting"}
    # On a machine that has other work, not even two may fit; none is begun in vain then.
    assert len(found) < 500
    listing = read_json(place.folder / "trials.json")
    assert listing["wall_s"] < 200  # Wherever tests run: without a limit it would take hours.
    assert Ledger.open(place.folder / "trials.json", listing["study_id"]).count("running") == 0


def test_a_trial_of_data_that_the_study_does_not_have_costs_nothing():
    digits = load("digits")
    pace = relative_pace(LOTTERY, digits)
    costs = planned_costs(SMOKE, {"digits": digits}, pace)
    assert costs("anchor", {"data.name": "mnist"}, (), 1) == [0.0]
    assert sum(costs("anchor", {}, (), 1)) > 0


def test_a_study_without_a_file_goes_on_by_the_same_call():
    config = dataclasses.replace(SMOKE, max_time="1m")
    line = left_out_line(LeftOut(trials={"anchor": 2}), config, 1, "")
    assert line == "--max-time 1m left out 2 trials (2 of anchor): the same call goes on"


@pytest.mark.parametrize(
    ("given", "shortest_s", "room_s", "told"),
    [
        # 20 s for the report, 12 s for the start: 1.5 x 7 s more are 43 s.
        ("20s", 7.0, -12.0, "45s"),
        ("60s", 600.0, 28.0, "20m"),
        ("1h", 1e5, 3400.0, "48h"),
    ],
)
def test_a_limit_in_which_nothing_fits_is_told_with_one_that_is_enough(
    given, shortest_s, room_s, told
):
    config = dataclasses.replace(SMOKE, max_time=given)
    found = LeftOut(trials={"anchor": 2}, all_s=1e6, shortest_s=shortest_s, room_s=room_s)
    line = left_out_line(found, config, 1, f"python mine.py --max-time={given} --trials 3")
    assert line.endswith(f"`python mine.py --trials 3 --max-time {told}` goes on")
    assert f"{closing_s(config.limit_s):.0f} s are kept for the report" in line
    start = config.limit_s - closing_s(config.limit_s) - room_s
    assert training_ends(0.0, duration_s("max_time", told)) >= start + shortest_s
    called = left_out_line(found, config, 1, "")
    assert called.endswith(f"; the same call with max_time='{told}' goes on")
    fitting = left_out_line(dataclasses.replace(found, room_s=shortest_s), config, 1, "x --seed 1")
    assert fitting.endswith("more: `x --seed 1` goes on")
