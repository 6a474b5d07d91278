"""Who is confirmed: the best trials and the base configuration, on replicates nobody was chosen by.

The best of many trials looks better than it is (the winner's curse): its lucky replicate is part of
why it was chosen. Its configuration is trained again, in full depth, beside the base configuration
and the best of the random control, all on the same fresh replicates, so that differences are
paired. Of a fair comparison it is the best of each value: "Adam against SGD" with each at the
learning rate that suits it, and with controls, because it asks for winning tickets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lttune.config.design.points import Role
from lttune.config.phase import PHASES, phase_names, phase_of
from lttune.records.best import FRONT, winners
from lttune.records.ledger import Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Study
from lttune.study.settings import MOST, StudyConfig

FRESH = MOST
"""First replicate id of the phases that confirm: no other phase counts that far."""


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """One configuration that is confirmed."""

    label: str
    """Where it comes from: "search trial 12", "tune trial 30 (sgd)" or "base"."""
    hparams: dict[str, Any]
    role: Role
    """fresh, or paper for the base configuration."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What a phase that confirms trains in a study.

    Of two such phases each has replicates of its own, so that the second tests anew what the first
    has found.
    """

    objective: ObjectiveConfig
    """By which the best are chosen."""
    replicates: int
    """Of each configuration, one a trial."""
    compared: str | None = None
    """Path whose values are compared; the best of each is confirmed."""
    controls: tuple[str, ...] = ()
    """Trained beside each ticket."""
    at_most: int = 0
    """Trials that the phase may need, before its winners are known."""

    @classmethod
    def of(cls, config: StudyConfig, study: Study) -> Confirmation:
        """Returns what the settings ask for."""
        points = study.points_of(config)
        chosen = [PHASES[name] for name in _chosen_from() if name in config.phases]
        tuned = [p for phase in chosen if phase.is_tuning for p in points[phase.name]]
        values = {point.hparams.get(study.compared or "") for point in tuned}
        whole = sum(phase.best_of == "phase" for phase in chosen)
        each = 1 if len(config.objective.measures) == 1 else FRONT
        arms = each * (len(values) + whole) + 1
        return cls(
            objective=config.objective,
            replicates=config.confirm_replicates,
            compared=study.compared,
            controls=config.controls if tuned else (),
            at_most=arms * config.confirm_replicates,
        )

    def is_due(self, ledger: Ledger) -> bool:
        """Whether the winners are known: no other candidate is to come."""
        return not any(map(ledger.pending, _chosen_from()))

    def add_missing(self, ledger: Ledger, phase: str) -> None:
        """Adds the trials that the winners so far lack, and counts what makes a phase complete.

        Trials of earlier winners stay: a search that grew may have another one.

        Args:
            ledger: of a study whose other phases have ended (``is_due``).
            phase: one that confirms, and is run.
        """
        used = {r for t in ledger.trials if t.phase != phase for r in t.replicates}
        last = FRESH + self.replicates + len(used)
        fresh = [r for r in range(FRESH, last) if r not in used][: self.replicates]
        known = {trial.label for trial in ledger.of(phase)}
        # Replicate by replicate, so that an early look has every configuration once.
        for replicate in fresh:
            for arm in self._arms(ledger):
                name = f"{arm.label} replicate={replicate}"
                if name not in known:
                    controls = list(self.controls)
                    ledger.add(phase, name, arm.hparams, [replicate], controls, arm.role)
        ledger.planned[phase] = len(ledger.of(phase))

    def _arms(self, ledger: Ledger) -> Iterator[Confirmed]:
        for phase in _chosen_from():
            for value, trials in self._rivals(ledger.of(phase)).items():
                for trial in winners(trials, self.objective):
                    label = f"{phase} trial {trial.number}{value and f' ({value})'}"
                    yield Confirmed(label=label, hparams=trial.hparams, role="fresh")
        yield Confirmed(label="base", hparams={}, role="paper")

    def _rivals(self, trials: list[Trial]) -> dict[str, list[Trial]]:
        """Returns the trials of a phase by the value that is compared; "" if none is."""
        found: dict[str, list[Trial]] = {}
        for trial in trials:
            tuned = phase_of(trial.phase).is_tuning and self.compared
            value = str(trial.hparams[self.compared]) if tuned and self.compared else ""
            found.setdefault(value, []).append(trial)
        return found


def _chosen_from() -> tuple[str, ...]:
    return phase_names(lambda phase: phase.best_of)
