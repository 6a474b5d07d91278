"""What a proposal costs does not grow with the trials before it, but for what Optuna does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from searching import ledger, play, searcher

from lttune.records.ledger import Ledger
from lttune.study.search.proposals import Proposals

LEARNED = 5
"""Points of a design that has ended."""


class Walked(list):  # type: ignore[type-arg]
    """Trials of a phase; counts those that are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[Any]:
        for one in super().__iter__():
            Walked.looks += 1
            yield one

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        Walked.looks += len(found) if isinstance(place, slice) else 1
        return found


def test_a_proposal_looks_at_few_trials_and_keeps_nothing_of_those_that_ended(
    tmp_path, monkeypatch
):
    book = ledger(tmp_path, search=60)
    for n in range(LEARNED):
        point = {"train.lr": 0.01 * (n + 1), "prune.fractions.fc1": 0.3}
        trial = book.add("design", f"{n}", point, [0], [])
        trial.state, trial.objective, trial.values = "complete", 0.5, [0.5]
    book.planned["design"] = LEARNED
    search, asked = searcher(book, ahead=2, sampler="random"), 0
    of, point = Ledger.of, Proposals._point

    def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return point(*arguments)

    monkeypatch.setattr(Ledger, "of", lambda self, phase: Walked(of(self, phase)))
    monkeypatch.setattr(Proposals, "_point", counted)
    costs = []
    for n in range(60):
        Walked.looks = 0
        assert isinstance(search.suggest(f"{n}"), dict)
        costs.append(Walked.looks)
        play(search, book, f"{n}", 0.1 + n / 100)
    assert max(costs[30:]) <= max(costs[5:15])
    assert asked == LEARNED
    assert len(search.proposals.study.trials) == 60 + LEARNED
    assert len(search.proposals._asked) <= 3
