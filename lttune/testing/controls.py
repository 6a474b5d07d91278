"""What every control must do: those of the table and one's own."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lttune.config import (
    LotteryConfig,
    TargetConfig,
    TrainConfig,
)
from lttune.config.control import TRUNK, branch_name
from lttune.config.seeding import stream
from lttune.models.masks import surviving
from lttune.records.own import use_named
from lttune.testing.evidences import NORMED, SMALL_NETWORK, digits_evidence
from lttune.testing.expected import expect, global_draws_untouched
from lttune.testing.trained import SMALL_TRAJECTORY, reports_of
from lttune.trajectory.branches.own import CONTROL_SETTING, control_of, purpose_of
from lttune.trajectory.starts import HOLDS, Junction, start_weights, training_of

CONTROL_NETWORKS = (SMALL_NETWORK, NORMED, "conv-2")
"""Networks that controls are checked on."""
TRUNK_WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"rewind_step": 5},
    {"kept": "continue"},
    {"pruned": "freeze"},
)
"""Ways in which a trunk goes on that controls leave."""
BRANCH_LEVEL = 3
"""The level at which controls leave where nothing is trained."""


def check_control(name: str) -> None:
    """Checks everything that is asked of a control.

    Args:
        name: as one of ``controls``: of the table, FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, raises an error, or gives what cannot be trained.
    """
    use_named(CONTROL_SETTING, name)
    for network in CONTROL_NETWORKS:
        for way in TRUNK_WAYS:
            check_departure(name, network, way)
        check_branch_repeats(name, network)
        check_leaves_trunk(name, network)
        check_draws(name, network)
    check_control_trains(name)


def digits_junction(name: str, network: str = SMALL_NETWORK, **changes: Any) -> Junction:
    """Returns a half pruned trunk on digits where a control leaves it.

    Args:
        name: of the control, for its stream.
        network: its architecture.
        changes: of the trunk's configuration.
    """
    found = digits_evidence(network)
    config = LotteryConfig(
        levels=BRANCH_LEVEL,
        model=found.network.config,
        train=TrainConfig(steps=100, eval_every=10),
        target=TargetConfig(lr=0.01),
    ).override(changes)
    train, first_step = training_of(config, config.kept)
    # All of them differ, so that none is taken for another.
    rewound, dense, final = (
        {n: v + share * (found.trained[n] - v) for n, v in found.initial.items()}
        for share in (0.1, 0.8, 0.9)
    )
    at = Junction(
        mask=found.mask,
        evidence=found,
        rewound=rewound if config.rewind_step else found.initial,
        dense=dense,
        dense_scored=dense,
        final=final,
        config=config,
        rng=stream(0, 0, "start", BRANCH_LEVEL),
        train=train,
        first_step=first_step,
        end={n: -v for n, v in final.items()},
    )
    at = dataclasses.replace(at, start=start_weights(at, config.kept, config.pruned))
    return dataclasses.replace(at, rng=stream(0, 0, purpose_of(name), BRANCH_LEVEL))


def check_departure(name: str, network: str, way: Mapping[str, Any]) -> None:
    """Checks that as many weights survive, from finite numbers, beside what pruned ones hold."""
    at = digits_junction(name, network, **way)
    wanted, found = surviving(at.mask), control_of(name)(at)
    expect([*found.mask] == [*at.mask], f"{name} must give a mask of {[*at.mask]}")
    for tensor, keep in found.mask.items():
        plain = (keep.shape, keep.dtype) == (at.mask[tensor].shape, torch.bool)
        expect(plain, f"{name} must give a bool mask of the shape of {tensor}")
    got = surviving(found.mask)
    expect(got == wanted, f"{name} must leave {wanted} weights, got {got}")
    expect(found.start.keys() == at.initial.keys(), f"{name} must give a start of {[*at.initial]}")
    held = HOLDS[at.config.pruned](dataclasses.replace(at, mask=found.mask))
    for tensor, value in found.start.items():
        plain = (value.shape, value.dtype) == (at.initial[tensor].shape, at.initial[tensor].dtype)
        expect(plain, f"{name} must start {tensor} from a tensor of its shape and type")
        expect(bool(value.isfinite().all()), f"{name} must start {tensor} from finite numbers")
        if tensor in found.mask and found.pruned is None:
            gone = ~found.mask[tensor]
            same = torch.equal(value[gone], held[tensor][gone])
            expect(same, f"{name} must leave pruned weights of {tensor} at what they hold")


def check_branch_repeats(name: str, network: str) -> None:
    """Checks that equal streams give equal bits, and that no global generator is moved."""
    places = [digits_junction(name, network) for _ in range(2)]
    with global_draws_untouched(name):
        one, two = map(control_of(name), places)
    same = _equal_tensors(one.mask, two.mask) and _equal_tensors(one.start, two.start)
    expect(same, f"{name} must give the same whenever it is asked with an equal stream")


def check_leaves_trunk(name: str, network: str) -> None:
    """Checks that a control changes nothing of the trunk that it leaves."""
    at = digits_junction(name, network)
    fields = ("mask", "initial", "rewound", "dense", "final", "start", "end")
    given = {field: getattr(at, field) for field in fields} | {"trained": at.evidence.trained}
    before = copy.deepcopy(given)
    control_of(name)(at)
    for field, values in before.items():
        same = _equal_tensors(given[field], values)
        expect(same, f"{name} must leave {field} of the trunk as it was")


def check_draws(name: str, network: str) -> None:
    """Checks that a control that draws gives something else with another stream."""
    at = digits_junction(name, network)
    before = copy.deepcopy(at.rng.bit_generator.state)
    one = control_of(name)(at)
    if str(at.rng.bit_generator.state) == str(before):
        return
    another = dataclasses.replace(at, rng=stream(1, 0, purpose_of(name), BRANCH_LEVEL))
    two = control_of(name)(another)
    same = _equal_tensors(one.mask, two.mask) and _equal_tensors(one.start, two.start)
    expect(not same, f"{name} must give something else with another stream, from which it draws")


def check_control_trains(name: str) -> None:
    """Checks that a trajectory runs from end to end, and is the same when it is run again."""
    config = SMALL_TRAJECTORY.override({"target.lr": 0.01})
    branch, runs = branch_name(name), list[dict[tuple[str, int], dict[str, Any]]]()
    for _ in range(2):
        rows = [row for report in reports_of(config, [name]) for row in report["rows"]]
        runs.append({(row["branch"], row["level"]): row for row in rows})
    for level in range(1, config.levels + 1):
        trained = [rows.get((branch, level)) for rows in runs]
        expect(None not in trained, f"{name} must be trained at level {level}")
        one, two = (row for row in trained if row is not None)
        ticket = runs[0][TRUNK, level]
        expect(not one["diverged"], f"{name} must leave what can train")
        expect(
            one["surviving"] == ticket["surviving"],
            f"{name} must have the ticket's {ticket['surviving']} weights at level {level}, got "
            f"{one['surviving']}",
        )
        same = all(one[column] == two[column] for column in ("cell", "val_loss", "surviving"))
        expect(same, f"{name} must give the same networks when a study is run again")


def _equal_tensors(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )
