"""Ray Tune behind a study: run the trials, pass every level on.

Ray decides where and when a trial runs and repeats it when a process or machine dies. Its own state
files are scratch: they are written under the study's folder and never read back.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.search import ConcurrencyLimiter

from lttune.data import Dataset
from lttune.errors import LttuneError, StorageError, causes, legible
from lttune.records.ledger import Ledger, Trial
from lttune.records.own import OwnCode
from lttune.store.failpoint import reach
from lttune.store.files import refused_write
from lttune.store.remote.places import absolute
from lttune.store.workplace import SCRATCH
from lttune.study.console.table import clock
from lttune.study.search.halving import SearchHalving
from lttune.study.search.searcher import InTime, StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.workers.asked import count_notes, forget_notes
from lttune.study.workers.cores import gpu_share
from lttune.study.workers.joined import JoinedNodes, terms_for
from lttune.study.workers.nodes import Agreement
from lttune.study.workers.trainable import LotteryTrainable
from lttune.study.workers.watchdog import Watchdog

SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
"""Variables that Tune (2.60) gives its workers through a log that all may read; none is needed."""
MOST_ASKED = 10
"""Times that a trial's workers may be asked to end before each counts as a failure."""
MOST_FAILURES = 2
"""Times that a trial whose worker dies is repeated."""


