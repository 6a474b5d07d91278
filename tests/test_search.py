from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher

from lttune.config import LotteryConfig, TrainConfig, from_dict
from lttune.ledger import Ledger
from lttune.objectives import ObjectiveConfig
from lttune.search import SAMPLERS, StudySearcher, label

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
    options |= {"replicates": 2, **changes}
    return StudySearcher(book, BASE, **options)


def report(level: int, accuracy: float = 0.5, **more: Any) -> dict[str, Any]:
    return {"level": level, "val_accuracy": accuracy, "rows": [], **more}


def play(search: StudySearcher, book: Ledger, ray_id: str, objective: float) -> None:
    """Runs a trial as Tune does, which withholds the last result from ``on_trial_result``."""
    search.on_trial_result(ray_id, report(0))
    search.on_trial_result(ray_id, report(1))
    trial = search.trial_of(ray_id)
    search.on_trial_complete(ray_id, report(2, objective=objective))
    trial.state, trial.objective = "complete", objective


def lottery_of(config: dict[str, Any]) -> LotteryConfig:
    return from_dict(config["lottery"]).override(config["hparams"])


def optuna_trial(search: StudySearcher, index: int = -1) -> optuna.trial.FrozenTrial:
    return search._study.trials[index]


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
    search.on_trial_complete("a", report(2, 0.7, objective=0.81))
    told = optuna_trial(search)
    assert (told.state, told.value) == (TrialState.COMPLETE, 0.81)
    assert told.intermediate_values == {0: 0.9, 1: 0.8, 2: 0.7}
    assert told.params == book.trials[0].hparams
    assert len(search._study.trials) == 1


def test_a_last_result_that_was_shown_before_is_told_all_the_same(tmp_path):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    last = report(0, 0.7, objective=0.7)
    search.on_trial_result("a", last)
    search.on_trial_complete("a", last)
    assert (optuna_trial(search).value, optuna_trial(search).intermediate_values) == (0.7, {0: 0.7})


@pytest.mark.parametrize(
    ("last", "error", "state"),
    [
        (report(2, objective=0.5), False, TrialState.COMPLETE),
        (report(1), False, TrialState.PRUNED),
        ({"error": "ValueError: no", "done": True}, False, TrialState.FAIL),
        (report(1), True, TrialState.FAIL),
        (None, True, TrialState.FAIL),
        (report(2, objective=float("nan")), False, TrialState.FAIL),
        (report(2, objective=float("inf")), False, TrialState.FAIL),
    ],
)
def test_how_a_trial_ended_is_told_truly(tmp_path, last, error, state):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    search.on_trial_result("a", report(0))
    search.on_trial_complete("a", last, error=error)
    assert [trial.state for trial in search._study.trials] == [state]


def test_levels_that_ray_repeats_neither_warn_nor_change_anything(tmp_path):
    search = searcher(ledger(tmp_path, search=1))
    search.suggest("a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level, accuracy in ((0, 0.9), (1, 0.8), (0, 0.1), (1, 0.1)):
            search.on_trial_result("a", report(level, accuracy))
        search.on_trial_complete("a", report(2, 0.7, objective=0.8))
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
    assert search._study.best_trial.params == book.trials[1].hparams
    assert search._study.best_value == 0.3


def test_an_anchor_outside_of_the_space_is_not_told_to_optuna(tmp_path):
    book = ledger(tmp_path, anchors=1, search=1)
    search = searcher(book)
    search.suggest("a")
    play(search, book, "a", objective=0.9)
    assert search._study.trials == []


def test_an_anchor_inside_the_space_is_a_point_that_optuna_learns_from(tmp_path):
    book = ledger(tmp_path, anchors=1, search=1)
    space = {"train.lr": FloatDistribution(1e-5, 1.0, log=True)}
    search = searcher(book, space=space)
    search.suggest("a")
    play(search, book, "a", objective=0.9)
    told = search._study.best_trial
    assert (told.value, told.params) == (0.9, {"train.lr": BASE.train.lr})
    # A later run learns it from the ledger.
    assert searcher(book, space=space)._study.best_value == 0.9


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
    assert search._study.direction.name == direction


def test_the_smallest_ticket_is_the_best(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book, target=ObjectiveConfig(name="ticket_density"))
    for ray_id, density in (("a", 0.1), ("b", 0.4)):
        search.suggest(ray_id)
        play(search, book, ray_id, objective=density)
    assert search._study.best_value == 0.1


@pytest.mark.parametrize("name", ["tpe", "gp", "random"])
def test_every_sampler_proposes_within_the_space_and_by_its_seed(tmp_path, name):
    found = {}
    for run, seed in (("one", 3), ("two", 3), ("other", 4)):
        book = ledger(tmp_path / run, search=2)
        search = searcher(book, sampler=name, seed=seed)
        search.suggest("a")
        assert type(search._study.sampler) is type(SAMPLERS[name](0))
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
    assert search._study.best_value == 0.2
    assert search._study.best_params == book.trials[2].hparams

    again = search.suggest("again")
    assert again["trial"] == 3
    drawn = dict(zip(SPACE, before[3], strict=True))
    assert lottery_of(again) == BASE.override({"min_density": 0.1, **drawn})
    play(search, book, "again", objective=0.9)
    assert search._study.best_params == book.trials[3].hparams
    for n in range(4, 8):
        assert search.suggest(f"ray-{n}")["trial"] == n
        play(search, book, f"ray-{n}", objective=0.1)
    assert search.suggest("over") == Searcher.FINISHED

    assert points(book)[:4] == before
    assert len(set(points(book))) == 8
    assert [trial.state for trial in search._study.trials] == [TrialState.COMPLETE] * 8


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
        book, base, space, ObjectiveConfig(), sampler="random", seed=0, replicates=1
    )
    configs = [search.suggest(f"ray-{n}") for n in range(8)]
    assert {tuple(trial.hparams.values()) for trial in book.trials} >= {(40, 80), (80, 80)}
    assert [config["trial"] for config in configs] == list(range(8))


def test_a_label_reads_as_people_say_it():
    params = {"train.lr": 0.00123456, "train.batch_size": 60, "prune.scope": "layer"}
    assert label(params) == "lr=0.00123 batch_size=60 scope=layer"
