"""Ray Tune behind a study: start Ray, run the trials, pass every level on.

Ray decides where and when a trial runs and repeats it when a process or machine dies. Its own state
files are scratch: they are written under the study's folder and never read back.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lttune.data import Dataset
from lttune.errors import ResourceError, StorageError
from lttune.halving import SearchHalving
from lttune.ledger import Ledger, Trial
from lttune.search import StudySearcher
from lttune.settings import StudyConfig
from lttune.trainable import LotteryTrainable

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A trial that failed reports its error and no accuracy for a scheduler to judge by.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Ours stops the study at once; Tune's would wait for the level in training.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Workers stay in the driver's folder, so that a relative path means the same everywhere.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM; ``exit_code`` is 130 or 143."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_code = 128 + signum


class Listener(Protocol):
    """Who wants to know what the trials do."""

    def started(self, trial: Trial) -> None:
        """A trial begins, or begins again after a machine died."""

    def level(self, trial: Trial, report: Mapping[str, Any]) -> None:
        """A trial finished a level."""

    def failed(self, trial: Trial, traceback: str) -> None:
        """A trial raised; ``ended`` follows."""

    def ended(self, trial: Trial) -> None:
        """A trial ended; its state and objective are set."""


class _Bridge(tune.Callback):
    """Turns Tune's events into the ledger's states and tells the listener."""

    def __init__(self, ledger: Ledger, searcher: StudySearcher, listener: Listener) -> None:
        self._ledger, self._searcher, self._listener = ledger, searcher, listener
        self._trials: dict[str, Trial] = {}
        self._began: dict[int, float] = {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Notes the start."""
        mine = self._trials[trial.trial_id] = self._searcher.trial_of(trial.trial_id)
        self._began[mine.number] = time.monotonic()
        self._listener.started(mine)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Passes a level on."""
        mine = self._trials[trial.trial_id]
        if "error" in result:
            mine.error = result["error"]
            self._listener.failed(mine, result["traceback"])
            return
        if values := result.get("values"):
            mine.objective, mine.values = values[0], list(values)
        self._listener.level(mine, result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial reported its last level, its own failure, or was stopped by a scheduler."""
        mine = self._trials[trial.trial_id]
        if mine.error is None and mine.values is None:
            self._end(mine, "stopped")
        else:
            self._end(mine, "failed" if mine.error else "complete")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's process or machine died more often than Ray repeats it."""
        mine = self._trials[trial.trial_id]
        mine.error = mine.error or "its worker died; out of memory is the usual cause"
        self._end(mine, "failed")

    def _end(self, trial: Trial, state: Any) -> None:
        trial.state = state
        trial.seconds = time.monotonic() - self._began[trial.number]
        # The records first: a driver killed in between repeats the trial, and reads its networks
        # from the store.
        self._listener.ended(trial)
        self._ledger.save()

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its callbacks into a file that lttune never reads.
        return {}


def start_ray(config: StudyConfig) -> dict[str, Any]:
    """Starts Ray on this machine or joins a cluster; returns its resources.

    Raises:
        ResourceError: if the cluster does not answer or lacks what a trial needs.
        StorageError: if a node cannot reach the cell store.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    local = config.address in (None, "local")
    try:
        ray.init(
            address="local" if local else config.address,
            include_dashboard=False if local else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    # A node that does not come up in 30 s, on a machine that is too busy, is a bare ``Exception``.
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        where = f"no Ray cluster answers at address {config.address!r}"
        what = "Ray cannot be started on this machine" if local else where
        raise ResourceError(f"{what}: {reason}") from error
    _keep_token_private()
    resources = ray.cluster_resources()
    if config.device == "cuda" and not resources.get("GPU"):
        raise ResourceError("device must be cpu here: cuda was asked for, but Ray sees no GPU")
    _check_store(config.store.absolute())
    return resources


def _keep_token_private() -> None:
    """Ray writes its token readable by everybody (2.60); only its owner should read it."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if token.is_file():
        token.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _check_store(store: Path) -> None:
    """Has every other node see a mark of this one in the store, and write there too."""
    mark = store / f".mark-{os.getpid()}"
    mark.write_text("")
    here = ray.get_runtime_context().get_node_id()
    try_it = ray.remote(num_cpus=0)(_trouble_with)
    try:
        for node in ray.nodes():
            if node["Alive"] and node["NodeID"] != here:
                place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                asked = try_it.options(scheduling_strategy=place).remote(str(mark))
                try:
                    trouble = ray.get(asked, timeout=30)
                except GetTimeoutError:
                    trouble = "does not answer about"
                if trouble:
                    raise StorageError(
                        f"out must be a folder that every node reaches: node "
                        f"{node['NodeManagerAddress']} {trouble} {store}"
                    )
    finally:
        mark.unlink()


def _trouble_with(mark: str) -> str:
    """Returns what this node cannot do with the folder of the mark; empty if nothing."""
    if not Path(mark).exists():
        return "does not see"
    try:
        own = Path(f"{mark}.{os.getpid()}")
        own.write_text("")
        own.unlink()
    except OSError:
        return "cannot write to"
    return ""


def run_trials(
    config: StudyConfig,
    ledger: Ledger,
    searcher: StudySearcher,
    datasets: Mapping[str, Dataset],
    listener: Listener,
    concurrent: int,
    engine: str,
) -> None:
    """Runs every trial that the searcher hands out, at most ``concurrent`` at once.

    Raises:
        Interrupted: at SIGINT or SIGTERM; networks in training are lost, finished ones kept.
    """
    trainable = tune.with_parameters(
        LotteryTrainable,
        datasets=datasets,
        store=str(config.store.absolute()),
        seed=config.seed,
        device=config.device,
        engine=engine,
        objective=config.objective,
    )
    # Some trials share a GPU; none needs more than one.
    share = min(1.0, ray.cluster_resources().get("GPU", 0.0) / concurrent)
    gpus = {"gpu": share} if config.device == "cuda" else {}
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1, **gpus}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            scheduler=SearchHalving(config.objective) if config.asha else None,
            max_concurrent_trials=concurrent,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name=f"run-{time.time_ns()}",
            storage_path=str((config.folder / "ray").absolute()),
            verbose=0,
            callbacks=[_Bridge(ledger, searcher, listener)],
            failure_config=tune.FailureConfig(max_failures=2),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    tuner.fit()


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['trial']:03d}"


def on_interrupt(action: Callable[[int], None]) -> Callable[[], None]:
    """Calls ``action`` at SIGINT and SIGTERM; returns what puts the old handlers back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    signals = (signal.SIGINT, signal.SIGTERM)
    old = {s: signal.signal(s, lambda signum, frame: action(signum)) for s in signals}

    def restore() -> None:
        for signum, handler in old.items():
            signal.signal(signum, handler)

    return restore
