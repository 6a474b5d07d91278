"""What still fits into the time that a run was given (``--max-time``).

No trial is begun whose estimated end lies beyond that time, and a running one whose next level
would end beyond it is put off: its networks are in the store, so that it goes on from there. What a
trial takes is estimated as for a plan, or by what complete trials of the study took if that is
less, and corrected by the levels that this run has trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from lttune.config.phase import PHASES
from lttune.data import Dataset
from lttune.errors import ConfigError
from lttune.records.ledger import Ledger, Trial
from lttune.study.declared import Study
from lttune.study.phases.estimate import Pace, level_costs
from lttune.study.phases.planned import phase_config, planned_trials
from lttune.study.settings import StudyConfig

CLOSING_SHARE = 0.05
LEAST_CLOSING_S, MOST_CLOSING_S = 20.0, 300.0
"""Of the time that a run is given, what is kept for its end, in which the report is written."""
STARTING_S = 10.0
"""What Ray takes to start, about, where it was not started because nothing fits."""
MOST_COMPLETE = 20
"""Complete trials of which the last are asked how long they took."""

Costs = Callable[[str, Mapping[str, Any], Sequence[str], int], Sequence[float]]
"""Phase, hyperparameters, controls and number of replicates -> seconds of each level."""


def training_ends(began: float, limit_s: float) -> float:
    """Returns the time by which the last training must have ended.

    Args:
        began: time at which the command began.
        limit_s: seconds that it was given.
    """
    return began + limit_s - closing_s(limit_s)


def closing_s(limit_s: float) -> float:
    """Returns what is kept for a run's end of the seconds that it was given."""
    return min(max(CLOSING_SHARE * limit_s, LEAST_CLOSING_S), MOST_CLOSING_S)


def planned_costs(config: StudyConfig, datasets: Mapping[str, Dataset], pace: Pace) -> Costs:
    """Returns what estimates the levels of a trial of a study by the pace of a machine."""

    def costs(
        phase: str, hparams: Mapping[str, Any], controls: Sequence[str], replicates: int
    ) -> list[float]:
        cut = phase_config(phase, config.lottery, config.objective)
        dense = config.control_densities
        try:
            mine = cut.override(hparams)
            found = level_costs(mine, config.lottery, datasets, pace, controls, dense)
        except (ConfigError, LookupError):  # It will fail, in no time.
            return [0.0]
        return [replicates * level.seconds for level in found]

    return costs


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What a run had no time for."""

    trials: Mapping[str, int]
    """Phase -> how many."""
    all_s: float | None = None
    """Core seconds of all of them; None if nothing is known of the machine."""
    shortest_s: float | None = None
    """Of the shortest."""
    room_s: float = 0.0
    """What there was for training, from the first trial's begin on."""


