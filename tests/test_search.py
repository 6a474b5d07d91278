from __future__ import annotations

import math
import pickle
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher
from scipy.stats import kstest, uniform

from lttune.config import LotteryConfig, TrainConfig, from_dict
from lttune.confirmation import Confirmation
from lttune.ledger import Ledger
from lttune.objectives import ObjectiveConfig
from lttune.proposals import SAMPLERS, STARTUP, draw
from lttune.search import StudySearcher, label

BASE = LotteryConfig(levels=2, train=TrainConfig(steps=40, eval_every=20))
SPACE = {
    "train.lr": FloatDistribution(1e-4, 1e-1, log=True),
    "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
}


def ledger(path: Path, anchors: int = 0, search: int = 4) -> Ledger:
    book = Ledger.open(path / "trials.json")
    for replicate in range(len(book.of("anchor")), anchors):
        book.add("anchor", f"replicate={replicate}", {}, [replicate], ["reinit"])
    book.planned = {"anchor": anchors, "search": search}
    return book


def searcher(book: Ledger, **changes: Any) -> StudySearcher:
    options = {"space": SPACE, "target": ObjectiveConfig(), "sampler": "random", "seed": 0}
    confirmation = {"replicates": 2, **changes.pop("confirmation", {})}
    options |= {"replicates": 2, **changes}
    options["confirmation"] = Confirmation(target=options["target"], **confirmation)
    return StudySearcher(book, BASE, **options)


def report(level: int, accuracy: float = 0.5, **more: Any) -> dict[str, Any]:
    return {"level": level, "val_accuracy": accuracy, "rows": [], **more}


def play(search: StudySearcher, book: Ledger, ray_id: str, objective: float) -> None:
    """Runs a trial as Tune does, which withholds the last result from ``on_trial_result``."""
    search.on_trial_result(ray_id, report(0))
    search.on_trial_result(ray_id, report(1))
    trial = search.trial_of(ray_id)
    search.on_trial_complete(ray_id, report(2, values=[objective]))
    trial.state, trial.objective, trial.values = "complete", objective, [objective]


def lottery_of(config: dict[str, Any]) -> LotteryConfig:
    return from_dict(config["lottery"]).override(config["hparams"])


def optuna_trial(search: StudySearcher, index: int = -1) -> optuna.trial.FrozenTrial:
    return search.proposals.study.trials[index]


def points(book: Ledger) -> list[tuple[Any, ...]]:
    return [tuple(trial.hparams.values()) for trial in book.of("search")]


def test_planned_trials_come_first_then_proposals_up_to_the_budget(tmp_path):
    book = ledger(tmp_path, anchors=2, search=3)
    search = searcher(book)
    configs = [search.suggest(f"ray-{n}") for n in range(5)]
    assert [config["trial"] for config in configs] == [0, 1, 2, 3, 4]
    assert [trial.phase for trial in book.trials] == ["anchor"] * 2 + ["search"] * 3
    assert {trial.state for trial in book.trials} == {"running"}
    assert [search.suggest("ray-5"), search.suggest("ray-6")] == [Searcher.FINISHED] * 2
    assert len(book.trials) == 5


def test_a_configuration_is_the_base_with_the_trials_hyperparameters(tmp_path):
    book = ledger(tmp_path, anchors=1, search=1)
    search = searcher(book)
    anchor, proposal = search.suggest("a"), search.suggest("b")
    assert lottery_of(anchor) == BASE
    assert (anchor["replicates"], anchor["controls"]) == ([0], ["reinit"])
    # A search trial ends at the smallest density that its objective reads.
    floor = {"min_density": 0.1}
    assert lottery_of(proposal) == BASE.override(floor | book.trials[1].hparams)
    assert (proposal["replicates"], proposal["controls"]) == ([0, 1], [])
    assert book.trials[1].hparams.keys() == SPACE.keys()


def test_a_phase_that_is_not_planned_is_not_handed_out(tmp_path):
    book = ledger(tmp_path, anchors=1, search=1)
    searcher(book).suggest("a")
    book.trials[0].state = "waiting"
    book.planned = {"search": 1}
    search = searcher(book)
    assert search.suggest("b")["trial"] == 1
    assert search.suggest("c") == Searcher.FINISHED


