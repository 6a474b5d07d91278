"""Which trials ASHA stops: Ray's scheduler, asked as Tune asks it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from one_worker import CONFIG, reports, worker
from own_parts import code_of
from ray.tune.schedulers import TrialScheduler

from lttune.records.objectives import ObjectiveConfig, depth
from lttune.records.own import OBJECTIVE
from lttune.study.search.halving import SearchHalving

CONTINUE, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP
FLOOR = 0.8**8
"""Trials are judged at depths 2 and 4."""


class Race:
    """Some trials under one scheduler."""

    def __init__(self, **target: Any) -> None:
        objective = ObjectiveConfig(density=FLOOR, **target)
        self.scheduler, self._is_own = SearchHalving(objective), objective.is_own
        self._trials: dict[str, Any] = {}

    def report(self, name: str, at: float, accuracy: float, **config: Any) -> str:
        if name not in self._trials:
            config = {"phase": "search", **config}
            self._trials[name] = SimpleNamespace(trial_id=name, config=config)
            self.scheduler.on_trial_add(None, self._trials[name])
        # Accuracy of trials that are judged by something else says nothing.
        known = {"val_accuracy": 0.5, "so_far": accuracy}
        result = {"depth": at, **(known if self._is_own else {"val_accuracy": accuracy})}
        return self.scheduler.on_trial_result(None, self._trials[name], result)

    def run(self, name: str, *curve: tuple[float, float], **options: Any) -> list[str]:
        return [self.report(name, *point, **options) for point in curve]


def flat(accuracy: float, *depths: float) -> list[tuple[float, float]]:
    return [(at, accuracy) for at in depths]


def test_the_worse_half_stops_at_a_quarter_and_at_half_of_the_depth():
    race = Race()
    assert race.run("good", *flat(0.9, 0, 1, 2, 3, 4, 8)) == [CONTINUE] * 6
    assert race.run("bad", *flat(0.5, 0, 1, 2)) == [CONTINUE, CONTINUE, STOP]
    later = [(0, 0.95), (2, 0.95), (3, 0.1), (4, 0.1)]
    assert race.run("later", *later) == [CONTINUE, CONTINUE, CONTINUE, STOP]
    assert race.run("best", *flat(0.99, 0, 2, 4)) == [CONTINUE] * 3


def test_a_trial_that_prunes_faster_is_judged_at_the_same_density():
    # Accuracy falls with depth alike; one reports at depths 0, 3 and 6, past both milestones.
    def falling(*depths: float) -> list[tuple[float, float]]:
        return [(at, 0.9 - 0.05 * at) for at in depths]

    race = Race()
    assert race.run("slow", *falling(0, 1, 2, 3, 4)) == [CONTINUE] * 5
    slightly_better = [(at, accuracy + 0.001) for at, accuracy in falling(0, 3, 6)]
    assert race.run("fast", *slightly_better) == [CONTINUE] * 3
    worse = [(at, accuracy - 0.001) for at, accuracy in falling(0, 6)]
    assert race.run("once", *worse) == [CONTINUE, STOP]


@pytest.mark.parametrize(
    "config",
    [
        *({"phase": p} for p in ("anchor", "sweep", "design", "random", "confirm")),
        {"rebuilt": True},
    ],
    ids=lambda config: str(*config.values()),
)
def test_trials_that_ended_and_those_of_other_phases_never_stop_and_judge_nobody(config):
    race = Race()
    assert race.run("other", *flat(0.99, 0, 2, 4), **config) == [CONTINUE] * 3
    assert race.run("first", *flat(0.5, 0, 2, 4)) == [CONTINUE] * 3
    assert race.run("last", *flat(0.1, 0, 2, 4), **config) == [CONTINUE] * 3


def test_by_ticket_density_trials_are_judged_by_what_they_lost():
    target = {"name": "ticket_density"}
    quarter = depth(ObjectiveConfig(**target).floor) / 4
    race = Race(**target)
    race.run("low but lossless", (0, 0.6), (quarter, 0.6))
    assert race.run("high but lossy", (0, 0.9), (quarter, 0.8)) == [CONTINUE, STOP]


def test_what_ray_repeats_is_not_judged_twice():
    race = Race()
    race.run("first", *flat(0.5, 0, 2))
    assert race.run("second", *flat(0.9, 0, 2)) == [CONTINUE] * 2
    # Its machine died; levels come again, beside better others.
    race.run("third", *flat(0.99, 0, 2))
    assert race.run("first", *flat(0.5, 0, 2)) == [CONTINUE] * 2


def test_a_trial_that_failed_is_not_judged():
    race = Race()
    race.report("bad", 0, 0.5)
    error = {"error": "ValueError: no"}
    assert race.scheduler.on_trial_result(None, race._trials["bad"], error) == CONTINUE


def test_the_last_level_of_a_trial_counts_for_the_others():
    race = Race()
    race.report("only", 0, 0.9)
    last = {"depth": 3, "val_accuracy": 0.9}
    race.scheduler.on_trial_complete(None, race._trials["only"], last)
    assert race.run("bad", *flat(0.5, 0, 2)) == [CONTINUE, STOP]


@pytest.mark.parametrize(("direction", "stopped"), [("maximize", "low"), ("minimize", "high")])
def test_by_an_objective_of_ones_own_trials_are_judged_by_what_it_says_so_far(direction, stopped):
    numbers = {"low": -40.0, "high": 300.0}
    better = next(name for name in numbers if name != stopped)
    race = Race(name="./mine.py:part", direction=direction)
    assert race.run(better, *flat(numbers[better], 0, 2, 4)) == [CONTINUE] * 3
    assert race.run(stopped, *flat(numbers[stopped], 0, 2)) == [CONTINUE, STOP]


def test_trials_of_workers_are_judged_by_what_those_report(tmp_path):
    source = "def part(rows, classes):\n    return rows[0]['train.lr'] / len(rows)\n"
    code = code_of(tmp_path, OBJECTIVE, source)
    objective = ObjectiveConfig(name=code.name, direction="maximize", density=0.6)
    scheduler, said = SearchHalving(objective), dict[float, list[str]]()
    for rate in (5e-3, 1e-3):
        trial: Any = SimpleNamespace(trial_id=str(rate), config={"phase": "search"})
        scheduler.on_trial_add(None, trial)
        config = {**CONFIG, "hparams": {"train.lr": rate}}
        asked = {"stops": True, "config": config, "codes": [code], "objective": objective}
        found = reports(worker(tmp_path / "cells", **asked))
        said[rate] = [scheduler.on_trial_result(None, trial, report) for report in found]
    assert said[5e-3] == [CONTINUE] * 4
    assert said[1e-3][:2] == [CONTINUE, STOP]
