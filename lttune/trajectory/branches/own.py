"""A control by its name: a row of the table, or a function of one's own.

One's own says which weights survive, what they start from, or both. All else is the ticket's: data
order, steps, what pruned weights hold.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lttune.config.own import OWN_FORM, is_own_code
from lttune.errors import listed, quoted, unknown
from lttune.models import Network
from lttune.models.masks import Mask, Weights, copies, surviving
from lttune.models.own.draws import seeded
from lttune.models.own.given import given_tensor, is_real
from lttune.records.own import OwnPart, known_part
from lttune.trajectory.branches import BRANCHES, WITH_BARRIER, Branch
from lttune.trajectory.branches.departure import Departure
from lttune.trajectory.starts import Junction, holding, start_weights

CONTROL_SETTING = "controls"
"""The setting that names controls."""
PARTS_GIVEN = ("mask", "start")
"""What a control of one's own may give."""


@dataclass(frozen=True, kw_only=True)
class BranchPoint:
    """All that a control of one's own may look at, in copies that it may change.

    All of it follows from the key of the ticket that the control is trained beside.
    """

    mask: Mask
    """Which weights survive in the ticket."""
    initial: Weights
    """Dense weights at initialisation."""
    rewound: Weights
    """Dense weights at ``rewind_step``; ``initial`` if that is 0."""
    dense: Weights
    """Weights at the end of the dense training."""
    trained: Weights
    """Each weight at the end of the last training that it survived to."""
    start: Weights
    """What the ticket starts from, what its pruned weights hold included."""
    network: Network
    rng: np.random.Generator
    """Stream of the control's own draws."""


def control_of(name: str) -> Branch:
    """Returns what a control trains, as a function of where it leaves the trunk.

    Raises:
        ConfigError: if there is none of that name, or it is one's own and was not made known.
    """
    if not is_own_code(name):
        if name not in BRANCHES:
            raise unknown("control", name, (*BRANCHES, OWN_FORM))
        return BRANCHES[name]
    part = known_part(CONTROL_SETTING, name)
    return lambda at: _departure_of(part, at)


def has_code(name: str) -> bool:
    """Returns whether a control can leave: of one's own, whether its code is here."""
    return not is_own_code(name) or known_part(CONTROL_SETTING, name).is_here


def keeps_weights(name: str) -> bool:
    """Returns whether the store keeps the end weights of a control, and so its mask."""
    return name in WITH_BARRIER or is_own_code(name)


def purpose_of(name: str) -> str:
    """Returns the purpose of the stream that a control draws from (``lttune.config.seeding``).

    That of one's own stays where it is when its file is moved.
    """
    return f"{CONTROL_SETTING}:{name.rpartition(':')[2]}" if is_own_code(name) else name


def branch_identity(name: str) -> dict[str, str]:
    """Returns what of a control is in the identity of what it trains, beside the ticket's key."""
    if not is_own_code(name):
        return {"branch": name}
    source = known_part(CONTROL_SETTING, name).source
    return {"branch": name.rpartition(":")[2], "branch_source": source}


def stored_departure(at: Junction, mask: Mask) -> Departure:
    """Returns a control of which only the mask is known, for who reads a study without its code.

    What it started from is not known; the ticket's own start stands there, and nothing is trained.
    """
    return Departure(mask=mask, start=at.start, train=at.train, first_step=at.first_step)


def _departure_of(part: OwnPart, at: Junction) -> Departure:
    """Returns what a function of one's own wants trained, looked at.

    What it draws of PyTorch's generator is the same whenever a level is reached.

    Raises:
        ConfigError: if it raises an error, or what it gives cannot be trained beside the ticket.
    """
    shown = BranchPoint(
        mask=copies(at.mask),
        initial=copies(at.initial),
        rewound=copies(at.rewound),
        dense=copies(at.dense),
        trained=copies(at.final),
        start=copies(at.start),
        network=at.network,
        rng=at.rng,
    )
    # Its own stream is handed over as the table's controls get theirs: nothing was drawn from it.
    with seeded(int(copy.deepcopy(at.rng).integers(2**63))):
        found: Any = part.called(shown)
    is_given = isinstance(found, Mapping) and bool(found) and {*found} <= {*PARTS_GIVEN}
    if not is_given:
        told = [*found] if isinstance(found, Mapping) else found
        part.refuse(f'must return a mapping with "mask", "start" or both, got {quoted(told)}')
    if "mask" in found:
        at = dataclasses.replace(at, mask=_mask_of(part, found["mask"], at.mask))
    if "start" in found:
        start = holding(at, _start_of(part, found["start"], at), at.config.pruned)
    else:
        start = start_weights(at, at.config.kept, at.config.pruned)
    return Departure(mask=at.mask, start=start, train=at.train, first_step=at.first_step)


def _mask_of(part: OwnPart, found: Any, ticket: Mask) -> Mask:
    """Returns the mask that a function gave: as many weights as the ticket has survive."""
    _require_names(part, "mask", found, ticket)
    mask: Mask = {}
    for name, keep in ticket.items():
        kind = f"give a bool tensor as the mask of {name}"
        whole = f"give a mask of the shape of {name}"
        given = given_tensor(part, found[name], keep.shape, _is_bool, kind, whole)
        mask[name] = given.detach().cpu().contiguous().clone()
    wanted, got = surviving(ticket), surviving(mask)
    if got != wanted:
        rule = f"must leave as many weights as the ticket has, {wanted:,} in all layers together"
        part.refuse(f"{rule}, got {got:,}")
    return mask


def _start_of(part: OwnPart, found: Any, at: Junction) -> Weights:
    """Returns the weights that a function gave; those outside the mask are not looked at."""
    _require_names(part, "start", found, at.initial)
    weights: Weights = {}
    for name, value in at.initial.items():
        kind = f"start {name} from a tensor of real numbers"
        whole = f"start {name} from a tensor of its shape"
        given = given_tensor(part, found[name], value.shape, is_real, kind, whole)
        weights[name] = given.detach().to("cpu", value.dtype).contiguous().clone()
        read = weights[name][at.mask[name]] if name in at.mask else weights[name]
        if not read.isfinite().all():
            part.refuse(f"must start from finite numbers, got another one in {name}")
    return weights


def _is_bool(given: Tensor) -> bool:
    return given.dtype == torch.bool


def _require_names(part: OwnPart, what: str, found: Any, known: Mapping[str, Tensor]) -> None:
    if not isinstance(found, Mapping):
        part.refuse(f'must give "{what}" by the names of tensors, got {quoted(found)}')
    if found.keys() != known.keys():
        wanted, got = listed(list(known)), listed(list(found)) or "none"
        part.refuse(f'must give "{what}" for the tensors {wanted}, got {got}')
