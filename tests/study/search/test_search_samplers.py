"""Samplers, and the control that is drawn by number and seed."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from ray.tune.search import Searcher
from scipy.stats import kstest, uniform
from searching import BASE, SPACE, known, ledger, lottery_of, play, points, report, searcher

from lttune.records.objectives import ObjectiveConfig
from lttune.study.search.proposals import SAMPLERS, STARTUP, random_values


def test_the_control_is_drawn_by_number_and_seed_alone(tmp_path):
    drawn = [random_values(SPACE, 0, n) for n in range(3)]
    book = ledger(tmp_path, search=2)
    book.planned["random"] = 3
    search = searcher(book)
    for n in range(5):
        search.suggest(f"ray-{n}")
        play(search, book, f"ray-{n}", objective=0.1 * n)
    assert [trial.hparams for trial in book.of("random")] == drawn
    assert len(search.proposals.study.trials) == 2
    assert random_values(SPACE, 1, 0) != drawn[0]


def test_the_control_is_uniform_where_the_space_is():
    draws = [random_values(SPACE, 3, n) for n in range(400)]
    for path, low, high in (("train.lr", -4, -1), ("prune.fractions.fc1", 0.2, 0.6)):
        values = [d[path] if low > 0 else math.log10(d[path]) for d in draws]
        assert kstest(values, uniform(low, high - low).cdf).pvalue > 0.01
    following = [[math.log(d["train.lr"]) for d in pair] for pair in pairwise(draws)]
    assert abs(np.corrcoef(following, rowvar=False)[0, 1]) < 0.15


def test_of_two_numbers_optuna_is_told_both(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book, objective=ObjectiveConfig(name="pareto"))
    for ray_id, values in (("a", [0.9, 0.1]), ("b", [0.8, float("nan")])):
        search.suggest(ray_id)
        search.on_trial_result(ray_id, report(0))
        search.on_trial_complete(ray_id, report(1, values=values))
    directions = [direction.name for direction in search.proposals.study.directions]
    assert directions == ["MAXIMIZE", "MINIMIZE"]
    assert [(t.state, t.values) for t in known(search).trials] == [
        (TrialState.COMPLETE, [0.9, 0.1]),
        (TrialState.FAIL, None),
    ]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_two_numbers(tmp_path, name):
    book = ledger(tmp_path, search=STARTUP + 2)
    search = searcher(book, sampler=name, objective=ObjectiveConfig(name="pareto"))
    for n in range(STARTUP + 2):
        search.suggest(f"{n}")
        search.on_trial_complete(f"{n}", report(1, values=[0.5 + 0.1 * n, 0.1 * n]))
        book.trials[n].state = "complete"
    assert len(set(points(book))) == STARTUP + 2
    assert all(SPACE["train.lr"]._contains(lr) for lr, _ in points(book))


OPTUNAS = {"tpe": TPESampler, "gp": GPSampler, "random": RandomSampler}


@pytest.mark.parametrize("name", OPTUNAS)
def test_every_sampler_proposes_within_the_space_and_by_its_seed(tmp_path, name):
    found = {}
    for run, seed in (("one", 3), ("two", 3), ("other", 4)):
        book = ledger(tmp_path / run, search=2)
        search = searcher(book, sampler=name, seed=seed)
        search.suggest("a")
        assert type(search.proposals.study.sampler) is OPTUNAS[name]
        search.suggest("b")
        found[run] = points(book)
        assert all(SPACE["train.lr"]._contains(lr) for lr, _ in found[run])
    assert found["one"] == found["two"] != found["other"]
    assert len(set(found["one"])) == 2


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_factors_of_every_kind(tmp_path, name):
    space = {
        "train.lr": FloatDistribution(1e-4, 1e-1, log=True),
        "train.batch_size": IntDistribution(20, 80, log=True),
        "train.warmup_steps": IntDistribution(0, 20),
        "train.optimizer": CategoricalDistribution(["sgd", "momentum", "adam"]),
        "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
    }
    book = ledger(tmp_path, search=STARTUP + 3)
    search = searcher(book, sampler=name, space=space)
    for n in range(STARTUP + 3):
        search.suggest(f"{n}")
        play(search, book, f"{n}", objective=0.1 * n)
    assert len(set(points(book))) == STARTUP + 3
    for trial in book.of("search"):
        assert trial.hparams.keys() == space.keys()
        for path, value in trial.hparams.items():
            assert space[path]._contains(space[path].to_internal_repr(value)), path
        assert BASE.override(trial.hparams).flat().items() >= trial.hparams.items()


def interrupted_search(folder: Path, sampler: str) -> list[tuple[Any, ...]]:
    """Leaves a ledger with three complete trials, and one that was running at the kill."""
    book = ledger(folder, search=8)
    search = searcher(book, sampler=sampler)
    for n in range(3):
        search.suggest(f"ray-{n}")
        play(search, book, f"ray-{n}", objective=0.1 * n)
    search.suggest("killed")
    search.on_trial_result("killed", report(0))
    book.save()
    return points(book)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_goes_on_where_it_was_killed(tmp_path, sampler):
    before = interrupted_search(tmp_path, sampler)
    book = ledger(tmp_path, search=8)
    search = searcher(book, sampler=sampler)
    assert known(search).best_value == 0.2
    assert known(search).best_params == book.trials[2].hparams

    again = search.suggest("again")
    assert again["trial"] == 3
    drawn = dict(zip(SPACE, before[3], strict=True))
    assert lottery_of(again) == BASE.override({"min_density": 0.1, **drawn})
    play(search, book, "again", objective=0.9)
    assert known(search).best_params == book.trials[3].hparams
    for n in range(4, 8):
        assert search.suggest(f"ray-{n}")["trial"] == n
        play(search, book, f"ray-{n}", objective=0.1)
    assert search.suggest("over") == Searcher.FINISHED

    assert points(book)[:4] == before
    assert len(set(points(book))) == 8
    assert [trial.state for trial in known(search).trials] == [TrialState.COMPLETE] * 8