def test_optuna_is_told_once_the_objective_of_the_last_result(tmp_path):
    book = ledger(tmp_path, search=1)
    search = searcher(book)
    search.suggest("a")
    search.on_trial_result("a", report(0, 0.9))
    search.on_trial_result("a", report(1, 0.8))
    assert optuna_trial(search).state == TrialState.RUNNING
    search.on_trial_complete("a", report(2, 0.7, values=[0.81]))
    told = optuna_trial(search)
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.81)
    assert told.intermediate_values == {0: 0.9, 1: 0.8, 2: 0.7}
    assert told.params == book.trials[0].hparams
    assert len(search.proposals.study.trials) == 1


def test_a_last_result_that_was_shown_before_is_told_all_the_same(tmp_path):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    last = report(0, 0.7, values=[0.7])
    search.on_trial_result("a", last)
    search.on_trial_complete("a", last)
    assert (optuna_trial(search).value, optuna_trial(search).intermediate_values) == (0.7, {0: 0.7})


@pytest.mark.parametrize(
    ("last", "error", "state"),
    [
        (report(2, values=[0.5]), False, TrialState.COMPLETE),
        (report(1), False, TrialState.PRUNED),
        ({"error": "ValueError: no", "done": True}, False, TrialState.FAIL),
        (report(1), True, TrialState.FAIL),
        (None, True, TrialState.FAIL),
        (report(2, values=[float("nan")]), False, TrialState.FAIL),
        (report(2, values=[float("inf")]), False, TrialState.FAIL),
    ],
)
def test_how_a_trial_ended_is_told_truly(tmp_path, last, error, state):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    search.on_trial_result("a", report(0))
    search.on_trial_complete("a", last, error=error)
    assert [trial.state for trial in search.proposals.study.trials] == [state]


def test_levels_that_ray_repeats_neither_warn_nor_change_anything(tmp_path):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level, accuracy in ((0, 0.9), (1, 0.8), (0, 0.1), (1, 0.1)):
            search.on_trial_result("a", report(level, accuracy))
        search.on_trial_complete("a", report(2, 0.7, values=[0.8]))
    assert optuna_trial(search).intermediate_values == {0: 0.9, 1: 0.8, 2: 0.7}
    assert optuna_trial(search).value == 0.8


def test_a_stopped_trial_is_never_the_best(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book)
    search.suggest("stopped")
    search.suggest("whole")
    search.on_trial_result("stopped", report(0, 0.99))
    search.on_trial_complete("stopped", report(1, 0.98))
    play(search, book, "whole", objective=0.3)
    assert search.proposals.study.best_trial.params == book.trials[1].hparams
    assert search.proposals.study.best_value == 0.3


def told(search: StudySearcher) -> list[tuple[dict[str, Any], list[float]]]:
    """Returns what Optuna knows before it proposes."""
    search.proposals.learn(search.ledger)
    return [(t.params, t.values) for t in search.proposals.study.trials if t.state.is_finished()]


def planned(path: Path, phase: str, hparams: dict[str, Any], values: list[float]) -> Ledger:
    """A ledger with a replicate for each value of a point, complete, and one search trial to do."""
    book = ledger(path, search=1)
    for replicate, value in enumerate(values):
        trial = book.add(phase, f"replicate={replicate}", hparams, [replicate], [])
        trial.state, trial.objective, trial.values = "complete", value, [value]
    book.planned[phase] = len(values)
    return book


LR = {"train.lr": FloatDistribution(1e-5, 1.0, log=True)}


def test_an_anchor_outside_of_the_space_is_not_told_to_optuna(tmp_path):
    assert told(searcher(planned(tmp_path, "anchor", {}, [0.9]))) == []


def test_replicates_of_a_point_are_told_once_as_their_mean(tmp_path):
    book = planned(tmp_path, "anchor", {}, [0.9, 0.8])
    search = searcher(book, space=LR)
    known = [({"train.lr": BASE.train.lr}, [pytest.approx(0.85)])]
    assert told(search) == known
    assert told(search) == known
    # The same point in a design: its replicate 0 is the anchor's, its replicate 7 is not.
    for replicate, value in ((0, 0.9), (7, 0.7)):
        trial = book.add("design", f"replicate={replicate}", dict(BASE_LR), [replicate], [])
        trial.state, trial.values = "complete", [value]
    assert told(searcher(book, space=LR)) == [({"train.lr": 0.0012}, [pytest.approx(0.8)])]


