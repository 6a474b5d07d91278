"""One trial: a configuration's trajectories, level by level over its replicates, with branches."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lttune.config import LotteryConfig
from lttune.config.control import TRUNK, branch_name
from lttune.config.seeding import stream
from lttune.data.dataset import validation_size
from lttune.data.epochs import in_steps
from lttune.models import masks
from lttune.pruning.densities import around, planned_densities
from lttune.store.store import Stored
from lttune.trajectory import connectivity
from lttune.trajectory.branches import FROM_DENSE, FROM_END, WITH_BARRIER, ticket_of
from lttune.trajectory.branches.own import (
    branch_identity,
    control_of,
    has_code,
    keeps_weights,
    purpose_of,
    stored_departure,
)
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.measurements.of_layers import of_level
from lttune.trajectory.task import Level, Task, Ticket, weights_of

AVERAGED = ("density", "test_accuracy", "val_accuracy", "early_stop_step", "train_time_s")
"""Measures that a report gives as the mean over the trial's replicates."""


def run_trial(
    config: LotteryConfig,
    replicates: Sequence[int],
    controls: Sequence[str],
    lab: Lab,
    control_densities: Sequence[float] = (),
) -> Iterator[dict[str, Any]]:
    """Yields one report a level: means over replicates, a row a network, a row a trunk's layer.

    Args:
        config: as of ``trained_levels``, and so are all others.
        replicates: ids.
        controls: names of ``BRANCHES``, or of one's own.
        lab: what trains.
        control_densities: where controls leave.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    for levels, branched in trained_levels(config, replicates, controls, lab, control_densities):
        rows = [trunk_row(level, config, lab) for level in levels]
        means = {name: fmean(row[name] for row in rows) for name in AVERAGED}
        means["diverged"] = fmean(row["diverged"] for row in rows)
        rows += [one.row for one in branched]
        last = all(level.last for level in levels)
        layers = [row for level in levels for row in of_level(level)]
        yield {"level": levels[0].level, **means, "last": last, "rows": rows, "layers": layers}


def until_stopped(
    reports: Iterable[dict[str, Any]], ends_after: int | None
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yields each report of a trial and whether it is the trial's last.

    Args:
        reports: as ``run_trial`` yields them.
        ends_after: number of rows after which the trial was stopped, which has no deeper networks;
            None if it was not.
    """
    count = 0
    for report in reports:
        count += len(report["rows"])
        is_end = report["last"] or (ends_after is not None and count >= ends_after)
        yield report, is_end
        if is_end:
            return


@dataclass(frozen=True, kw_only=True)
class Branched:
    """A control that left a trunk at a level, trained."""

    name: str
    """What records call it (``lttune.config.control.branch_name``)."""
    task: Task
    stored: Stored
    """Its cell."""
    row: dict[str, Any]
    """Of the records, but for its study and trial."""


def trained_levels(
    config: LotteryConfig,
    replicates: Sequence[int],
    controls: Sequence[str],
    lab: Lab,
    control_densities: Sequence[float] = (),
) -> Iterator[tuple[list[Level], list[Branched]]]:
    """Yields level after level of several replicates, and the controls that leave there.

    Args:
        config: of the trunk.
        replicates: ids.
        controls: names of ``BRANCHES``, or of one's own.
        lab: what trains.
        control_densities: controls are trained at the two levels around each; empty is all levels.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    planned = planned_densities(config, network_of(config, lab.datasets[config.data.name]))
    branching = around(control_densities, planned)
    for levels in trajectories(config, replicates, lab):
        names = [name for name in controls if _leaves(name, levels[0].level, branching)]
        leaving = [(name, level) for level in levels for name in names]
        yield levels, _branches(leaving, config, lab)


def networks(
    planned: Sequence[float], controls: Sequence[str], control_densities: Sequence[float] = ()
) -> list[int]:
    """Returns how many networks of a replicate each level trains: the trunk's and its controls'.

    Args:
        planned: density of each level (``planned_densities``).
        controls: as of ``run_trial``.
        control_densities: likewise.
    """
    branching = around(control_densities, planned)
    return [
        1 + sum(_leaves(name, level, branching) for name in controls)
        for level in range(len(planned))
    ]


def _leaves(name: str, level: int, branching: Collection[int]) -> bool:
    return level in branching if level > 0 else name in FROM_DENSE


def _branches(
    leaving: Sequence[tuple[str, Level]], config: LotteryConfig, lab: Lab
) -> list[Branched]:
    """Trains the controls that leave the trunks of a level."""
    tasks = [_branch(name, level, config, lab) for name, level in leaving]
    found: list[Branched] = []
    for (name, level), task, stored in zip(leaving, tasks, lab.train(tasks), strict=True):
        branch = branch_name(name)
        row = row_of(branch, task.level, task.replicate, task.ticket, stored, config, lab)
        if name in WITH_BARRIER:
            row |= connectivity.barriers(task, (level.stored, stored), lab)
        found.append(Branched(name=branch, task=task, stored=stored, row=row))
    return found


def _branch(name: str, trunk: Level, config: LotteryConfig, lab: Lab) -> Task:
    """Returns the task of a control that leaves the trunk at a level.

    Who reads a study with a control of one's own takes its mask, by the network's identity, from
    the store: its code is not run.
    """
    rng = stream(lab.seed, trunk.replicate, purpose_of(name), trunk.level)
    at = dataclasses.replace(trunk.junction, rng=rng)
    if name in FROM_END:
        at = dataclasses.replace(at, end=weights_of(trunk.stored.cell, at.network))
    identity: dict[str, Any] = {"trunk": trunk.stored.key, **branch_identity(name)}
    if has_code(name):
        leaving = control_of(name)(at)
    else:
        leaving = stored_departure(at, lab.stored_mask(identity, at.network))
    if leaving.config is not None:
        identity["target"] = lab.identity(leaving.config, trunk.replicate)
    return Task(
        identity=identity,
        network=at.network,
        config=leaving.config or config,
        replicate=trunk.replicate,
        level=trunk.level,
        ticket=ticket_of(leaving, config),
        train=leaving.train,
        first_step=leaving.first_step,
        order=leaving.order,
        keep=keeps_weights(name),
    )


def trunk_row(level: Level, config: LotteryConfig, lab: Lab) -> dict[str, Any]:
    """Returns the row of the records of a level of the trunk, but for its study and trial."""
    return row_of(TRUNK, level.level, level.replicate, level.ticket, level.stored, config, lab)


def row_of(
    name: str,
    level: int,
    replicate: int,
    ticket: Ticket,
    stored: Stored,
    config: LotteryConfig,
    lab: Lab,
) -> dict[str, Any]:
    """Returns the row of the records of a trained network, but for its study and trial."""
    mask, cell = ticket.mask, stored.cell
    layers = {f"density.{layer}": d for layer, d in masks.layer_densities(mask).items()}
    return {
        "replicate": replicate,
        "branch": name,
        "level": level,
        "density": masks.density(mask),
        "surviving": masks.surviving(mask),
        "prunable": masks.prunable(mask),
        **connectivity.NONE,
        **cell.record["measures"],
        **cell.times,
        "reused": stored.reused,
        "seed": lab.seed,
        "numerics": lab.engine.numerics,
        "cell": stored.key,
        **layers,
        **in_steps(config, lab.datasets).flat(),
        "data.validation": validation_size(lab.examples(config.data), config.data.validation),
    }
