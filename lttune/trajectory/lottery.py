"""The lottery: train, prune, rewind, and again (Frankle & Carbin 2019, section 2 and App. B)."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lttune.config import LotteryConfig
from lttune.config.seeding import stream
from lttune.errors import StorageError
from lttune.models import Network, masks
from lttune.models.masks import Weights
from lttune.pruning.criteria import evidence_of
from lttune.pruning.criteria.own import CRITERION, is_runnable, reads_examples
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import competing_groups, prune
from lttune.records.own import own_identity
from lttune.store.store import Stored
from lttune.trajectory import supermasks
from lttune.trajectory.lab import Lab
from lttune.trajectory.pretraining import initial_weights
from lttune.trajectory.snapshots import scored_weights, snapshot_steps
from lttune.trajectory.starts import RELEASED, Junction, start_weights, training_of
from lttune.trajectory.task import REWIND, Level, Task, Ticket, weights_of


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a walk wants trained next, and where the level's branches leave the trunk."""

    task: Task
    junction: Junction


def walk(config: LotteryConfig, replicate: int, lab: Lab) -> Generator[Step, Stored, None]:
    """Walks one replicate's trajectory: yields the network to train, is sent its cell, and so on.

    Whoever walks decides with whom a network is trained. Ends early at divergence.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    config = lab.by_steps(config)
    network = lab.network(config)
    levels, released = len(planned_densities(config, network)), config.pruned == RELEASED
    initial, pretrained = initial_weights(config, replicate, lab, network)
    mask = masks.ones(initial, network.prunable)
    identity = lab.identity(config, replicate)
    if pretrained is not None:
        identity["pretrained"] = pretrained
    junction = Junction(
        mask=mask,
        evidence=evidence_of(initial, mask, network),
        rewound=initial,
        dense=initial,
        dense_scored=initial,
        final=initial,
        config=config,
        rng=stream(lab.seed, replicate, "start"),
        start=initial,
        train=config.train,
        first_step=0,
    )
    if config.prune.step is not None:
        identity["prune_step"] = config.prune.step
    trained = scored = initial
    for level in range(levels):
        if level > 0:
            junction = _following(junction, trained, scored, replicate, level, lab, identity)
        task = Task(
            identity=identity,
            network=network,
            config=config,
            replicate=replicate,
            level=level,
            ticket=Ticket(mask=junction.mask, start=junction.start, released=released),
            train=junction.train,
            first_step=junction.first_step,
            snapshots=snapshot_steps(config, level),
            keep=True,
        )
        stored = yield Step(task=task, junction=junction)
        if stored.cell.record["measures"]["diverged"]:
            return
        trained = weights_of(stored.cell, network)
        scored = scored_weights(config, initial, trained, stored, network)
        if level == 0:
            rewound = weights_of(stored.cell, network, REWIND) if config.rewind_step else initial
            junction = dataclasses.replace(
                junction, dense=trained, dense_scored=scored, rewound=rewound
            )
            if config.method == "supermask" and levels > 1:
                yield _supermask(junction, replicate, lab, stored)
                return
        identity = {"trunk": stored.key, "level": level + 1, "prune": _rule(config, network)}


def _following(
    before: Junction,
    trained: Weights,
    scored: Weights,
    replicate: int,
    level: int,
    lab: Lab,
    identity: Mapping[str, Any],
) -> Junction:
    """Returns the junction of a level, given the one before and the weights trained there.

    The criterion sees the ``scored`` ones. Who reads a study with a criterion of one's own takes
    the mask of the level's network, by its identity, from the store: its code is not run.
    """
    config = before.config
    evidence = lab.evidence(config, replicate, level, before.initial, scored, before.mask)
    train, first_step = training_of(config, config.kept)
    final = {
        name: masks.mixed(before.mask[name], value, before.final[name])
        if name in before.mask
        else value
        for name, value in trained.items()
    }
    if is_runnable(config.prune.criterion):
        mask = prune(evidence, config.prune)
    else:
        mask = lab.stored_mask(identity, before.network)
    junction = dataclasses.replace(
        before,
        mask=mask,
        evidence=evidence,
        final=final,
        rng=stream(lab.seed, replicate, "start", level),
        train=train,
        first_step=first_step,
    )
    weights = start_weights(junction, config.kept, config.pruned)
    return dataclasses.replace(junction, start=weights)


def trajectories(
    config: LotteryConfig, replicates: Sequence[int], lab: Lab
) -> Iterator[list[Level]]:
    """Yields level after level of several replicates, each level's networks trained as one list.

    A replicate that diverged has no deeper levels; the others go on.

    Raises:
        ConfigError: if the configuration does not fit the network, before anything is trained.
    """
    walks = {replicate: walk(config, replicate, lab) for replicate in replicates}
    steps = {replicate: next(walking) for replicate, walking in walks.items()}
    while steps:
        found = dict(zip(steps, lab.train([step.task for step in steps.values()]), strict=True))
        following, lacking = dict[int, Step](), None
        for replicate, stored in found.items():
            try:
                following[replicate] = walks[replicate].send(stored)
            except StopIteration:
                continue
            except StorageError as error:  # The next mask is not there, and this level is.
                lacking = error
        yield [_level(s, found[r], r not in following and not lacking) for r, s in steps.items()]
        if lacking:
            raise lacking
        steps = following


def _level(step: Step, stored: Stored, last: bool) -> Level:
    """Returns a trained level; the ticket of a learned mask is known only now."""
    task, junction, ticket = step.task, step.junction, step.task.ticket
    if task.supermask:
        mask = supermasks.learned(stored, junction.network)
        ticket = Ticket(mask=mask, start=masks.apply(ticket.start, mask))
        junction = dataclasses.replace(junction, mask=mask, start=ticket.start)
    return Level(
        level=task.level,
        replicate=task.replicate,
        ticket=ticket,
        stored=stored,
        junction=junction,
        last=last,
    )


def _supermask(before: Junction, replicate: int, lab: Lab, dense: Stored) -> Step:
    """Returns the step that learns a mask on the initial weights."""
    config, network, initial = before.config, before.network, before.initial
    junction = dataclasses.replace(
        before,
        evidence=lab.evidence(config, replicate, 1, initial, before.dense, before.mask),
        rewound=initial,
        final=before.dense,
        rng=stream(lab.seed, replicate, "supermask", 1),
    )
    task = Task(
        # Nothing of the mask, but all that its controls depend on.
        identity={**supermasks.identity(config, network, dense), "prune": _rule(config, network)},
        network=network,
        config=config,
        replicate=replicate,
        level=1,
        ticket=Ticket(
            mask=before.mask, start=supermasks.fixed_weights(config, initial, network.prunable)
        ),
        train=supermasks.training(config),
        first_step=0,
        supermask=True,
        keep=True,
    )
    return Step(task=task, junction=junction)


def _rule(config: LotteryConfig, network: Network) -> dict[str, Any]:
    """Returns what determines the next level beside the level before: mask, start, course.

    Settings that change nothing here are left out, so that they split no cells.
    """
    rule: dict[str, Any] = {**own_identity(CRITERION, config.prune.criterion)}
    groups = competing_groups(config.prune, network.kinds)
    rule["groups"] = [[group.names, group.fraction] for group in groups]
    prune = config.prune
    if reads_examples(prune.criterion):
        rule["scoring_examples"] = prune.scoring_examples
    optional = {
        "structure": (prune.structure, "weight"),
        "rounds": (prune.rounds, 1),
        "one_shot": (prune.one_shot, None),
        "step": (prune.step, None),
        "share": (prune.share, 1.0),
        "rescale": (config.rescale, False),
        "kept": (config.kept, "rewind"),
        "pruned": (config.pruned, "zero"),
    }
    return rule | {name: value for name, (value, plain) in optional.items() if value != plain}