BASE_LR = {"train.lr": BASE.train.lr}


def test_a_point_is_told_when_its_last_replicate_has_ended(tmp_path):
    book = planned(tmp_path, "anchor", {}, [0.9, 0.8])
    book.trials[1].state = "running"
    search = searcher(book, space=LR)
    assert told(search) == []
    book.trials[1].state = "failed"
    assert told(search) == [(BASE_LR, [0.9])]


@pytest.mark.parametrize(
    ("hparams", "is_point"),
    [
        ({"train.lr": 0.1}, True),
        ({"train.lr": 2.0}, False),
        ({"train.lr": 0.1, "train.batch_size": 30}, False),
        # As deep as a trial of the search, or deeper; the objective ends at a density of 0.1.
        ({"train.lr": 0.1, "levels": 5, "min_density": 0.05}, True),
        ({"train.lr": 0.1, "levels": 5, "min_density": 0.2}, False),
        ({"train.lr": 0.1, "levels": 1}, False),
    ],
)
@pytest.mark.parametrize("phase", ["design", "sweep"])
def test_a_point_is_learned_from_if_it_is_one_of_the_space(tmp_path, phase, hparams, is_point):
    book = planned(tmp_path, phase, hparams, [0.9])
    assert told(searcher(book, space=LR)) == ([({"train.lr": 0.1}, [0.9])] if is_point else [])


@pytest.mark.parametrize("phase", ["random", "confirm"])
def test_the_search_never_learns_of_its_control_or_its_confirmation(tmp_path, phase):
    assert told(searcher(planned(tmp_path, phase, {"train.lr": 0.1}, [0.9]), space=LR)) == []


def test_a_value_between_the_steps_of_a_distribution_is_no_point(tmp_path):
    stepped = {"train.lr": FloatDistribution(0.1, 0.5, step=0.1)}
    for name, lr, expected in (("on", 0.3, 1), ("off", 0.35, 0)):
        book = planned(tmp_path / name, "design", {"train.lr": lr}, [0.9])
        assert len(told(searcher(book, space=stepped))) == expected


def test_the_search_waits_for_the_design_and_its_control_does_not(tmp_path):
    book = planned(tmp_path, "design", {"train.lr": 0.1}, [0.9, 0.8])
    book.trials[1].state = "waiting"
    book.planned = {"design": 2, "search": 2, "random": 1}
    search = searcher(book, space=LR)
    assert search.suggest("design")["phase"] == "design"
    assert search.suggest("control")["phase"] == "random"
    assert search.suggest("not yet") is None
    assert book.of("search") == []
    search.on_trial_complete("design", {"error": "ValueError: no"})
    book.trials[1].state = "failed"
    assert search.suggest("now")["phase"] == "search"
    assert [t.values for t in search.proposals.study.trials[:1]] == [[0.9]]


@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_a_design_takes_the_place_of_the_samplers_random_start(tmp_path, name):
    proposed = {}
    for count in (STARTUP - 1, STARTUP):
        for slope in (1, -1):
            book = planned(tmp_path / f"{count}{slope}", "design", {}, [])
            for n in range(count):
                trial = book.add("design", f"{n}", {"train.lr": 10.0**-n}, [0], [])
                trial.state, trial.values = "complete", [0.5 + slope * 0.1 * n]
            search = searcher(book, space=LR, sampler=name)
            proposed[count, slope] = search.suggest("a")["hparams"]["train.lr"]
    # By random draws what was learned makes no difference; by a model it does.
    assert proposed[STARTUP - 1, 1] == proposed[STARTUP - 1, -1]
    assert proposed[STARTUP, 1] != proposed[STARTUP, -1]


