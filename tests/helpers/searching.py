"""A searcher with its ledger, played as Ray Tune plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution

from lttune.config import LotteryConfig, TrainConfig, from_dict
from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.phases.confirmation import Confirmation
from lttune.study.search.searcher import StudySearcher

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
    options = {"space": SPACE, "objective": ObjectiveConfig(), "sampler": "random", "seed": 0}
    confirmation = {"replicates": 2, **changes.pop("confirmation", {})}
    # Nobody is waited for, unless a test says so.
    options |= {"replicates": 2, "ahead": 100, **changes}
    options["confirmation"] = Confirmation(objective=options["objective"], **confirmation)
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


def known(search: StudySearcher) -> optuna.Study:
    """Returns Optuna's study once it has been told all that has ended."""
    search.proposals.catch_up(search.ledger, "search")
    search.proposals.settle(len(search.ledger.trials))
    return search.proposals.study


def optuna_trial(search: StudySearcher, index: int = -1) -> optuna.trial.FrozenTrial:
    return known(search).trials[index]


def points(book: Ledger) -> list[tuple[Any, ...]]:
    return [tuple(trial.hparams.values()) for trial in book.of("search")]


LR = {"train.lr": FloatDistribution(1e-5, 1.0, log=True)}
