"""Winners are confirmed with fresh replicates."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher
from searching import BASE, LR, ledger, play, report, searcher

from lttune.records.ledger import Ledger


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
