"""A ticket of a study taken to other examples or another training, beside its controls.

Morcos et al. (2019), Mehta (2019). The ticket, its mask with new weights, a random mask of its
layers' densities with new weights, and the dense network that it came from are trained on the
target. A replicate of the target has its own split and data order, which the four share, so that
their differences are paired, and its own new weights; the ticket is the same in all replicates.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.config import TargetConfig
from lttune.config.own import is_own_code
from lttune.config.seeding import stream
from lttune.errors import ConfigError
from lttune.exchange.tensors import masks_in, read, weights_in
from lttune.exchange.tickets import Found, walked
from lttune.models import masks
from lttune.models.masks import to_bits
from lttune.models.own import use_as
from lttune.records.own import known_part, read_own_code
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.branches import BRANCHES, ticket_of
from lttune.trajectory.lab import Lab
from lttune.trajectory.starts import Junction
from lttune.trajectory.task import REWIND, Task, Ticket, weights_of
from lttune.trajectory.trial import row_of

_LOG = logging.getLogger(__name__)

TRANSFERRED, TARGET_CONTROLS = "transfer", ("transfer_reinit", "transfer_random")
"""Branches of a study that do the same with its own replicates."""


def train_on_target(
    dense: Junction,
    tickets: Mapping[int, Junction],
    target: TargetConfig,
    replicates: Sequence[int],
    lab: Lab,
) -> list[dict[str, Any]]:
    """Returns a row of the records for each network that is trained on the target.

    Args:
        dense: level 0 of the source.
        tickets: where tickets leave the source, by level, 1 or more.
        target: what they are taken to.
        replicates: of the target.
        lab: with the target's dataset.

    Raises:
        ConfigError: if source and target together break a rule.
    """
    leaving = [(TRANSFERRED, 0, dense)]
    leaving += [
        (n, level, at) for level, at in tickets.items() for n in (TRANSFERRED, *TARGET_CONTROLS)
    ]
    each = [(name, level, r, at) for name, level, at in leaving for r in replicates]
    tasks = [_task(name, level, r, _aimed(at, target), lab) for name, level, r, at in each]
    rows: list[dict[str, Any]] = []
    for (name, level, replicate, _), task, stored in zip(
        each, tasks, lab.train(tasks), strict=True
    ):
        _LOG.info("%d of %d networks are trained", len(rows) + 1, len(tasks))
        rows.append(row_of(name, level, replicate, task.ticket, stored, task.config, lab))
    return rows


def networks_on_target(tickets: int, replicates: int) -> int:
    """Returns how many networks ``train_on_target`` trains; the store keeps no weights of them."""
    return replicates * (1 + tickets * len((TRANSFERRED, *TARGET_CONTROLS)))


def with_schedule(found: Found, name: str) -> None:
    """Makes the schedule of one's own of a network's study known, from where the user says.

    Args:
        found: the network.
        name: of the schedule, as ``train.schedule`` would be.

    Raises:
        ConfigError: if that is another schedule than the study's, or cannot be imported.
    """
    code, known = read_own_code(SCHEDULE, name), found.config.train.schedule
    if not is_own_code(known) or code.digest != known_part(SCHEDULE, known).source:
        raise ConfigError(
            f"--schedule must be the study's {known}, got {name}, whose code is another"
        )
    use_as(code, known)


def _aimed(at: Junction, target: TargetConfig) -> Junction:
    # A study's measurements need its code, and are of its own trainings.
    train = dataclasses.replace(at.config.train, measure=())
    return dataclasses.replace(
        at, config=dataclasses.replace(at.config, target=target, train=train)
    )


def _task(name: str, level: int, replicate: int, at: Junction, lab: Lab) -> Task:
    """Returns what a branch trains on the target; its cell is named by the bytes of its start."""
    rng = stream(lab.seed, replicate, name, level)
    leaving = BRANCHES[name](dataclasses.replace(at, rng=rng))
    ticket = ticket_of(leaving, at.config)
    config = leaving.config or at.config
    return Task(
        identity={"target": lab.identity(config, replicate), "ticket": ticket_digest(ticket)},
        network=at.network,
        config=config,
        replicate=replicate,
        level=0,  # One data order for all levels, so that they are paired with the dense network.
        ticket=ticket,
        train=leaving.train,
        first_step=leaving.first_step,
        keep=False,
    )


def ticket_digest(ticket: Ticket) -> str:
    """Returns the SHA-256 of a ticket's mask, weights, and whether what it lacks is trained."""
    sha = hashlib.sha256(b"released|" if ticket.released else b"")
    parts = {f"mask.{n}": to_bits(keep) for n, keep in ticket.mask.items()} | ticket.start
    for name, value in sorted(parts.items()):
        sha.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        sha.update(value.contiguous().numpy().data)
    return sha.hexdigest()


def junctions(found: Found, levels: Sequence[int]) -> tuple[Junction, dict[int, Junction]]:
    """Returns where the dense network and the tickets of levels leave the source.

    Raises:
        LttuneError: as ``tickets.walked`` does.
    """
    trunk = walked(found, {0, *levels})
    return trunk[0].junction, {level: trunk[level].junction for level in levels}


def imported(found: Found, dense: Junction, mask_file: Path, start: Path | None) -> Junction:
    """Returns the junction of a mask from a file.

    Args:
        found: the source's dense network.
        dense: where it leaves the source.
        mask_file: in any form that ``exchange.masks_in`` knows.
        start: a state dict that the survivors start from; None is what the source rewinds to.

    Raises:
        LttuneError: if a file cannot be read or does not fit the network.
    """
    held = found.config.pruned
    if held != "zero":
        raise ConfigError(f"pruned must be 'zero' in a study that a mask is taken to, got {held!r}")
    mask = masks_in(read(mask_file), str(mask_file)).of(found.network)
    if start is not None:
        weights = weights_in(read(start), found.network, str(start))
    elif found.config.rewind_step:
        weights = weights_of(found.cell, found.network, REWIND)
    else:
        weights = dense.initial
    return dataclasses.replace(dense, mask=mask, start=masks.apply(weights, mask))
