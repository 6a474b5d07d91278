"""Which trials each phase of a study is to have, and how much they train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lttune.config import LotteryConfig
from lttune.config.control import CONTROLS
from lttune.config.design.points import Role
from lttune.config.own import is_own_code, require_row_or_own
from lttune.config.phase import PHASES, Origin, Phase, phase_of
from lttune.config.rules import every_rule
from lttune.data import Dataset
from lttune.errors import ConfigError, StorageError, quoted
from lttune.models import Network
from lttune.pruning.densities import planned_densities
from lttune.records.columns import QUOTIENT_ERROR
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.records.own import LARGEST_OBJECTIVE
from lttune.study.declared import Study
from lttune.study.phases.confirmation import Confirmation
from lttune.study.phases.shard import in_shard, phases_run
from lttune.study.settings import StudyConfig
from lttune.trajectory.lab import network_key, network_of
from lttune.trajectory.trial import networks


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """A trial that a phase is to have; where its point is yet to come, the base stands for it."""

    replicates: tuple[int, ...]
    label: str = ""
    """What the ledger knows it by; empty where its point is yet to come."""
    hparams: Mapping[str, Any] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    role: Role | None = None
    inert: float | None = None


def phase_config(phase: str, base: LotteryConfig, objective: ObjectiveConfig) -> LotteryConfig:
    """Returns what the trials of a phase override; some phases end as the objective does."""
    if not phase_of(phase).ends_with_objective:
        return base
    return base.override({"min_density": max(base.min_density, objective.floor)})


def require_trials(
    path: Path, trials: Iterable[Trial], base: LotteryConfig, objective: ObjectiveConfig
) -> None:
    """Checks that those trials of a file that have ended are such as the study can have.

    What a trial that has not ended asks for is checked by its worker, and fails that trial alone.

    Args:
        path: the file.
        trials: all of its trials.
        base: the configuration that they override.
        objective: what their values are of.

    Raises:
        StorageError: naming the first trial that is none of the study's, and its rule.
    """
    names = objective.measures
    for trial in trials:
        where = f"{path}: trials[{trial.number}]"
        try:
            lottery = phase_config(trial.phase, base, objective)
            if trial.state in ENDED:
                lottery.override(trial.hparams)
                with every_rule() as rules:
                    for name in trial.controls:
                        require_row_or_own(rules, "controls", name, CONTROLS)
        except ConfigError as error:
            raise StorageError(f"{where}: {error}") from error
        values = trial.values if trial.state == "complete" else None
        if values is not None and len(values) != len(names):
            raise StorageError(f"{where}.values must be {' and '.join(names)}, got {values}")
        for name, value in zip(names, values or [], strict=False):
            text, low, high = _range_of(name)
            if not low <= value <= high:
                raise StorageError(f"{where}.values must have {text}, got {quoted(value)}")


def _range_of(name: str) -> tuple[str, float, float]:
    """Returns what a measure of an objective must be, in words, and its bounds."""
    if is_own_code(name):
        text = f"{name} at most {LARGEST_OBJECTIVE:g} in size"
        return text, -LARGEST_OBJECTIVE, LARGEST_OBJECTIVE
    # Both objectives and the densities that they are told of are shares.
    is_density = name == "ticket_density"
    least = QUOTIENT_ERROR if is_density else -QUOTIENT_ERROR
    return f"{name} in {'(' if is_density else '['}0, 1]", least, 1 + QUOTIENT_ERROR


def planned_trials(phase: Phase, config: StudyConfig, study: Study) -> list[PlannedTrial]:
    """Returns all trials of a phase that is run, those that are there already among them.

    Of a shard they are its own.
    """
    found = TRIALS[phase.origin](phase, config, study)
    if config.shard is None:
        return found
    return [found[i] for i in trial_positions(phase, config, study)]


def trial_positions(phase: Phase, config: StudyConfig, study: Study) -> range:
    """Returns which of the trials that a phase has in the whole study are those of this run."""
    before = 0
    for name in phases_run(config):
        count = len(TRIALS[PHASES[name].origin](PHASES[name], config, study))
        if name == phase.name:
            return in_shard(count, before, config)
        before += count
    return range(0)


def plan_trials(ledger: Ledger, config: StudyConfig, study: Study) -> None:
    """Adds the missing trials of every phase that are known beforehand, and counts the others.

    Points that chance draws are added when the search begins, proposals and winners in their turn
    (``lttune.study.search.searcher``).
    """
    ledger.only = phases_run(config)
    for name in ledger.only:
        planned = planned_trials(PHASES[name], config, study)
        if PHASES[name].is_known_beforehand:
            _add_missing(ledger, name, planned)
            planned = []
        ledger.planned[name] = max(len(planned), len(ledger.of(name)))
    confirmation = Confirmation.of(config, study)
    if confirmation.is_due(ledger):
        for name in ledger.only:
            if PHASES[name].confirms:
                confirmation.add_missing(ledger, name)
    ledger.planned = {phase: ledger.planned[phase] for phase in PHASES if phase in ledger.planned}


def _add_missing(ledger: Ledger, phase: str, planned: Sequence[PlannedTrial]) -> None:
    known = {trial.label for trial in ledger.of(phase)}
    for trial in planned:
        if trial.label not in known:
            lists = list(trial.replicates), list(trial.controls)
            ledger.add(phase, trial.label, trial.hparams, *lists, trial.role, trial.inert)


def _base(phase: Phase, config: StudyConfig, study: Study) -> list[PlannedTrial]:
    return [
        PlannedTrial(replicates=(r,), label=f"replicate={r}", controls=config.controls)
        for r in range(config.replicates)
    ]


def _declared(phase: Phase, config: StudyConfig, study: Study) -> list[PlannedTrial]:
    points = study.points_of(config)[phase.name]
    # Replicate by replicate, so that an early look has every point once.
    most = max(len(point.replicates) for point in points)
    each = [(p, p.replicates[i]) for i in range(most) for p in points if i < len(p.replicates)]
    return [
        PlannedTrial(
            replicates=(replicate,),
            label=f"{point.label} replicate={replicate}",
            hparams=point.hparams,
            controls=point.controls,
            role=point.role,
            inert=point.inert,
        )
        for point, replicate in each
    ]


def _of_space(phase: Phase, config: StudyConfig, study: Study) -> list[PlannedTrial]:
    return [PlannedTrial(replicates=tuple(range(config.search_replicates)))] * config.trials


def _winners(phase: Phase, config: StudyConfig, study: Study) -> list[PlannedTrial]:
    confirmation = Confirmation.of(config, study)
    return [PlannedTrial(replicates=(0,), controls=confirmation.controls)] * confirmation.at_most


TRIALS: dict[Origin, Callable[[Phase, StudyConfig, Study], list[PlannedTrial]]] = {
    "base": _base,
    "declared": _declared,
    "proposed": _of_space,
    "drawn": _of_space,
    "winners": _winners,
}
"""Where points come from -> the trials of such a phase."""


def trajectory_counts(planned: Sequence[PlannedTrial]) -> list[tuple[PlannedTrial, int]]:
    """Returns the trials that train different things, each with its number of trajectories.

    Replicates of a point train the same number of networks for as long.
    """
    alike: dict[str, PlannedTrial] = {}
    counts = Counter[str]()
    for trial in planned:
        key = repr((sorted(trial.hparams.items()), trial.controls))
        alike.setdefault(key, trial)
        counts[key] += len(trial.replicates)
    return [(trial, counts[key]) for key, trial in alike.items()]


class Depths:
    """How many levels each trial of a study has; counted once a trial."""

    def __init__(self, config: StudyConfig, datasets: Mapping[str, Dataset]) -> None:
        self._config, self._datasets = config, datasets
        self._bases: dict[str, LotteryConfig] = {}
        self._levels: dict[int, int] = {}
        self._key: Hashable = None
        self._network: Network | None = None
        """The last one and what it is of: most studies have one, and to make one takes longer."""

    def share(self, trial: Trial, level: int) -> float:
        """Returns how much of a trial is done when a level is."""
        if trial.number not in self._levels:
            self._levels[trial.number] = self._counted(trial)
        return (level + 1) / self._levels[trial.number]

    def _counted(self, trial: Trial) -> int:
        if trial.phase not in self._bases:
            base, objective = self._config.lottery, self._config.objective
            self._bases[trial.phase] = phase_config(trial.phase, base, objective)
        lottery = self._bases[trial.phase].override(trial.hparams)
        dataset = self._datasets[lottery.data.name]
        key = network_key(lottery, dataset)
        if self._network is None or key != self._key:
            self._key, self._network = key, network_of(lottery, dataset)
        return len(planned_densities(lottery, self._network))


def work(config: StudyConfig, study: Study, datasets: Mapping[str, Dataset]) -> dict[str, float]:
    """Returns phase that is run -> networks that a trial of it trains on average."""
    found: dict[str, float] = {}
    for name in phases_run(config):
        base = phase_config(name, config.lottery, config.objective)
        planned = planned_trials(PHASES[name], config, study)
        total = 0
        for trial, count in trajectory_counts(planned):
            densities = _planned(base.override(trial.hparams), datasets)
            total += count * sum(networks(densities, trial.controls, config.control_densities))
        found[name] = total / max(len(planned), 1)
    return found


def _planned(lottery: LotteryConfig, datasets: Mapping[str, Dataset]) -> list[float]:
    return planned_densities(lottery, network_of(lottery, datasets[lottery.data.name]))