class TimeLimit:
    """Says which trials fit into the time that is left.

    Args:
        ends: monotonic time by which the last training must have ended.
        costs: estimates the levels of a trial.
        is_measured: whether its seconds are this machine's. If not they only compare, and until the
            first level has been trained everything is taken to fit that begins in time.
        reached: number of a trial -> its last level that an earlier run trained, if any.
        earlier: trials of earlier runs. A machine that is busy while it is measured would otherwise
            begin nothing, however often the command is given.
        trained_s: says how many seconds the networks of an earlier trial took to train, whichever
            run did. What the trial itself took may be the last piece of it only.
    """

    def __init__(
        self,
        ends: float,
        costs: Costs,
        *,
        is_measured: bool,
        reached: Mapping[int, int] | None = None,
        earlier: Sequence[Trial] = (),
        trained_s: Callable[[Trial], float] = lambda trial: 0.0,
    ) -> None:
        self._ends, self._costs = ends, costs
        self._reached = dict(reached or {})
        self._levels: dict[int, Sequence[float]] = {}
        self._of_base: dict[str, float] = {}
        self._since: dict[int, float] = {}
        # Where none begins, Ray was not started.
        self._first, self._has_begun = time.monotonic() + STARTING_S, False
        self._took = self._expected = 0.0
        self.put_off: set[int] = set()
        """Numbers of the trials that were ended for want of time."""
        self._first_pace = min(1.0, self._pace_of(earlier, trained_s)) if is_measured else None

    def fits(self, trial: Trial) -> bool:
        """Whether a trial that begins now would end in time."""
        return trial.number not in self.put_off and self._is_in_time(self._left_of(trial))

    def fits_one_more(self, phase: str, replicates: int) -> bool:
        """Whether a trial of a phase would whose point is yet to come; the base stands for it."""
        # Who asks does so again and again while others run.
        if phase not in self._of_base:
            self._of_base[phase] = sum(self._costs(phase, {}, (), replicates))
        return self._is_in_time(self._of_base[phase])

    def began(self, trial: Trial) -> None:
        """Notes that a trial begins."""
        self._since[trial.number] = time.monotonic()
        if not self._has_begun:
            self._first, self._has_begun = self._since[trial.number], True

    def ends(self, trial: Trial, report: Mapping[str, Any]) -> bool:
        """Notes a level of a trial; returns whether the trial is put off before the next one."""
        if "level" not in report:
            return False
        levels, now = self._of(trial), time.monotonic()
        level = report["level"]
        reused = [row["reused"] for row in report.get("rows", ())]
        if not any(reused) and level < len(levels):
            self._took += now - self._since.get(trial.number, now)
            self._expected += levels[level]
        self._since[trial.number] = now
        known = self._reached.get(trial.number, -1)
        self._reached[trial.number] = max(level, known)
        is_last = report.get("last", False) or report.get("done", False)
        # What an earlier run has trained is read in no time, unless its networks are gone.
        is_read = level < known or (trial.rebuilt and all(reused))
        if is_last or is_read or self._is_in_time(sum(levels[level + 1 : level + 2])):
            return False
        self.put_off.add(trial.number)
        return True

    def has_any(self, ledger: Ledger, config: StudyConfig, study: Study) -> bool:
        """Whether any trial of the phases of this run would end in time."""
        return self._has(self.left_out(ledger, config, study).shortest_s or 0.0)

    def left_out(self, ledger: Ledger, config: StudyConfig, study: Study) -> LeftOut:
        """Returns what the phases of this run still lack."""
        counts, times = dict[str, int](), list[float]()
        for name in ledger.active:
            waiting = [t for t in ledger.of(name) if t.state in ("waiting", "running")]
            coming = ledger.planned.get(name, 0) - len(ledger.of(name))
            if waiting or coming > 0:
                counts[name] = len(waiting) + max(coming, 0)
            times += [self._left_of(trial) for trial in waiting]
            one = planned_trials(PHASES[name], config, study)[:1] if coming > 0 else []
            for planned in one:
                count = len(planned.replicates)
                cost = sum(self._costs(name, planned.hparams, planned.controls, count))
                times += [cost] * coming
        pace = self._pace()
        if pace is None or not times:
            return LeftOut(trials=counts)
        return LeftOut(
            trials=counts,
            all_s=pace * sum(times),
            shortest_s=pace * min(times),
            room_s=self._ends - self._first,
        )

    def _of(self, trial: Trial) -> Sequence[float]:
        if trial.number not in self._levels:
            count = len(trial.replicates)
            costs = self._costs(trial.phase, trial.hparams, trial.controls, count)
            self._levels[trial.number] = costs
        return self._levels[trial.number]

    def _left_of(self, trial: Trial) -> float:
        """Returns what the levels take that no run has trained yet."""
        if trial.rebuilt:
            return 0.0
        return sum(self._of(trial)[self._reached.get(trial.number, -1) + 1 :])

    def _pace(self) -> float | None:
        """Returns seconds that passed for each that was estimated; None if none is known."""
        if self._expected > 0:
            return self._took / self._expected
        return self._first_pace

    def _pace_of(self, trials: Sequence[Trial], trained_s: Callable[[Trial], float]) -> float:
        """Returns the seconds of complete trials for each that was estimated; 1 if there are none.

        Of one that went on, or was rebuilt, its own are too few: its networks' count as well. The
        median, since one may have found networks of others, of another machine, in the store.
        """
        complete = [one for one in trials if one.state == "complete" and one.seconds]
        paces = [
            max(one.seconds or 0.0, trained_s(one)) / cost
            for one in complete[-MOST_COMPLETE:]
            if (cost := sum(self._of(one)))
        ]
        return median(paces) if paces else 1.0

    def _is_in_time(self, cost: float) -> bool:
        return self._has(cost * (self._pace() or 0.0))

    def _has(self, seconds: float) -> bool:
        return time.monotonic() + seconds <= self._ends
