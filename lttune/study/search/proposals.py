"""What the search tries next: an Optuna study in memory, rebuilt from the ledger.

A trial is told once the objective's finite numbers for the whole curve; a stopped trial is PRUNED,
a failed one FAIL. The study also learns every complete point of the other phases that lies in the
space: the search is warm-started from the design.

What a proposal knows depends on its number alone, never on who ended first: the proposals are the
same on one core and on several, and after any interrupt. Only where trials are stopped early does
it matter who was faster.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from lttune.config import DEPTH, LotteryConfig
from lttune.config.lottery.length import joined_settings
from lttune.config.phase import phase_names
from lttune.config.seeding import integer
from lttune.records.ledger import ENDED, OVER, Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP = 4
"""Points that a sampler learns from at the least; until then it proposes at random. Optuna's 10
would be nearly all of a quick search."""

_NOT_OVER = ("waiting", "running")
"""The states that are not among ``OVER``."""

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
        ahead: proposal n knows how proposals 0 to n - ahead - 1 ended, so that ahead + 1 may run at
            once. Where no other phase is awaited, proposals 0 to ahead know nothing at all.
    """

    def __init__(
        self,
        base: LotteryConfig,
        space: Space,
        objective: ObjectiveConfig,
        sampler: str,
        seed: int,
        ahead: int,
    ) -> None:
        self._base, self._space, self._objective = base, dict(space), objective
        self._sampler, self._seed, self._ahead = sampler, seed, ahead
        self.study = optuna.create_study(directions=list(objective.directions))
        self._asked: dict[int, optuna.Trial] = {}
        """Ledger's number of an own trial whose end Optuna was not told -> what it asked for."""
        self._outcomes: dict[int, tuple[TrialState, list[float] | None]] = {}
        """Ledger's number of an own trial that ended -> what Optuna is told when its turn comes."""
        self._caught_up: dict[str, int] = {}
        """Phase -> trials of it, from its first, that were asked for."""
        self._untold: list[int] = []
        """The numbers of those, in order."""
        self._shown: dict[int, int] = {}
        """Ledger's number of one that was asked for -> its last level that Optuna was shown."""
        self._learned: set[tuple[Any, ...]] = set()
        self._stood: list[int] = []
        """How many trials of the phases that are learned from were in each state when last seen."""

    def is_ready(self, ledger: Ledger, phase: str) -> bool:
        """Whether all has ended that the next proposal of a phase may know of."""
        mine = ledger.of(phase)
        others = mine[max(0, len(mine) - self._ahead) :]
        # Those before are all over if as many are not as of these.
        if ledger.count(*_NOT_OVER, phase=phase) > sum(t.state in _NOT_OVER for t in others):
            return False
        awaited = phase_names(lambda other: other.is_awaited)
        if self._learns(ledger, len(mine)):
            awaited = phase_names(lambda other: other.is_learned_from)
        return not any(map(ledger.pending, awaited))

    def catch_up(self, ledger: Ledger, phase: str) -> None:
        """Asks again for the trials that earlier runs proposed, in order, as they were asked."""
        mine = ledger.of(phase)
        for index in range(self._caught_up.get(phase, 0), len(mine)):
            trial, self._caught_up[phase] = mine[index], index + 1
            self._know(ledger, phase, index)
            # What a sampler would propose is not looked at.
            self.study.sampler = RandomSampler(seed=0)
            self.study.enqueue_trial(trial.hparams)
            self._ask(trial.number)
            if trial.state in ENDED:
                self._outcomes[trial.number] = _outcome(trial.values)

    def propose(self, ledger: Ledger, phase: str) -> dict[str, Any]:
        """Returns the hyperparameters of the next trial of a phase, the ledger's next."""
        self.catch_up(ledger, phase)
        index = len(ledger.of(phase))
        self._know(ledger, phase, index)
        self.study.sampler = SAMPLERS[self._sampler](integer(self._seed, "search", index))
        self._caught_up[phase] = index + 1
        return self._ask(len(ledger.trials)).params

    def _ask(self, number: int) -> optuna.Trial:
        self._untold.append(number)
        asked = self._asked[number] = self.study.ask(self._space)
        return asked

    def _learns(self, ledger: Ledger, index: int) -> bool:
        """Whether proposal ``index`` knows the points of other phases."""
        awaited = phase_names(lambda other: other.is_awaited)
        return index > self._ahead or any(map(ledger.of, awaited))

    def _know(self, ledger: Ledger, phase: str, index: int) -> None:
        """Tells the study what proposal ``index`` knows and the one before did not."""
        if self._learns(ledger, index):
            self.learn(ledger)
        if index > self._ahead:
            self.settle(ledger.of(phase)[index - self._ahead - 1].number)

    def settle(self, last: int) -> None:
        """Tells the study how own trials ended: in order, those of the ledger up to a number."""
        known = bisect_right(self._untold, last)
        ended = [number for number in self._untold[:known] if number in self._outcomes]
        for number in ended:
            state, values = self._outcomes.pop(number)
            self.study.tell(self._asked.pop(number), values, state)
            self._shown.pop(number, None)
        self._untold[:known] = [number for number in self._untold[:known] if number in self._asked]

    def learn(self, ledger: Ledger) -> None:
        """Tells the study the points of other phases whose replicates have all ended.

        A point is told once, as the mean of its replicates: told one by one, the base
        configuration's replicates would be most of what a sampler takes for good. Replicate 0 of
        the same point in two phases is one and the same training.
        """
        phases = phase_names(lambda phase: phase.is_learned_from)
        states = (*OVER, *_NOT_OVER)
        stand = [ledger.count(state, phase=name) for name in phases for state in states]
        if stand == self._stood:
            return
        self._stood = stand
        points: dict[tuple[Any, ...], list[Trial]] = {}
        for phase in phases:
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

    def show(self, number: int, result: Mapping[str, Any]) -> None:
        """Shows the study a level's validation accuracy, at step = level.

        Of an objective of one's own it is what that says so far; where less is better, it is
        negated. Optuna has no such curves for several numbers.
        """
        asked, level = self._asked.get(number), result.get("level")
        # A trial that Ray repeats after a machine died replays levels that were shown before.
        if asked is None or level is None or level <= self._shown.get(number, -1):
            return
        if len(self._objective.measures) > 1:
            return
        (direction,) = self._objective.directions
        shown = result["val_accuracy"] * (1 if direction == "maximize" else -1)
        asked.report(result.get("so_far", shown), step=level)
        self._shown[number] = level

    def tell(self, number: int, result: Mapping[str, Any], failed: bool) -> None:
        """Notes how a trial of the search ended; of other phases it knows nothing."""
        if number in self._asked:
            failure = (TrialState.FAIL, None)
            self._outcomes[number] = failure if failed else _outcome(result.get("values"))

    def forget(self, number: int) -> None:
        """Forgets how a trial ended that is to begin again."""
        self._outcomes.pop(number, None)

    def _add(self, params: Mapping[str, Any], values: Sequence[float]) -> None:
        self.study.add_trial(
            create_trial(params=dict(params), distributions=self._space, values=values)
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
        values = joined_settings(self._base.flat(), trial.hparams)
        params = {path: values.get(path) for path in self._space}
        try:
            create_trial(params=params, distributions=self._space, values=[0.0])
        except ValueError:
            return None  # A value is none of its distribution's.
        return tuple(params.values())


def _outcome(values: Sequence[float] | None) -> tuple[TrialState, list[float] | None]:
    """Returns what Optuna is told of a trial that ended, without values as one that was stopped."""
    if values is None:
        return TrialState.PRUNED, None
    if not all(map(math.isfinite, values)):
        return TrialState.FAIL, None
    return TrialState.COMPLETE, list(values)


def random_values(space: Space, seed: int, index: int) -> dict[str, Any]:
    """Returns draw ``index`` of the random control: uniform in the space, independent of all else.

    Where a distribution is logarithmic, it is uniform in the logarithm.
    """
    sampler = RandomSampler(seed=integer(seed, "random", index))
    return optuna.create_study(sampler=sampler).ask(dict(space)).params
