"""A run that was given a time (``--max-time``): its limit, and what it says at its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lttune.data import Dataset
from lttune.records.ledger import Trial
from lttune.records.tables import Tables
from lttune.study.console.table import clock, going_on
from lttune.study.phases.estimate import measured, relative_pace
from lttune.study.phases.limit import LeftOut, TimeLimit, planned_costs, training_ends
from lttune.study.settings import StudyConfig

_LOG = logging.getLogger(__name__)

TIME_IS_UP = 124
"""Exit code of a run that left out trials for want of time: that of the command ``timeout``."""
PATIENCE_SHARE, MOST_PATIENCE_S = 0.05, 10.0
"""Of the time of a run, what is spent on measuring how fast the machine trains."""


def time_limit(
    config: StudyConfig,
    datasets: Mapping[str, Dataset],
    engine: str,
    began: float,
    tables: Tables,
    earlier: Sequence[Trial],
) -> TimeLimit | None:
    """Returns what says which trials fit into a run, after a look at how fast this machine trains.

    Args:
        config: the settings.
        datasets: by name.
        engine: which one trains.
        began: monotonic time at which the command began.
        tables: what is known of the networks that earlier runs trained.
        earlier: trials of the study so far.

    Returns:
        None if the run may take what it needs.
    """
    if config.limit_s is None:
        return None
    base = config.lottery
    pace = relative_pace(base, datasets[base.data.name])
    # The machines of a cluster are others than this one.
    if config.has_own_ray:
        _LOG.info("measuring how fast this machine trains")
        patience_s = min(MOST_PATIENCE_S, PATIENCE_SHARE * config.limit_s)
        pace = measured(base, datasets, engine, config.device, patience_s)
    return TimeLimit(
        training_ends(began, config.limit_s),
        planned_costs(config, datasets, pace),
        is_measured=config.has_own_ray,
        reached=tables.reached,
        earlier=earlier,
        trained_s=tables.trained_s,
    )


def left_out_line(found: LeftOut, config: StudyConfig, concurrent: int, command: str) -> str:
    """Returns what a person reads of what a run left out, and which command goes on.

    Args:
        found: what it had no time for.
        config: the settings.
        concurrent: trials at once.
        command: of this run.

    Returns:
        An empty text if nothing was left out.
    """
    if not found.trials or config.limit_s is None:
        return ""
    phases = ", ".join(f"{count} of {phase}" for phase, count in found.trials.items())
    about = "" if found.all_s is None else f", about {clock(found.all_s / concurrent)} more"
    line = f"--max-time {config.max_time} left out {sum(found.trials.values())} trials "
    line += f"({phases}){about}: {going_on(command)} goes on"
    if found.shortest_s is not None and found.shortest_s > training_ends(0.0, config.limit_s):
        line += f", with more time: the shortest takes about {clock(found.shortest_s)}"
    return line
