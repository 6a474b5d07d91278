"""Which trial comes next: the planned ones first, then those that were not known beforehand.

Our own Tune ``Searcher``; ``docs/decisions.md`` says why Ray's OptunaSearch is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray.tune import Stopper
from ray.tune.search import Searcher

from lttune.config import LotteryConfig
from lttune.config.fields import settings_text
from lttune.config.phase import Origin, Phase, phase_names, phase_of
from lttune.records.ledger import Ledger, Trial
from lttune.records.objectives import ObjectiveConfig
from lttune.store.failpoint import reach
from lttune.study.declared import Space, Study
from lttune.study.phases.confirmation import Confirmation
from lttune.study.phases.limit import TimeLimit
from lttune.study.phases.planned import phase_config, trial_positions
from lttune.study.search.proposals import Proposals, random_values
from lttune.study.settings import StudyConfig


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
        ahead: trials of the search that its next proposal knows nothing of (``Proposals``).
        control_densities: where controls are trained; empty is at every level.
        limit: what still fits into the time of this run; None if it has all the time it needs.
        drawn: phase that chance draws -> which of its draws are those of this run, in the order of
            its trials; all for a phase that it does not have.
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
        ahead: int,
        control_densities: Sequence[float] = (),
        limit: TimeLimit | None = None,
        drawn: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.limit = limit
        self.ledger, self.base, self.objective, self.space = ledger, base, objective, dict(space)
        self.proposals = Proposals(base, space, objective, sampler, seed, ahead)
        self._seed, self._replicates = seed, replicates
        self._confirmation = confirmation
        self._control_densities, self._drawn = tuple(control_densities), dict(drawn or {})
        self._by_ray_id: dict[str, Trial] = {}
        self._lotteries: dict[str, dict[str, Any]] = {}
        self._more: dict[Origin, Callable[[str], Trial | None]] = {
            "proposed": self._propose,
            "winners": self._confirm,
        }
        for name in phase_names(lambda phase: phase.is_drawn and phase.name in ledger.active):
            self._draw(name)

    @classmethod
    def of(
        cls, ledger: Ledger, config: StudyConfig, study: Study, limit: TimeLimit | None = None
    ) -> StudySearcher:
        """Returns the searcher that settings ask for."""
        return cls(
            ledger,
            config.lottery,
            study.space,
            config.objective,
            sampler=config.sampler,
            seed=config.seed,
            replicates=config.search_replicates,
            confirmation=Confirmation.of(config, study),
            control_densities=config.control_densities,
            ahead=config.search_ahead,
            limit=limit,
            drawn={
                name: trial_positions(phase_of(name), config, study)
                for name in phase_names(
                    lambda phase: phase.is_drawn and phase.name in ledger.active
                )
            },
        )

    def suggest(self, trial_id: str) -> Any:
        """Returns the next trial's configuration (a dict), None for not yet, or ``FINISHED``."""
        # Who waits for nobody comes last: it keeps the cores busy that others would let wait.
        trial = self._waiting() or self._added() or self._waiting(is_drawn=True)
        if trial is None:
            return None if self._more_to_come() else Searcher.FINISHED
        if phase_of(trial.phase).is_proposed:
            self.proposals.catch_up(self.ledger, trial.phase)
        ends_after = trial.ends_after if trial.rebuilt else None
        trial.state, trial.objective, trial.values = "running", None, None
        reach("trial.proposed")
        self.ledger.note(trial)
        self._by_ray_id[trial_id] = trial
        # The worker joins the two: values that do not go together then fail their trial alone.
        return {
            "trial": trial.number,
            "phase": trial.phase,
            "lottery": self._lottery_of(trial.phase),
            "hparams": trial.hparams,
            "replicates": trial.replicates,
            "controls": trial.controls,
            "control_densities": self._control_densities,
            "rebuilt": trial.rebuilt,
            "ends_after": ends_after,
        }

    def _lottery_of(self, phase: str) -> dict[str, Any]:
        """Returns the fields that the trials of a phase override; made once, Tune copies them."""
        if phase not in self._lotteries:
            lottery = phase_config(phase, self.base, self.objective)
            self._lotteries[phase] = lottery.nested()
        return self._lotteries[phase]

    def _waiting(self, is_drawn: bool = False) -> Trial | None:
        """Returns the first waiting trial of the phases that are drawn, or that are not."""
        active = self.ledger.active
        phases = {name for name in active if phase_of(name).is_drawn is is_drawn}
        return next(filter(self._fits, self.ledger.waiting(phases)), None)

    def _fits(self, trial: Trial) -> bool:
        return self.limit is None or self.limit.fits(trial)

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
        """Adds the search's next trial, once all has ended that it may know of."""
        if not self._room(phase) or not self.proposals.is_ready(self.ledger, phase):
            return None
        if self.limit is not None:
            # What was proposed and does not fit comes first the next time.
            waits = self.ledger.count("waiting", phase=phase) > 0
            if waits or not self.limit.fits_one_more(phase, self._replicates):
                return None
        trial = self._add(phase, self.proposals.propose(self.ledger, phase))
        return trial if self._fits(trial) else None

    def _draw(self, phase: str) -> None:
        """Adds all trials of the control, so that their numbers are those of any other run."""
        planned = self.ledger.planned[phase]
        draws = self._drawn.get(phase, range(planned))
        for index in draws[len(self.ledger.of(phase)) : planned]:
            self._add(phase, random_values(self.space, self._seed, index))

    def _add(self, phase: str, params: Mapping[str, Any]) -> Trial:
        return self.ledger.add(
            phase, settings_text(params), params, list(range(self._replicates)), []
        )

    def _confirm(self, phase: str) -> Trial | None:
        if not self._confirmation.is_due(self.ledger):
            return None
        self._confirmation.add_missing(self.ledger, phase)
        return self._waiting()

    def _more_to_come(self) -> bool:
        """Whether the end of a running trial will make room for another one, or for itself anew.

        One that never began waits again, and a level that was fast may show that more fits than was
        thought; who is told that nothing comes never asks again.
        """
        is_any_running = self.ledger.count("running") > 0
        if self.limit is not None or is_any_running:
            return is_any_running
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
        if self.limit is not None and self.trial_of(trial_id).number in self.limit.put_off:
            return
        # Tune withholds the last result of a trial from ``on_trial_result``.
        self.on_trial_result(trial_id, result)
        number = self.trial_of(trial_id).number
        self.proposals.tell(number, result, failed=error or "error" in result)

    def wait_again(self, trial: Trial) -> None:
        """Has a trial that was told to have failed handed out once more: it never began."""
        self.proposals.forget(trial.number)
        trial.state = "waiting"
        self.ledger.note(trial)

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing: the ledger is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Reads nothing: the searcher is rebuilt from the ledger."""

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles the searcher into a file that lttune never reads.
        return {}


class InTime(Stopper):
    """Has Tune end the trials whose next level would not fit into the time of a run."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._searcher = searcher

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Returns whether a trial is ended after this level."""
        limit = self._searcher.limit
        return limit is not None and limit.ends(self._searcher.trial_of(trial_id), result)

    def stop_all(self) -> bool:
        """Returns False: each trial is ended at a level of its own."""
        return False

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles it into a file that lttune never reads.
        return {}
