from __future__ import annotations

import pickle
import warnings

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher
from searching import BASE, SPACE, known, ledger, lottery_of, optuna_trial, play, report, searcher

from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.phases.confirmation import Confirmation
from lttune.study.search.searcher import StudySearcher


def test_planned_trials_come_first_then_proposals_up_to_the_budget(tmp_path):
    book = ledger(tmp_path, anchors=2, search=3)
    search = searcher(book)
    configs = [search.suggest(f"ray-{n}") for n in range(5)]
    assert [config["trial"] for config in configs] == [0, 1, 2, 3, 4]
    assert [trial.phase for trial in book.trials] == ["anchor"] * 2 + ["search"] * 3
    assert {trial.state for trial in book.trials} == {"running"}
    # One of them may have to begin again.
    assert [search.suggest("ray-5"), search.suggest("ray-6")] == [None] * 2
    for trial in book.trials:
        trial.state = "complete"
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
    book.trials[1].state = "complete"
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
    assert [trial.state for trial in known(search).trials] == [state]


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
    assert known(search).best_trial.params == book.trials[1].hparams
    assert known(search).best_value == 0.3


def test_a_stopped_trial_of_an_earlier_run_stays_stopped(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book)
    search.suggest("a")
    search.on_trial_complete("a", report(1))
    book.trials[0].state = "stopped"
    book.save()
    again = searcher(ledger(tmp_path, search=2))
    assert [t.state for t in known(again).trials] == [TrialState.PRUNED]
    assert again.suggest("b")["trial"] == 1
    again.ledger.trials[1].state = "complete"
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
    ("asked", "direction"),
    [
        ({"name": "accuracy_auc"}, "MAXIMIZE"),
        ({"name": "accuracy_at"}, "MAXIMIZE"),
        ({"name": "ticket_density"}, "MINIMIZE"),
        ({"name": "./mine.py:part", "direction": "minimize"}, "MINIMIZE"),
        ({"name": "./mine.py:part", "direction": "maximize"}, "MAXIMIZE"),
    ],
)
def test_the_direction_is_the_objectives(tmp_path, asked, direction):
    search = searcher(ledger(tmp_path), objective=ObjectiveConfig(**asked))
    assert search.proposals.study.direction.name == direction


def test_the_smallest_ticket_is_the_best(tmp_path):
    book = ledger(tmp_path, search=2)
    search = searcher(book, objective=ObjectiveConfig(name="ticket_density"))
    for ray_id, density in (("a", 0.1), ("b", 0.4)):
        search.suggest(ray_id)
        play(search, book, ray_id, objective=density)
    assert known(search).best_value == 0.1


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
        ahead=8,
        confirmation=Confirmation(objective=ObjectiveConfig(), replicates=1),
    )
    configs = [search.suggest(f"ray-{n}") for n in range(8)]
    assert {tuple(trial.hparams.values()) for trial in book.trials} >= {(40, 80), (80, 80)}
    assert [config["trial"] for config in configs] == list(range(8))
