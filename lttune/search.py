"""Which trial comes next: the planned ones first, then what Optuna proposes.

Our own Tune ``Searcher`` over ``study.ask`` and ``study.tell``. The Optuna study lives in memory
and is rebuilt from the ledger; a trial is told once, at its completion, one finite number for the
whole curve; a stopped trial is PRUNED, a failed one FAIL. ``docs/decisions.md`` says why Ray's own
OptunaSearch is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial
from ray.tune.search import Searcher

from lttune.config import LotteryConfig
from lttune.ledger import Ledger, Trial
from lttune.objectives import ObjectiveConfig
from lttune.seeding import integer
from lttune.settings import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP = 4
"""Random proposals before a sampler learns; Optuna's 10 would be nearly all of a quick search."""

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=STARTUP),
    "gp": lambda seed: GPSampler(seed=seed, n_startup_trials=STARTUP),
    "random": lambda seed: RandomSampler(seed=seed),
}


class StudySearcher(Searcher):
    """Hands the ledger's waiting trials to Tune, then asks Optuna until the search is complete.

    Args:
        ledger: the trials so far; proposals are added to it.
        base: configuration that a trial's hyperparameters override.
        space: what the search varies.
        target: the objective and its direction.
        sampler: a name of ``SAMPLERS``.
        seed: root of the proposals. Proposal n draws from a stream of its own, so that a search
            that goes on after an interrupt never repeats a point.
        replicates: replicates of a search trial.
        control_densities: where controls are trained; empty is at every level.
    """

    def __init__(
        self,
        ledger: Ledger,
        base: LotteryConfig,
        space: Space,
        target: ObjectiveConfig,
        *,
        sampler: str,
        seed: int,
        replicates: int,
        control_densities: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.ledger, self.base, self.target, self.space = ledger, base, target, dict(space)
        self._sampler, self._seed, self._replicates = sampler, seed, replicates
        self._control_densities = tuple(control_densities)
        self._study = optuna.create_study(direction=target.direction)
        self._by_ray_id: dict[str, Trial] = {}
        self._asked: dict[int, optuna.Trial] = {}
        self._shown: set[tuple[int, int]] = set()
        for trial in ledger.trials:
            if trial.state == "complete":
                self._learn(trial)

    def _learn(self, trial: Trial) -> None:
        """Shows Optuna a complete trial that it did not propose in this run.

        An anchor is the base configuration: a point of the space, if the space contains it. A point
        of a design that changes something else is none.
        """
        if not trial.hparams.keys() <= self.space.keys():
            return
        values = self.base.override(trial.hparams).flat()
        params = {path: values.get(path) for path in self.space}
        if all(_contains(distribution, params[p]) for p, distribution in self.space.items()):
            self._study.add_trial(
                create_trial(params=params, distributions=self.space, value=trial.objective)
            )

    def suggest(self, trial_id: str) -> Any:
        """Returns the next trial's configuration (a dict), or ``FINISHED``."""
        active, planned = self.ledger.active, self.ledger.planned
        waiting = (t for t in self.ledger.trials if t.state == "waiting" and t.phase in active)
        trial = next(waiting, None)
        room = "search" in active and len(self.ledger.of("search")) < planned["search"]
        if trial is None and room:
            trial = self._propose()
        if trial is None:
            return Searcher.FINISHED
        if trial.phase == "search" and trial.number not in self._asked:
            self._study.enqueue_trial(trial.hparams)
            self._asked[trial.number] = self._study.ask(self.space)
        trial.state = "running"
        self.ledger.save()
        self._by_ray_id[trial_id] = trial
        # The worker joins the two: values that do not go together then fail their trial alone.
        return {
            "trial": trial.number,
            "lottery": phase_config(trial.phase, self.base, self.target).nested(),
            "hparams": trial.hparams,
            "replicates": trial.replicates,
            "controls": trial.controls,
            "control_densities": self._control_densities,
        }

    def _propose(self) -> Trial:
        index = len(self.ledger.of("search"))
        self._study.sampler = SAMPLERS[self._sampler](integer(self._seed, "search", index))
        asked = self._study.ask(self.space)
        trial = self.ledger.add(
            "search", label(asked.params), asked.params, list(range(self._replicates)), []
        )
        self._asked[trial.number] = asked
        return trial

    def trial_of(self, trial_id: str) -> Trial:
        """Returns the ledger's entry of a Ray trial."""
        return self._by_ray_id[trial_id]

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Shows Optuna the level's validation accuracy, at step = level."""
        number = self.trial_of(trial_id).number
        asked, level = self._asked.get(number), result.get("level")
        # A trial that Ray repeats after a machine died replays levels that were shown before.
        if asked is not None and level is not None and (number, level) not in self._shown:
            asked.report(result["val_accuracy"], step=level)
            self._shown.add((number, level))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna how a trial ended."""
        result = result or {}
        # Tune withholds the last result of a trial from ``on_trial_result``.
        self.on_trial_result(trial_id, result)
        trial = self._by_ray_id.pop(trial_id)
        asked = self._asked.pop(trial.number, None)
        value = result.get("objective")
        if asked is None:
            if value is not None and math.isfinite(value) and not error:
                trial.objective = value
                self._learn(trial)
            return
        if error or "error" in result or (value is not None and not math.isfinite(value)):
            self._study.tell(asked, state=TrialState.FAIL)
        elif value is None:
            self._study.tell(asked, state=TrialState.PRUNED)
        else:
            self._study.tell(asked, value)

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing: the searcher is rebuilt from the ledger."""

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles the searcher into a file that lttune never reads.
        return {}


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value is one of a distribution's."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    low, high = getattr(distribution, "low"), getattr(distribution, "high")  # noqa: B009
    return isinstance(value, int | float) and low <= value <= high


def phase_config(phase: str, base: LotteryConfig, target: ObjectiveConfig) -> LotteryConfig:
    """Returns what a phase's trials override; in the search they end where the objective does."""
    if phase != "search":
        return base
    return base.override({"min_density": max(base.min_density, target.floor)})


def label(params: Mapping[str, Any]) -> str:
    """Returns hyperparameters as people read them: "lr=0.0012 batch_size=60 fc1=0.2"."""
    return " ".join(
        f"{path.rpartition('.')[2]}={value:.3g}"
        if isinstance(value, float)
        else f"{path.rpartition('.')[2]}={value}"
        for path, value in params.items()
    )
