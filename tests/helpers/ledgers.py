"""A ledger with a trial in each state."""

from __future__ import annotations

from pathlib import Path

from lttune.records.ledger import Ledger


def full(path: Path) -> Ledger:
    """A ledger with a trial in each state."""
    book = Ledger.open(path)
    book.planned = {"anchor": 1, "search": 4}
    book.add("anchor", "replicate=0", {}, [0], ["reinit"])
    for lr in (0.1, 0.2, 0.3, 0.4):
        book.add("search", f"lr={lr}", {"train.lr": lr, "prune.scope": "layer"}, [0, 1], [])
    for trial, state in zip(
        book.trials, ("complete", "running", "failed", "stopped", "waiting"), strict=True
    ):
        trial.state = state
    book.trials[0].objective, book.trials[0].seconds = 0.1 + 0.2, 1.5
    book.trials[0].values = [0.1 + 0.2, 0.5]
    book.trials[2].error = "ValueError: no"
    book.wall_s = 3.25
    book.save()
    return book
