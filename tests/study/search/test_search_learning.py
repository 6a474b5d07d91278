"""What the search learns of the design and of other phases' trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from searching import BASE, LR, ledger, searcher

from lttune.records.ledger import Ledger
from lttune.study.search.proposals import STARTUP
from lttune.study.search.searcher import StudySearcher


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
