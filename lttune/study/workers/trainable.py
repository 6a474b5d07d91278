"""What a Ray worker runs: one trial, one report a level.

The worker keeps its laboratory between trials (actor reuse): PyTorch is imported and the dataset is
mapped once. A class trainable, because ``setup`` is the place for what outlives a trial.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray import tune

from lttune.config import from_dict
from lttune.data import Dataset
from lttune.errors import StorageError
from lttune.models.own import use
from lttune.records.objectives import ObjectiveConfig, depth, objectives
from lttune.records.own import OwnCode
from lttune.store.files import refused_write
from lttune.store.remote.places import store_at
from lttune.study.workers.asked import leave_notes
from lttune.study.workers.cause import cause_of, to_mend
from lttune.study.workers.joined import JoiningTerms
from lttune.training import engines
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial, until_stopped


class LotteryTrainable(tune.Trainable):
    """Trains one trial's trajectories level by level.

    Every result holds ``level``, ``depth``, means over replicates, ``rows`` for the records and
    ``done``. The last one holds ``values``, the objective's numbers; where trials are stopped by an
    objective of one's own, each holds ``so_far``, its number of the levels until then. A trial that
    was stopped, and whose rows are made again, ends where it was stopped. An exception
    ends the trial with a result that carries its text as ``error``, the part of one's own that it
    came from as ``to_mend``, and what to do as ``refused`` where a disk takes nothing more: Ray
    repeats only what a dying process or machine broke, never a bug.
    """

    def setup(  # pyright: ignore[reportIncompatibleMethodOverride]  # with_parameters adds them.
        self,
        config: dict[str, Any],
        *,
        datasets: Mapping[str, Dataset],
        store: str,
        seed: int,
        device: str,
        engine: str,
        objective: ObjectiveConfig,
        stops: bool,
        run: str | None = None,
        codes: Sequence[OwnCode] = (),
        falls_back: bool = False,
        terms: JoiningTerms | None = None,
    ) -> None:
        """Makes the worker's laboratory, then its first trial.

        ``stops`` says whether Ray may stop a trial at any report: then no level is reported before
        it is on the disk. A worker that is asked to end leaves a note under the name ``run``; None
        leaves SIGTERM as it is. ``codes`` are of the parts of one's own. ``falls_back`` says
        whether the reference engine trains where the engine cannot be used, as on a node that
        joined later: its numerics keep these networks apart. A node that cannot run trials on the
        ``terms`` gets none: this raises, and Ray takes the worker for one that died.
        """
        if terms is not None:
            terms.require()
        if run is not None:
            leave_notes(run, lambda: self.trial_id)

        def laboratory() -> Lab:
            use(codes)
            mine = engines.working_here(engine, device) if falls_back else engine
            trained_by = engines.make(mine, device)
            engines.warm(mine)
            return Lab(datasets, trained_by, store_at(store, behind=not stops), seed, device)

        self.objective, self._laboratory, self._codes = objective, laboratory, codes
        self._is_judged = stops and objective.is_own
        self.lab: Lab | None = None
        # Raised here, Ray would see a worker that died and make another. The first step asks again,
        # and reports it.
        with contextlib.suppress(Exception):
            self.lab = laboratory()
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Starts another trial in this worker; True tells Ray that the worker can be reused."""
        self.levels = self._levels(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Trains the next level and returns its report."""
        try:
            return next(self.levels)
        except Exception as error:
            text = traceback.format_exc(limit=-4)
            # What cannot be written of this trial is not the next one's failure.
            with contextlib.suppress(StorageError):
                if self.lab is not None:
                    self.lab.store.settle()
            failed = {"error": cause_of(error, self._codes), "traceback": text, "done": True}
            failed["to_mend"] = to_mend(error, self._codes)
            refused = refused_write(error)
            return {**failed, "refused": str(refused)} if refused else failed

    def _levels(self, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
        # A damaged state file can make Ray start a trial with an empty config: refuse it here.
        if "lottery" not in config:
            raise RuntimeError("this trial was started without its configuration")
        lab = self.lab = self.lab or self._laboratory()
        lottery = from_dict(config["lottery"]).override(config["hparams"])
        rows: list[dict[str, Any]] = []
        found = run_trial(
            lottery,
            config["replicates"],
            config["controls"],
            lab,
            config["control_densities"],
        )
        for report, is_end in until_stopped(found, config.get("ends_after")):
            rows += report["rows"]
            report["depth"] = depth(report["density"])
            if is_end:
                lab.store.settle()
            if report["last"] or self._is_judged:
                values = objectives(rows, lab.examples(lottery.data).classes, self.objective)
                if self._is_judged:
                    report["so_far"] = values[0]
                if report["last"]:
                    report["values"] = values
            yield {**report, "done": is_end}
