"""The phases of a study: which trials each one plans, and how much they train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from lttune.config import LotteryConfig
from lttune.data import Dataset
from lttune.pruning.densities import planned_densities
from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Study
from lttune.study.phase import ORIGINS, PHASES
from lttune.study.phases.confirmation import Confirmation
from lttune.study.settings import StudyConfig
from lttune.trajectory.lab import network_of
from lttune.trajectory.trial import networks


def phase_config(phase: str, base: LotteryConfig, target: ObjectiveConfig) -> LotteryConfig:
    """Returns what a phase's trials override; tune, search and random end as the objective does."""
    if phase not in ORIGINS:
        return base
    return base.override({"min_density": max(base.min_density, target.floor)})


def plan_trials(ledger: Ledger, config: StudyConfig, study: Study) -> None:
    """Adds the missing trials of every phase that are known beforehand, and counts the others.

    Those of search and random are added when their turn comes, those of confirm when their winners
    are known (``lttune.study.search.searcher``).
    """
    ledger.only = tuple(phase for phase in PHASES if phase in config.phases)
    if "anchor" in config.phases:
        _plan_anchor(ledger, config)
    _plan_points(ledger, config, study)
    for phase in ("search", "random"):
        if phase in config.phases:
            ledger.planned[phase] = max(config.trials, len(ledger.of(phase)))
    confirmation = Confirmation.of(config, study)
    if confirmation.is_due(ledger):
        confirmation.add_missing(ledger)
    elif "confirm" in config.phases:
        ledger.planned["confirm"] = max(confirmation.at_most, len(ledger.of("confirm")))
    ledger.planned = {phase: ledger.planned[phase] for phase in PHASES if phase in ledger.planned}
    ledger.save()


def _plan_anchor(ledger: Ledger, config: StudyConfig) -> None:
    have = {replicate for trial in ledger.of("anchor") for replicate in trial.replicates}
    for replicate in range(config.replicates):
        if replicate not in have:
            label = f"replicate={replicate}"
            ledger.add("anchor", label, {}, [replicate], list(config.controls))
    ledger.planned["anchor"] = len(ledger.of("anchor"))


def _plan_points(ledger: Ledger, config: StudyConfig, study: Study) -> None:
    for phase, points in study.points_of(config).items():
        known = {trial.label for trial in ledger.of(phase)}
        # Replicate by replicate, so that an early look has every point once.
        most = max(len(point.replicates) for point in points)
        each = [(p, i) for i in range(most) for p in points if i < len(p.replicates)]
        for point, index in each:
            replicate = point.replicates[index]
            name = f"{point.label} replicate={replicate}"
            if name not in known:
                controls = list(point.controls)
                reason = (point.role, point.inert)
                ledger.add(phase, name, point.hparams, [replicate], controls, *reason)
        ledger.planned[phase] = len(ledger.of(phase))


def levels(lottery: LotteryConfig, datasets: Mapping[str, Dataset]) -> int:
    """Returns how many levels a trajectory has, the dense one counted."""
    return len(_planned(lottery, datasets))


def work(config: StudyConfig, study: Study, datasets: Mapping[str, Dataset]) -> dict[str, float]:
    """Returns phase -> networks that a trial of it trains, one of average length."""
    base = config.lottery
    cut = phase_config("search", base, config.objective)
    each = levels(cut, datasets) * config.search_replicates
    found: dict[str, float] = {
        "anchor": _networks(config, base, config.controls, datasets),
        "search": each,
        "random": each,
        "confirm": _networks(config, base, Confirmation.of(config, study).controls, datasets),
    }
    for phase, points in study.points_of(config).items():
        of_phase = phase_config(phase, base, config.objective)
        found[phase] = fmean(
            _networks(config, of_phase.override(p.hparams), p.controls, datasets) for p in points
        )
    return found


def _networks(
    config: StudyConfig,
    lottery: LotteryConfig,
    controls: Sequence[str],
    datasets: Mapping[str, Dataset],
) -> int:
    return sum(networks(_planned(lottery, datasets), controls, config.control_densities))


def _planned(lottery: LotteryConfig, datasets: Mapping[str, Dataset]) -> list[float]:
    return planned_densities(lottery, network_of(lottery, datasets[lottery.data.name]))
