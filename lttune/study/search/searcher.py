"""Which trial comes next: the planned ones first, then those that were not known beforehand.

Our own Tune ``Searcher``; ``docs/decisions.md`` says why Ray's OptunaSearch is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray.tune.search import Searcher

from lttune.config import LotteryConfig
from lttune.config.phase import Origin, Phase, phase_names, phase_of
from lttune.records.ledger import Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.store.failpoint import reach
from lttune.study.declared import Space
from lttune.study.phases.confirmation import Confirmation
from lttune.study.phases.planned import phase_config
from lttune.study.search.proposals import Proposals, random_values


class StudySearcher(Searcher):
    """Hands the ledger's waiting trials to Tune, then adds others until every phase is complete.

    Args:
        ledger: the trials so far; others are added to it.
        base: configuration that a trial's hyperparameters override.
        space: what the search varies.
        objective: the objective and its directions.
        sampler: a name of ``proposals.SAMPLERS``.
        seed: root of the proposals and of the control's draws.
        replicates: replicates of a trial of the search, and of its control.
        confirmation: whom the phases that confirm others train.
        control_densities: where controls are trained; empty is at every level.
    """

    def __init__(
        self,
        ledger: Ledger,
        base: LotteryConfig,
        space: Space,
        objective: ObjectiveConfig,
        *,
        sampler: str,
        seed: int,
        replicates: int,
        confirmation: Confirmation,
        control_densities: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.ledger, self.base, self.objective, self.space = ledger, base, objective, dict(space)
        self.proposals = Proposals(base, space, objective, sampler, seed)
        self._seed, self._replicates = seed, replicates
        self._confirmation = confirmation
        self._control_densities = tuple(control_densities)
        self._by_ray_id: dict[str, Trial] = {}
        self._more: dict[Origin, Callable[[str], Trial | None]] = {
            "proposed": self._propose,
            "drawn": self._draw,
            "winners": self._confirm,
        }
        own = phase_names(lambda phase: phase.is_proposed)
        self.proposals.remember([trial for trial in ledger.trials if trial.phase in own])

    def suggest(self, trial_id: str) -> Any:
        """Returns the next trial's configuration (a dict), None for not yet, or ``FINISHED``."""
        trial = self._waiting() or self._added()
        if trial is None:
            return None if self._more_to_come() else Searcher.FINISHED
        if phase_of(trial.phase).is_proposed:
            self.proposals.resume(trial)
        trial.state, trial.objective, trial.values = "running", None, None
        reach("trial.proposed")
        self.ledger.save()
        self._by_ray_id[trial_id] = trial
        # The worker joins the two: values that do not go together then fail their trial alone.
        return {
            "trial": trial.number,
            "phase": trial.phase,
            "lottery": phase_config(trial.phase, self.base, self.objective).nested(),
            "hparams": trial.hparams,
            "replicates": trial.replicates,
            "controls": trial.controls,
            "control_densities": self._control_densities,
        }

    def _waiting(self) -> Trial | None:
        active = self.ledger.active
        return next(
            (t for t in self.ledger.trials if t.state == "waiting" and t.phase in active), None
        )

    def _added(self) -> Trial | None:
        """Returns a trial of the first phase that has another one by now."""
        return next(filter(None, (self._more[p.origin](p.name) for p in self._growing())), None)

    def _growing(self) -> list[Phase]:
        """Returns the phases of this run whose trials are not known beforehand."""
        active = [phase_of(name) for name in self.ledger.active]
        return [phase for phase in active if phase.origin in self._more]

    def _room(self, phase: str) -> bool:
        return len(self.ledger.of(phase)) < self.ledger.planned[phase]

    def _propose(self, phase: str) -> Trial | None:
        """Adds the search's next trial, once there is a whole design to learn from."""
        awaited = phase_names(lambda other: other.is_awaited)
        if not self._room(phase) or any(map(self.ledger.pending, awaited)):
            return None
        self.proposals.learn(self.ledger)
        index, number = len(self.ledger.of(phase)), len(self.ledger.trials)
        return self._add(phase, self.proposals.propose(index, number))

    def _draw(self, phase: str) -> Trial | None:
        """Adds the control's next trial: also while the search waits, so that no core does."""
        if not self._room(phase):
            return None
        return self._add(phase, random_values(self.space, self._seed, len(self.ledger.of(phase))))

    def _add(self, phase: str, params: Mapping[str, Any]) -> Trial:
        return self.ledger.add(phase, label(params), params, list(range(self._replicates)), [])

    def _confirm(self, phase: str) -> Trial | None:
        if not self._confirmation.is_due(self.ledger):
            return None
        self._confirmation.add_missing(self.ledger, phase)
        return self._waiting()

    def _more_to_come(self) -> bool:
        """Whether the end of a running trial will make room for another one."""
        return any(
            not self._confirmation.is_due(self.ledger) if phase.confirms else self._room(phase.name)
            for phase in self._growing()
        )

    def trial_of(self, trial_id: str) -> Trial:
        """Returns the ledger's entry of a Ray trial."""
        return self._by_ray_id[trial_id]

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Shows the search a level."""
        self.proposals.show(self.trial_of(trial_id).number, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells the search how a trial ended."""
        result = result or {}
        # Tune withholds the last result of a trial from ``on_trial_result``.
        self.on_trial_result(trial_id, result)
        trial = self._by_ray_id.pop(trial_id)
        self.proposals.tell(trial.number, result, failed=error or "error" in result)

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing: the searcher is rebuilt from the ledger."""

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles the searcher into a file that lttune never reads.
        return {}


def label(params: Mapping[str, Any]) -> str:
    """Returns hyperparameters as people read them: "lr=0.0012 batch_size=60 fc1=0.2"."""
    return " ".join(
        f"{path.rpartition('.')[2]}={value:.3g}"
        if isinstance(value, float)
        else f"{path.rpartition('.')[2]}={value}"
        for path, value in params.items()
    )
