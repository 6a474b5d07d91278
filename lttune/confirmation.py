"""Who is confirmed: the best trials and the base configuration, on replicates nobody was chosen by.

The best of many trials looks better than it is (the winner's curse): its lucky replicate is part of
why it was chosen. Its configuration is trained again, in full depth, beside the base configuration
and the best of the random control, all on the same fresh replicates, so that differences are
paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lttune.design.points import Role
from lttune.ledger import Ledger
from lttune.objectives import ObjectiveConfig
from lttune.settings import MOST, SEARCHING
from lttune.winners import winners

FRESH = MOST
"""First replicate id of the phase: no other phase counts that far."""
ORIGINS = SEARCHING[:2]
"""Phases whose best trials are confirmed."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One configuration that is confirmed."""

    label: str
    """Where it comes from: "search trial 12", "random trial 30" or "base"."""
    hparams: dict[str, Any]
    role: Role
    """fresh, or paper for the base configuration."""


def is_due(ledger: Ledger) -> bool:
    """Whether the phase is run and the winners are known: nothing of the others is to come."""
    return "confirm" in ledger.active and not any(ledger.pending(phase) for phase in ORIGINS)


def add_missing(ledger: Ledger, target: ObjectiveConfig, replicates: int) -> None:
    """Adds the trials that the winners so far lack, and counts what makes the phase complete.

    Trials of earlier winners stay: a search that grew may have another one.

    Args:
        ledger: of a study whose other phases have ended (``is_due``).
        target: by which the best are chosen.
        replicates: of each configuration.
    """
    used = {r for t in ledger.trials if t.phase != "confirm" for r in t.replicates}
    fresh = [r for r in range(FRESH, FRESH + replicates + len(used)) if r not in used][:replicates]
    known = {trial.label for trial in ledger.of("confirm")}
    # Replicate by replicate, so that an early look has every configuration once.
    for replicate in fresh:
        for arm in _arms(ledger, target):
            name = f"{arm.label} replicate={replicate}"
            if name not in known:
                ledger.add("confirm", name, arm.hparams, [replicate], [], arm.role)
    ledger.planned["confirm"] = len(ledger.of("confirm"))


def at_most(phases: tuple[str, ...], target: ObjectiveConfig, replicates: int) -> int:
    """Returns how many trials the phase may need before its winners are known.

    Args:
        phases: that are run.
        target: by which the best are chosen.
        replicates: of each configuration.
    """
    each = 1 if len(target.measures) == 1 else 3
    return (each * len({*ORIGINS} & {*phases}) + 1) * replicates


def _arms(ledger: Ledger, target: ObjectiveConfig) -> Iterator[Arm]:
    for origin in ORIGINS:
        for trial in winners(ledger.of(origin), target):
            label = f"{origin} trial {trial.number}"
            yield Arm(label=label, hparams=trial.hparams, role="fresh")
    yield Arm(label="base", hparams={}, role="paper")