class Listener(Protocol):
    """Who wants to know what the trials do."""

    def started(self, trial: Trial) -> None:
        """A trial begins, or begins again after a machine died."""

    def level(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """A trial finished a level."""

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised; ``ended`` follows."""

    def told(self, text: str) -> None:
        """A person should read this line."""

    def put_off(self, trial: Trial) -> None:
        """A trial was ended for want of time or of its node; it waits."""

    def ended(self, trial: Trial) -> None:
        """A trial ended; its state and objective are set."""


class _Bridge(tune.Callback):
    """Turns Tune's events into the ledger's states and tells the listener."""

    def __init__(
        self,
        ledger: Ledger,
        searcher: StudySearcher,
        listener: Listener,
        run: str,
        joined: JoinedNodes | None = None,
    ) -> None:
        self._ledger, self._searcher, self._listener = ledger, searcher, listener
        self._run, self._joined = run, joined
        self._trials: dict[str, Trial] = {}
        self._began: dict[int, float] = {}
        self._watchdog = Watchdog()
        self._asked_to_end: dict[str, int] = {}
        self._never_began = Counter[int]()
        self._over: list[Any] = []

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Notes the start."""
        self._start(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Passes a level on."""
        mine = self._trials[trial.trial_id]
        rows = result.get("rows", ())
        self._watchdog.reported(mine.number, any(not row["reused"] for row in rows))
        if "refused" in result:
            # Every other trial would meet it too: this one waits until there is room again.
            raise StorageError(result["refused"])
        if "error" in result:
            # What it says may hold the name of any file; it must be readable in the ledger.
            mine.error = legible(result["error"])
            if result["to_mend"] is not None:
                self._ledger.to_mend[mine.number] = result["to_mend"]
            self._listener.failed(mine, result["traceback"])
            return
        if values := result.get("values"):
            mine.objective, mine.values = values[0], list(values)
        self._listener.level(mine, result)
        # Tune keeps the last result of every trial, and writes all of them again and again.
        for rows in ("rows", "layers"):
            result.pop(rows, None)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial reported its last level, its own failure, or was stopped by a scheduler."""
        mine = self._trials[trial.trial_id]
        self._over.append(trial)
        limit = self._searcher.limit
        if limit is not None and mine.number in limit.put_off:
            self._watchdog.ended(mine.number)
            mine.state = "waiting"
            self._listener.put_off(mine)
            self._ledger.note(mine)
        elif mine.error is None and mine.values is None:
            self._end(mine, "stopped")
        else:
            self._end(mine, "failed" if mine.error else "complete")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process or machine died more often than Ray repeats it."""
        mine = self._trials.get(trial.trial_id)
        if self._is_of_unfit_node():
            if mine is not None:
                self._watchdog.ended(mine.number)
                self._listener.put_off(mine)
            self._searcher.wait_again(mine or self._searcher.trial_of(trial.trial_id))
            return
        if mine is None:
            # Ray (2.60) neither calls a trial started whose worker never was, nor repeats it.
            mine = self._searcher.trial_of(trial.trial_id)
            self._never_began[mine.number] += 1
            if self._never_began[mine.number] <= MOST_FAILURES:
                self._searcher.wait_again(mine)
                return
            self._start(trial)
        self._over.append(trial)
        mine.error = mine.error or "its worker died; out of memory is the usual cause"
        self._end(mine, "failed")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial whose worker died will begin again."""
        if mine := self._trials.get(trial.trial_id):
            self._watchdog.ended(mine.number)
        # A worker that was asked to end, as on a machine that is given back, failed in nothing.
        asked = count_notes(self._run, trial.trial_id)
        if self._is_of_unfit_node():
            trial.run_metadata.num_failures -= 1
        elif self._asked_to_end.get(trial.trial_id, 0) < asked <= MOST_ASKED:
            self._asked_to_end[trial.trial_id] = asked
            trial.run_metadata.num_failures -= 1

    def _is_of_unfit_node(self) -> bool:
        """Returns whether a worker that died may have been one of a node that cannot run trials."""
        return self._joined is not None and self._joined.has_unfit()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ends the workers that hang: Ray repeats their trials as of those that died."""
        self._over = [trial for trial in self._over if not _is_forgotten(trial)]
        if self._joined is not None:
            self._joined.look_after()
        silent = self._watchdog.silent()
        for trial in trials if silent else ():
            mine = self._trials.get(trial.trial_id)
            if mine and mine.number in silent and (actor := trial.temporary_state.ray_actor):
                lasted = clock(silent[mine.number])
                text = f"{mine.name}: no level for {lasted}: its worker is ended, it begins anew"
                self._listener.told(text)
                ray.kill(actor)

    def _start(self, trial: Any) -> Trial:
        mine = self._trials[trial.trial_id] = self._searcher.trial_of(trial.trial_id)
        self._began[mine.number] = time.monotonic()
        if self._searcher.limit is not None:
            self._searcher.limit.began(mine)
        self._watchdog.began(mine.number)
        self._listener.started(mine)
        return mine

    def _end(self, trial: Trial, state: Any) -> None:
        self._watchdog.ended(trial.number)
        trial.state = state
        if not trial.rebuilt:  # To read its networks takes no time that says what it took.
            trial.seconds = time.monotonic() - self._began[trial.number]
        # The records first: a driver killed in between repeats the trial, and reads its networks
        # from the store.
        self._listener.ended(trial)
        reach("trial.recorded")
        self._ledger.note(trial)

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks into a file that lttune never reads.
        return {}


def run_trials(
    config: StudyConfig,
    ledger: Ledger,
    searcher: StudySearcher,
    datasets: Mapping[str, Dataset],
    listener: Listener,
    concurrent: int,
    agreed: Agreement,
    codes: Sequence[OwnCode] = (),
) -> None:
    """Runs every trial that the searcher hands out, ``concurrent`` at once until nodes join.

    The code of parts of one's own travels to the workers, which may be on other machines.

    Raises:
        StorageError: if a disk takes nothing more, be it of a worker.
        Interrupted: at SIGINT, SIGTERM or SIGHUP; networks in training are lost, others kept.
    """
    class_cache.ENV_VARS_TO_PROPAGATE.difference_update(SECRETS)
    name, nodes = f"run-{time.time_ns()}", agreed.nodes
    scratch = (config.folder / SCRATCH).absolute()
    with contextlib.ExitStack() as ending:
        joins = None if nodes is None else terms_for(config, agreed.engine, nodes, agreed.needed)
        terms = None if joins is None else ending.enter_context(joins)
        limiter = ConcurrencyLimiter(searcher, max_concurrent=concurrent)

        def widen(cores: float) -> None:
            most = max(1, int(cores))
            limiter.set_max_concurrency(min(config.max_concurrent or most, most))

        joined = None if terms is None else JoinedNodes(terms, listener.told, widen, agreed)
        if not config.has_own_ray:  # Its head ends too, or has: who asks one that died is ended.
            ending.callback(forget_notes, name)
        trainable = tune.with_parameters(
            LotteryTrainable,
            datasets=datasets,
            codes=codes,
            falls_back=config.engine == "auto" and not config.has_own_ray,
            store=absolute(config.cells),
            seed=config.seed,
            device=config.device,
            engine=agreed.engine,
            objective=config.objective,
            stops=config.asha,
            run=name,
            terms=terms,
        )
        gpus = {}
        if config.device == "cuda":
            gpus["gpu"] = gpu_share(ray.cluster_resources().get("GPU", 0.0), concurrent)
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1, **gpus}),
            tune_config=tune.TuneConfig(
                search_alg=limiter,
                num_samples=-1,
                scheduler=SearchHalving(config.objective) if config.asha else None,
                reuse_actors=True,
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(scratch),
                verbose=0,
                stop=InTime(searcher),
                callbacks=[_Bridge(ledger, searcher, listener, name, joined)],
                failure_config=tune.FailureConfig(max_failures=MOST_FAILURES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except Exception as error:
            # Tune wraps what a callback raises, and what it meets itself at a disk that is full.
            ours = next((one for one in causes(error) if isinstance(one, LttuneError)), None)
            raise ours or refused_write(error) or error from None


def _is_forgotten(trial: Any) -> bool:
    """Returns whether a trial has ended; gives up the 80 kB that Tune (2.60) keeps of it."""
    if not trial.is_finished():
        return False
    known = trial.run_metadata
    known.metric_analysis, known.metric_n_steps = {}, {}
    known.last_result = {"done": True}  # Without any, Tune would ask the worker for one.
    trial.config.clear()  # Tune has it by two names.
    vars(trial).update(evaluated_params={}, experiment_tag="")
    return True


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['trial']:03d}"
