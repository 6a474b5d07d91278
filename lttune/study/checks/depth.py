"""Whether trajectories go down to where a study reads them, and what else calls for caution."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from lttune.config import LotteryConfig
from lttune.config.own import is_own_code
from lttune.config.phase import phase_of
from lttune.config.rules import MOST_LEVELS
from lttune.data import Dataset
from lttune.errors import ConfigError
from lttune.models import Network
from lttune.pruning.densities import planned_densities
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Study
from lttune.study.settings import StudyConfig
from lttune.trajectory.lab import network_key, network_of


def check_depth(objective: ObjectiveConfig, base: LotteryConfig, network: Network) -> None:
    """Checks that the base configuration reaches the density that the objective reads.

    Raises:
        ConfigError: if it does not: every trial would be scored with chance accuracy there.
    """
    if base.method == "supermask":
        return  # The mask's density is learned.
    reached = planned_densities(base, network)[-1]
    if "ticket_density" not in objective.measures and reached > objective.density:
        raise ConfigError(
            f"objective.density must be reached by the base configuration, whose last level has "
            f"density {reached:.3g}; got {objective.density!r}; give a larger one or more levels"
        )


def cautions(
    config: StudyConfig,
    study: Study,
    others: Sequence[LotteryConfig],
    datasets: Mapping[str, Dataset],
) -> list[str]:
    """Returns what a person should know of a study before anything is trained, a line each.

    Args:
        config: its settings.
        study: what its file declares.
        others: configurations that it can come to beside its base.
        datasets: by name.
    """
    found = (_single_replicates(config, study), _shallow(config.objective, others, datasets))
    return [text for text in found if text]


def _single_replicates(config: StudyConfig, study: Study) -> str:
    """Returns which settings leave a single replicate where verdicts are asked for."""
    run = [phase_of(name) for name in config.phases]
    judged = study.prepare is not None and any(phase.is_read_by_claims for phase in run)
    asked = {
        "replicates": judged and config.replicates < 2,
        "confirm_replicates": any(p.confirms for p in run) and config.confirm_replicates < 2,
    }
    names = " and ".join(name for name, is_single in asked.items() if is_single)
    return names and (
        f"{names} of 1: a single replicate has neither an interval nor a verdict; "
        "give 2 or more, better 5"
    )


def _shallow(
    objective: ObjectiveConfig, others: Sequence[LotteryConfig], datasets: Mapping[str, Dataset]
) -> str:
    """Returns how many configurations end above the density that the objective reads.

    There they are scored with chance accuracy, and a design that has many of them has no shares.

    Args:
        objective: of the study.
        others: configurations that it can come to beside its base.
        datasets: by name.

    Returns:
        An empty text if all reach it.
    """
    if "ticket_density" in objective.measures:
        return ""
    networks: dict[Hashable, Network] = {}
    mends: list[tuple[int, str]] = []
    for config in others:
        if config.method == "supermask" or config.prune.one_shot is not None:
            continue
        dataset = datasets[config.data.name]
        key = network_key(config, dataset)
        if key not in networks:
            networks[key] = network_of(config, dataset)
        if planned_densities(config, networks[key])[-1] > objective.density:
            mends.append(_mend(config, networks[key], objective.density))
    if not mends:
        return ""
    read = "where the answer is given"
    if not is_own_code(objective.name):
        read = "where the objective reads, and count as chance there"
    return (
        f"{len(mends)} of {len(others)} points and corners of what is varied end above density "
        f"{objective.density:.3g}, {read}: {max(mends)[1]}"
    )


def _mend(config: LotteryConfig, network: Network, density: float) -> tuple[int, str]:
    """Returns how one would come down to a density, the text that asks most having the greatest."""
    if config.min_density > density:
        return MOST_LEVELS + 2, "min_density ends them"
    try:
        deep = config.override({"levels": MOST_LEVELS, "min_density": density})
        reached = planned_densities(deep, network)
    except ConfigError:
        reached = [1.0]
    if reached[-1] > density:
        return MOST_LEVELS + 1, "no number of levels reaches it"
    levels = len(reached) - 1
    return levels, f"levels of {levels} would reach it"
