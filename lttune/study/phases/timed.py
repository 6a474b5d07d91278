"""A run that was given a time (``--max-time``): its limit, and what it says at its end."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Mapping, Sequence

from lttune.config.fields import duration_s
from lttune.data import Dataset
from lttune.records.ledger import Trial
from lttune.records.tables import Tables
from lttune.study.console.table import clock, going_on
from lttune.study.phases.estimate import measured, relative_pace
from lttune.study.phases.limit import (
    LeftOut,
    TimeLimit,
    closing_s,
    planned_costs,
    training_ends,
)
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
    line = f"--max-time {config.max_time} left out {sum(found.trials.values())} trials ({phases})"
    shortest, kept = found.shortest_s, closing_s(config.limit_s)
    if shortest is None or shortest <= found.room_s:
        return f"{line}{about}: {going_on(command)} goes on"
    started = config.limit_s - kept - found.room_s
    enough = _enough(started + SPARE * shortest)
    rest = _MAX_TIME.sub("", command)
    again = rest and f"{rest} --max-time {enough}"
    line += f"{about}: a start takes about {max(started, 0):.0f} s, {kept:.0f} s are kept for the "
    line += f"report, and the shortest trial takes about {clock(shortest)}; "
    return f"{line}{going_on(again)}{'' if command else f' with max_time={enough!r}'} goes on"


SPARE = 1.5
"""How much longer than estimated a trial may take that is told to fit."""
_MAX_TIME = re.compile(r" --max[-_]time[ =]\S+")
_LENGTHS = (
    "30s",
    "45s",
    "60s",
    "90s",
    "2m",
    "3m",
    "5m",
    "10m",
    "20m",
    "30m",
    "1h",
    "2h",
    "4h",
    "8h",
)


def _enough(seconds: float) -> str:
    """Returns a time as ``--max-time`` takes it that leaves so much beside what its end takes."""
    days = (f"{24 * count}h" for count in itertools.count(1))
    fitting = (
        length
        for length in itertools.chain(_LENGTHS, days)
        if training_ends(0.0, duration_s("max_time", length)) >= seconds
    )
    return next(fitting)
