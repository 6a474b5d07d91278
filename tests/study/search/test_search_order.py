"""What the search proposes depends on no order in which trials end, and on no interrupt."""

from __future__ import annotations

import math
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import BASE, SPACE, ledger, play, report, searcher

from lttune.records.ledger import Ledger
from lttune.study.search.proposals import SAMPLERS

PLANS = {"anchor": 2, "design": 0, "search": 9, "random": 3, "confirm": 0}
"""Phase -> trials; of a confirmation the searcher knows itself."""


def begun(folder: Path, design: int) -> Ledger:
    """Returns a new study's ledger: two anchors, points of a design, a search and its control."""
    book = ledger(folder, anchors=2, search=9)
    for n in range(design):
        point = {"train.lr": 10.0 ** (-1 - n / 2), "prune.fractions.fc1": 0.2 + 0.1 * n}
        book.add("design", f"{n}", point, [0], [])
    book.planned = {**PLANS, "design": design}
    return book


def accuracy(hparams: dict[str, Any]) -> float:
    """What a trial ends with: a hill over the space."""
    lr = hparams.get("train.lr", BASE.train.lr)
    return 0.9 - 0.1 * (math.log10(lr) + 2.3) ** 2 - (hparams.get("prune.fractions.fc1", 0.2) - 0.4)


def ran(
    sampler: str,
    design: int,
    ahead: int,
    workers: int,
    seed: int,
    kills: float = 0.0,
    lost: float = 0.0,
) -> list[tuple[int, str, dict[str, Any], list[float] | None]]:
    """Returns all trials of a study whose trials end in a random order, on so many workers.

    Args:
        kills: how often the driver dies before a trial's end.
        lost: how often a trial's machine does, before it begins.
    """
    rng = random.Random(seed)
    options: dict[str, Any] = {"sampler": sampler, "ahead": ahead, "replicates": 1}
    with TemporaryDirectory() as folder:
        book = begun(Path(folder), design)
        search, running, count = searcher(book, **options), list[str](), 0
        while True:
            while len(running) < workers and isinstance(search.suggest(f"{count}"), dict):
                running.append(f"{count}")
                count += 1
            if not running:
                break
            if rng.random() < kills:
                book.save()
                plan = book.planned
                book = Ledger.open(book.path)
                book.planned = plan
                search, running = searcher(book, **options), []
                continue
            mine = running.pop(rng.randrange(len(running)))
            if rng.random() < lost:  # Its machine was, before it began.
                search.on_trial_complete(mine, error=True)
                search.wait_again(search.trial_of(mine))
                continue
            hparams = search.trial_of(mine).hparams
            play(search, book, mine, objective=accuracy(hparams))
        assert search.suggest("none") == "FINISHED"
        trials = [(t.number, t.phase, t.hparams, t.values) for t in book.trials]
        counts = [sum(trial[1] == phase for trial in trials) for phase in PLANS]
        assert counts == [2, design, 9, 3, 6]
        return trials


@pytest.mark.parametrize("design", [0, 5])
@pytest.mark.parametrize("sampler", SAMPLERS)
@settings(deadline=None, max_examples=8)
@given(
    workers=st.integers(1, 5),
    ahead=st.sampled_from([0, 3]),
    kills=st.sampled_from([0.0, 0.2]),
    lost=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 10**6),
)
def test_the_proposals_are_those_of_one_worker(sampler, design, workers, ahead, kills, lost, seed):
    expected = ran(sampler, design, ahead, workers=1, seed=0)
    assert ran(sampler, design, ahead, workers, seed, kills, lost) == expected


def test_no_more_run_at_once_than_a_proposal_may_be_ahead(tmp_path):
    book = ledger(tmp_path, search=9)
    search = searcher(book, ahead=2)
    assert [search.suggest(f"{n}") is None for n in range(4)] == [False, False, False, True]
    # The next one waits for the first, not for any.
    play(search, book, "1", objective=0.5)
    assert search.suggest("4") is None
    play(search, book, "0", objective=0.5)
    assert search.suggest("4")["trial"] == 3
    assert search.suggest("5")["trial"] == 4
    assert search.suggest("6") is None
    # Who failed has ended.
    search.on_trial_complete("2", {"error": "no"})
    book.trials[2].state = "failed"
    assert search.suggest("6")["trial"] == 5


def test_a_proposal_knows_what_came_so_many_before_it_and_no_more(tmp_path):
    book = ledger(tmp_path, anchors=1, search=6)
    inside = {"train.lr": SPACE["train.lr"]}
    search = searcher(book, space=inside, ahead=2)
    seen = []
    for n in range(7):
        search.suggest(f"{n}")
        seen.append(sum(t.state.is_finished() for t in search.proposals.study.trials))
        play(search, book, f"{n}", objective=0.1 * n)
    # The anchor, then its own three to six proposals: nothing, until the fourth knows two.
    assert seen == [0, 0, 0, 0, 2, 3, 4]


def test_a_trial_that_is_run_again_is_awaited_again(tmp_path):
    book = ledger(tmp_path, search=4)
    search = searcher(book, ahead=0)
    search.suggest("a")
    search.on_trial_result("a", report(0))
    book.save()
    again = ledger(tmp_path, search=4)
    search = searcher(again, ahead=0)
    assert search.suggest("b")["trial"] == 0
    assert search.suggest("c") is None
    play(search, again, "b", objective=0.3)
    assert search.suggest("c")["trial"] == 1
