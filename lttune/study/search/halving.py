"""Which trials of the search are stopped early: Ray's asynchronous successive halving (ASHA).

Li et al. (2020), A System for Massively Parallel Hyperparameter Tuning. Trials with other pruning
fractions have other densities at the same level, and accuracy falls with density; so a trial is
judged at fixed depths, by its accuracy there, linear in depth between its levels. By an objective
of one's own it is judged by what that says of the levels until then, in the same way.
"""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from lttune.config.phase import phase_of
from lttune.records.interpolation import interpolated
from lttune.records.objectives import ObjectiveConfig, density_at, depth


class SearchHalving(AsyncHyperBandScheduler):
    """Stops the worse half of the search's trials at each depth; other trials always go on.

    Args:
        objective: the objective. Trials are judged at a quarter and at half of the depth that it
            reads: by validation accuracy, for ticket_density by what of it is lost since the dense
            network, which is what that objective reads; for one's own by its number so far.
    """

    def __init__(self, objective: ObjectiveConfig) -> None:
        deepest = depth(objective.floor)
        self._milestones = (deepest / 4, deepest / 2)
        super().__init__(
            time_attr="depth",
            metric="judged",
            mode="max",
            grace_period=self._milestones[0],  # pyright: ignore[reportArgumentType]
            reduction_factor=2,
            max_t=self._milestones[1],  # pyright: ignore[reportArgumentType]
            stop_last_trials=False,
        )
        self._relative = objective.name == "ticket_density"
        # What is judged is made larger where it is better.
        self._sign = -1.0 if objective.is_own and objective.directions[0] == "minimize" else 1.0
        self._column = "so_far" if objective.is_own else "val_accuracy"
        self._curves: dict[str, dict[float, float]] = {}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Judges a trial at the depths that lie between its last level and this one."""
        config = trial.config
        is_judged = phase_of(config["phase"]).is_proposed and not config.get("rebuilt")
        if not is_judged or "depth" not in result:
            return TrialScheduler.CONTINUE
        # By depth: a trial that Ray repeats after a machine died replays levels seen before.
        curve = self._curves.setdefault(trial.trial_id, {})
        last, now = max(curve, default=-1.0), result["depth"]
        curve[now] = self._sign * result[self._column]
        for milestone in self._milestones:
            if last < milestone <= now:
                judged = {"depth": milestone, "judged": self._at(milestone, curve)}
                if super().on_trial_result(tune_controller, trial, judged) == TrialScheduler.STOP:
                    return TrialScheduler.STOP
        return TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Lets the others be judged by the depths that a trial's last level passed."""
        self.on_trial_result(tune_controller, trial, result)

    def _at(self, milestone: float, curve: dict[float, float]) -> float:
        densities, accuracies = [density_at(d) for d in curve], list(curve.values())
        found = float(interpolated(densities, accuracies, [density_at(milestone)])[0])
        return found - accuracies[0] if self._relative else found

    def save(self, checkpoint_path: str) -> None:
        """Writes nothing: Ray's state files are scratch."""