def test_the_control_is_drawn_by_number_and_seed_alone(tmp_path):
    drawn = [draw(SPACE, 0, n) for n in range(3)]
    book = ledger(tmp_path, search=2)
    book.planned["random"] = 3
    search = searcher(book)
    for n in range(5):
        search.suggest(f"ray-{n}")
        play(search, book, f"ray-{n}", objective=0.1 * n)
    assert [trial.hparams for trial in book.of("random")] == drawn
    assert len(search.proposals.study.trials) == 2
    assert draw(SPACE, 1, 0) != drawn[0]


def test_the_control_is_uniform_where_the_space_is():
    draws = [draw(SPACE, 3, n) for n in range(400)]
    for path, low, high in (("train.lr", -4, -1), ("prune.fractions.fc1", 0.2, 0.6)):
        values = [d[path] if low > 0 else math.log10(d[path]) for d in draws]
        assert kstest(values, uniform(low, high - low).cdf).pvalue > 0.01
    following = [[math.log(d["train.lr"]) for d in pair] for pair in pairwise(draws)]
    assert abs(np.corrcoef(following, rowvar=False)[0, 1]) < 0.15


def ended(book: Ledger, phase: str, *values: float | None) -> None:
    """Adds trials of a phase that have ended; None is a failed one."""
    for value in values:
        trial = book.add(phase, "", {"train.lr": 0.01 * (1 + len(book.trials))}, [0], [])
        trial.state = "failed" if value is None else "complete"
        trial.objective, trial.values = value, None if value is None else [value]
    book.planned[phase] = len(book.of(phase))


def confirmed(book: Ledger, **changes: Any) -> list[tuple[str, dict[str, Any], Any]]:
    """Returns what a searcher adds to a ledger whose other phases have ended."""
    book.planned["confirm"] = len(book.of("confirm"))
    search, added = searcher(book, space=LR, **changes), []
    while (config := search.suggest(f"ray-{len(added)}")) != Searcher.FINISHED:
        search.on_trial_complete(f"ray-{len(added)}", report(2, values=[0.1]))
        trial = book.trials[config["trial"]]
        trial.state, trial.values = "complete", [0.1]
        added.append(config)
    controls = list(changes.get("confirmation", {}).get("controls", ()))
    assert all(c["phase"] == "confirm" and c["controls"] == controls for c in added)
    assert all(config["lottery"] == BASE.nested() for config in added)
    return [(book.trials[c["trial"]].label, c["hparams"], c["replicates"]) for c in added]


def test_the_winner_of_each_and_the_base_are_confirmed(tmp_path):
    book = ledger(tmp_path, search=0)
    ended(book, "search", 0.1, 0.3, 0.2)
    ended(book, "random", 0.2, 0.15)
    assert confirmed(book) == [
        ("search trial 1 replicate=100000", book.trials[1].hparams, [100_000]),
        ("random trial 3 replicate=100000", book.trials[3].hparams, [100_000]),
        ("base replicate=100000", {}, [100_000]),
        ("search trial 1 replicate=100001", book.trials[1].hparams, [100_001]),
        ("random trial 3 replicate=100001", book.trials[3].hparams, [100_001]),
        ("base replicate=100001", {}, [100_001]),
    ]
    assert [trial.role for trial in book.of("confirm")] == ["fresh", "fresh", "paper"] * 2
    assert book.planned["confirm"] == 6
    # A better trial, and one replicate more: nobody is trained twice.
    ended(book, "search", 0.9)
    assert [label for label, _, _ in confirmed(book, confirmation={"replicates": 3})] == [
        f"search trial {len(book.trials) - 6} replicate=100000",
        f"search trial {len(book.trials) - 6} replicate=100001",
        f"search trial {len(book.trials) - 6} replicate=100002",
        "random trial 3 replicate=100002",
        "base replicate=100002",
    ]


def test_of_a_fair_comparison_the_best_of_each_value_is_confirmed_with_controls(tmp_path):
    book = ledger(tmp_path, search=0)
    ended(book, "tune", 0.1, 0.3, 0.9, None, 0.2)
    values = ["sgd", "sgd", "adam", "adam", "sgd"]
    for trial, optimizer in zip(book.of("tune"), values, strict=True):
        trial.hparams["train.optimizer"] = optimizer
    plan = {"compared": "train.optimizer", "controls": ("reinit",), "replicates": 1}
    assert confirmed(book, confirmation=plan) == [
        ("tune trial 1 (sgd) replicate=100000", book.trials[1].hparams, [100_000]),
        ("tune trial 2 (adam) replicate=100000", book.trials[2].hparams, [100_000]),
        ("base replicate=100000", {}, [100_000]),
    ]


