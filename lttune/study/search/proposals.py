"""What the search tries next: an Optuna study in memory, rebuilt from the ledger.

A trial is told once, at its completion, the objective's finite numbers for the whole curve; a
stopped trial is PRUNED, a failed one FAIL. Before it proposes, it learns every complete point of
the other phases that lies in the space: the search is warm-started from the design.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from lttune.config import DEPTH, LotteryConfig
from lttune.config.phase import phase_names
from lttune.config.seeding import integer
from lttune.records.ledger import Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP = 4
"""Points that a sampler learns from at the least; until then it proposes at random. Optuna's 10
would be nearly all of a quick search."""

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, n_startup_trials=STARTUP),
    "gp": lambda seed: GPSampler(seed=seed, n_startup_trials=STARTUP),
    "random": lambda seed: RandomSampler(seed=seed),
}


class Proposals:
    """The search's Optuna study.

    Args:
        base: configuration that a trial's hyperparameters override.
        space: what the search varies.
        objective: the objective and its directions.
        sampler: a name of ``SAMPLERS``.
        seed: root of the proposals. Proposal n draws from a stream of its own, so that a search
            that goes on after an interrupt never repeats a point.
    """

    def __init__(
        self, base: LotteryConfig, space: Space, objective: ObjectiveConfig, sampler: str, seed: int
    ) -> None:
        self._base, self._space, self._objective = base, dict(space), objective
        self._sampler, self._seed = sampler, seed
        self.study = optuna.create_study(directions=list(objective.directions))
        self._asked: dict[int, optuna.Trial] = {}
        self._shown: set[tuple[int, int]] = set()
        self._learned: set[tuple[Any, ...]] = set()

    def remember(self, trials: Sequence[Trial]) -> None:
        """Tells the study the search's own trials of earlier runs."""
        for trial in trials:
            if trial.state == "complete":
                self._add(trial.hparams, trial.values)
            elif trial.state == "stopped":
                self._add(trial.hparams, None)

    def learn(self, ledger: Ledger) -> None:
        """Tells the study the points of other phases whose replicates have all ended.

        A point is told once, as the mean of its replicates: told one by one, the base
        configuration's replicates would be most of what a sampler takes for good. Replicate 0 of
        the same point in two phases is one and the same training.
        """
        points: dict[tuple[Any, ...], list[Trial]] = {}
        for phase in phase_names(lambda phase: phase.is_learned_from):
            for trial in ledger.of(phase):
                if (point := self._point(trial)) is not None:
                    points.setdefault(point, []).append(trial)
        for point, trials in points.items():
            coming = any(
                trial.state in ("waiting", "running") and trial.phase in ledger.active
                for trial in trials
            )
            found = {tuple(t.replicates): t.values for t in trials if t.state == "complete"}
            values = [numbers for numbers in found.values() if numbers is not None]
            if values and not coming and point not in self._learned:
                self._learned.add(point)
                params = dict(zip(self._space, point, strict=True))
                self._add(params, [fmean(numbers) for numbers in zip(*values, strict=True)])

    def propose(self, index: int, number: int) -> dict[str, Any]:
        """Returns the hyperparameters of proposal ``index``, trial ``number`` of the ledger."""
        self.study.sampler = SAMPLERS[self._sampler](integer(self._seed, "search", index))
        asked = self._asked[number] = self.study.ask(self._space)
        return asked.params

    def resume(self, trial: Trial) -> None:
        """Makes the study wait for a trial that an earlier run proposed."""
        if trial.number not in self._asked:
            self.study.enqueue_trial(trial.hparams)
            self._asked[trial.number] = self.study.ask(self._space)

    def show(self, number: int, result: Mapping[str, Any]) -> None:
        """Shows the study a level's validation accuracy, at step = level.

        Optuna has no such curves for several numbers.
        """
        asked, level = self._asked.get(number), result.get("level")
        # A trial that Ray repeats after a machine died replays levels that were shown before.
        if asked is None or level is None or (number, level) in self._shown:
            return
        if len(self._objective.measures) > 1:
            return
        asked.report(result["val_accuracy"], step=level)
        self._shown.add((number, level))

    def tell(self, number: int, result: Mapping[str, Any], failed: bool) -> None:
        """Tells the study how a trial of the search ended; of other phases it knows nothing."""
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        values = result.get("values")
        if failed or (values is not None and not all(map(math.isfinite, values))):
            self.study.tell(asked, state=TrialState.FAIL)
        elif values is None:
            self.study.tell(asked, state=TrialState.PRUNED)
        else:
            self.study.tell(asked, values)

    def _add(self, params: Mapping[str, Any], values: Sequence[float] | None) -> None:
        state = TrialState.PRUNED if values is None else TrialState.COMPLETE
        self.study.add_trial(
            create_trial(params=dict(params), distributions=self._space, values=values, state=state)
        )

    def _point(self, trial: Trial) -> tuple[Any, ...] | None:
        """Returns a trial's values of the space, None if it is no point of it.

        The base configuration is one, if the space contains it. A trial that changes something else
        is none, nor is one that may have ended above the density that the objective reads.
        """
        if not trial.hparams.keys() <= {*self._space, *DEPTH}:
            return None
        config = self._base.override(trial.hparams)
        bottom = max(self._base.min_density, self._objective.floor)
        if config.levels < self._base.levels or config.min_density > bottom:
            return None
        values = config.flat()
        params = {path: values.get(path) for path in self._space}
        try:
            create_trial(params=params, distributions=self._space, values=[0.0])
        except ValueError:
            return None  # A value is none of its distribution's.
        return tuple(params.values())


def random_values(space: Space, seed: int, index: int) -> dict[str, Any]:
    """Returns draw ``index`` of the random control: uniform in the space, independent of all else.

    Where a distribution is logarithmic, it is uniform in the logarithm.
    """
    sampler = RandomSampler(seed=integer(seed, "random", index))
    return optuna.create_study(sampler=sampler).ask(dict(space)).params