def test_replicates_that_another_phase_used_are_not_fresh(tmp_path):
    book = ledger(tmp_path, search=0)
    book.add("sweep", "far", {}, [100_000], []).state = "complete"
    ended(book, "search", 0.1)
    assert [ids for _, _, ids in confirmed(book)] == [[100_001]] * 2 + [[100_002]] * 2


def test_without_a_winner_the_base_alone_is_confirmed(tmp_path):
    book = ledger(tmp_path, search=0)
    ended(book, "search", None, None)
    assert [label for label, _, _ in confirmed(book)] == [
        "base replicate=100000",
        "base replicate=100001",
    ]


def test_the_confirmation_waits_for_the_control_too(tmp_path):
    book = ledger(tmp_path, search=1)
    book.planned |= {"random": 1, "confirm": 2}
    search = searcher(book)
    assert [search.suggest(name)["phase"] for name in "ab"] == ["search", "random"]
    assert search.suggest("not yet") is None
    play(search, book, "a", objective=0.5)
    assert search.suggest("not yet") is None
    play(search, book, "b", objective=0.5)
    assert search.suggest("c")["phase"] == "confirm"
    assert book.planned["confirm"] == 6


def test_of_two_numbers_optuna_is_told_both(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book, target=ObjectiveConfig(name="pareto"))
    for ray_id, values in (("a", [0.9, 0.1]), ("b", [0.8, float("nan")])):
        search.suggest(ray_id)
        search.on_trial_result(ray_id, report(0))
        search.on_trial_complete(ray_id, report(1, values=values))
    directions = [direction.name for direction in search.proposals.study.directions]
    assert directions == ["MAXIMIZE", "MINIMIZE"]
    assert [(t.state, t.values) for t in search.proposals.study.trials] == [
        (TrialState.COMPLETE, [0.9, 0.1]),
        (TrialState.FAIL, None),
    ]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_takes_two_numbers(tmp_path, name):
    book = ledger(tmp_path, search=STARTUP + 2)
    search = searcher(book, sampler=name, target=ObjectiveConfig(name="pareto"))
    for n in range(STARTUP + 2):
        search.suggest(f"{n}")
        search.on_trial_complete(f"{n}", report(1, values=[0.5 + 0.1 * n, 0.1 * n]))
        book.trials[n].state = "complete"
    assert len(set(points(book))) == STARTUP + 2
    assert all(SPACE["train.lr"]._contains(lr) for lr, _ in points(book))


def test_a_stopped_trial_of_an_earlier_run_stays_stopped(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book)
    search.suggest("a")
    search.on_trial_complete("a", report(1))
    book.trials[0].state = "stopped"
    book.save()
    again = searcher(ledger(tmp_path, search=2))
    assert [t.state for t in again.proposals.study.trials] == [TrialState.PRUNED]
    assert again.suggest("b")["trial"] == 1
    assert again.suggest("c") == Searcher.FINISHED


def test_a_phase_that_is_not_asked_for_keeps_its_plan_and_its_trials(tmp_path):
    book = ledger(tmp_path, anchors=1, search=2)
    search = searcher(book)
    for name in "abc":
        search.suggest(name)
    play(search, book, "a", objective=0.9)
    book.save()
    book = Ledger.open(book.path)
    book.only = ("anchor",)
    assert searcher(book).suggest("again") == Searcher.FINISHED
    assert (book.finished, book.complete, book.planned["search"]) == (True, False, 2)


@pytest.mark.parametrize(
    ("name", "direction"),
    [("accuracy_auc", "MAXIMIZE"), ("accuracy_at", "MAXIMIZE"), ("ticket_density", "MINIMIZE")],
)
def test_the_direction_is_the_objectives(tmp_path, name, direction):
    search = searcher(ledger(tmp_path), target=ObjectiveConfig(name=name))
    assert search.proposals.study.direction.name == direction


def test_the_smallest_ticket_is_the_best(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book, target=ObjectiveConfig(name="ticket_density"))
    for ray_id, density in (("a", 0.1), ("b", 0.4)):
        search.suggest(ray_id)
        play(search, book, ray_id, objective=density)
    assert search.proposals.study.best_value == 0.1


@pytest.mark.parametrize("name", ["tpe", "gp", "random"])
def test_every_sampler_proposes_within_the_space_and_by_its_seed(tmp_path, name):
    found = {}
    for run, seed in (("one", 3), ("two", 3), ("other", 4)):
        book = ledger(tmp_path / run, search=2)
        search = searcher(book, sampler=name, seed=seed)
        search.suggest("a")
        assert type(search.proposals.study.sampler) is type(SAMPLERS[name](0))
        search.suggest("b")
        found[run] = points(book)
        assert all(SPACE["train.lr"]._contains(lr) for lr, _ in found[run])
    assert found["one"] == found["two"] != found["other"]
    assert len(set(found["one"])) == 2


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
    assert search.proposals.study.best_value == 0.2
    assert search.proposals.study.best_params == book.trials[2].hparams

    again = search.suggest("again")
    assert again["trial"] == 3
    drawn = dict(zip(SPACE, before[3], strict=True))
    assert lottery_of(again) == BASE.override({"min_density": 0.1, **drawn})
    play(search, book, "again", objective=0.9)
    assert search.proposals.study.best_params == book.trials[3].hparams
    for n in range(4, 8):
        assert search.suggest(f"ray-{n}")["trial"] == n
        play(search, book, f"ray-{n}", objective=0.1)
    assert search.suggest("over") == Searcher.FINISHED

    assert points(book)[:4] == before
    assert len(set(points(book))) == 8
    assert [trial.state for trial in search.proposals.study.trials] == [TrialState.COMPLETE] * 8


def test_a_failed_trial_is_tried_again_when_the_study_is(tmp_path):
    book = ledger(tmp_path, search=1)
    search = searcher(book)
    search.suggest("a")
    search.on_trial_complete("a", {"error": "no"})
    book.trials[0].state, book.trials[0].error = "failed", "no"
    assert search.suggest("b") == Searcher.FINISHED
    book.save()
    again = ledger(tmp_path, search=1)
    assert searcher(again).suggest("c")["trial"] == 0
    assert (again.trials[0].hparams, again.trials[0].error) == (book.trials[0].hparams, None)


def test_what_is_handed_out_is_in_the_file_before_it_runs(tmp_path):
    searcher(ledger(tmp_path, search=2)).suggest("a")
    assert [trial.state for trial in Ledger.open(tmp_path / "trials.json").trials] == ["waiting"]
    assert '"state": "running"' in (tmp_path / "trials.json").read_text()


def test_a_searcher_can_be_pickled_in_the_middle_of_a_study(tmp_path):
    search = searcher(ledger(tmp_path), sampler="tpe")
    search.suggest("a")
    search.on_trial_result("a", report(0))
    assert type(pickle.loads(pickle.dumps(search))) is StudySearcher
    search.save(str(tmp_path / "state.pkl"))
    assert not (tmp_path / "state.pkl").exists()


def test_values_that_do_not_go_together_fail_their_trial_and_no_other(tmp_path):
    # Each value is fine beside the base's others, but 40 steps cannot be evaluated every 80.
    space = {
        "train.steps": CategoricalDistribution([40, 80]),
        "train.eval_every": CategoricalDistribution([40, 80]),
    }
    base = BASE.override({"train.steps": 80, "train.eval_every": 40})
    book = ledger(tmp_path, search=8)
    search = StudySearcher(
        book,
        base,
        space,
        ObjectiveConfig(),
        sampler="random",
        seed=0,
        replicates=1,
        confirmation=Confirmation(target=ObjectiveConfig(), replicates=1),
    )
    configs = [search.suggest(f"ray-{n}") for n in range(8)]
    assert {tuple(trial.hparams.values()) for trial in book.trials} >= {(40, 80), (80, 80)}
    assert [config["trial"] for config in configs] == list(range(8))


def test_a_label_reads_as_people_say_it():
    params = {"train.lr": 0.00123456, "train.batch_size": 60, "prune.scope": "layer"}
    assert label(params) == "lr=0.00123 batch_size=60 scope=layer"
