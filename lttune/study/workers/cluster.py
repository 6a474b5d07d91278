"""The Ray cluster of a study: one of this machine alone, or one that is joined."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services, utils, worker

from lttune.config.signals import Interrupted, interrupts_kept
from lttune.errors import ResourceError
from lttune.records.capacity import capacity
from lttune.store.files import refused_write
from lttune.store.sockets import make_private, require_short_names, sessions_folder
from lttune.study.checks.address import check_address
from lttune.study.settings import StudyConfig
from lttune.study.workers.complaints import keep_complaints

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Of its state, which is never read back, Tune would write all trials again and again.
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    # As many may start at once as our limiter allows, which grows with the cluster: Tune asks once.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    # A trial that failed reports its error and no accuracy for a scheduler to judge by.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Ours stops the study at once; Tune's would wait for the level in training.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Workers stay in the driver's folder, so that a relative path means the same everywhere.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def require_cluster(config: StudyConfig) -> None:
    """Checks that a Ray can start here, or that the cluster that it would find by itself answers.

    Ray (2.60) would try for half a minute to reach one that has gone, and print lines of its own.

    Raises:
        ResourceError: if none can start, there is none, or it does not answer as ``check_address``
            asks.
    """
    if config.has_own_ray:
        require_short_names()
        _require_place_of_token()
    if config.address != "auto" or "://" in os.environ.get("RAY_ADDRESS", ""):
        return  # An address is checked with the settings; one of Ray's client is Ray's to reach.
    try:
        address = services.canonicalize_bootstrap_address("auto")
    except (ConnectionError, ValueError) as error:
        text = f"no Ray cluster answers at address 'auto': {_first_line(error)}"
        raise ResourceError(text) from error
    check_address(address)


def _require_place_of_token() -> None:
    """Checks that Ray (2.60) can keep its token where it does, or that it need make none.

    Raises:
        ResourceError: naming the variable, its rule and its value.
    """
    asked, named = os.environ.get("RAY_AUTH_MODE", "token"), os.environ.get("RAY_AUTH_TOKEN")
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if asked.lower() != "token" or named or token.is_file():
        return
    home = Path.home()
    place = next(one for one in (home / ".ray", home, *home.parents) if os.path.lexists(one))
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise ResourceError(
            "HOME must be a folder that can be written to, in which Ray keeps its token "
            f"(.ray/auth_token), got {str(home)!r}; start with HOME=FOLDER, a folder of your own"
        )


def start_ray(config: StudyConfig) -> dict[str, Any]:
    """Starts Ray on this machine or joins a cluster; returns its resources.

    A Ray of this machine alone listens on the loopback address, which no other machine reaches, and
    takes what this job may use of the machine (``capacity``). No other user can reach the folder of
    its sockets and logs.

    Raises:
        ResourceError: if the cluster does not answer or lacks what a trial needs.
        StorageError: if a disk is full, or nothing is left for sockets.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    own = _own_ray() if config.has_own_ray else None
    try:
        with interrupts_kept(), _loopback_only() if own else contextlib.nullcontext():
            ray.init(
                address="local" if own else config.address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **(own or {}),
            )
    except SystemExit as end:
        # What Ray, which takes SIGTERM for itself while it starts, makes of that.
        raise Interrupted(signal.SIGTERM) from end
    # A node that does not come up in 30 s, on a machine that is too busy, is a bare ``Exception``.
    except Exception as error:
        if refused := refused_write(error):
            raise refused from error
        raise ResourceError(_unanswered(config, error)) from error
    _keep_token_private()
    node: Any = worker._global_node
    if node is not None:  # A Ray of its client has none here.
        keep_complaints(Path(node.get_logs_dir_path()))
    resources = ray.cluster_resources()
    if config.device == "cuda" and not resources.get("GPU"):
        raise ResourceError("device must be cpu here: cuda was asked for, but Ray sees no GPU")
    return resources


def end_ray() -> None:
    """Ends this process's Ray, or leaves the cluster that it joined.

    Garbage is collected before and not meanwhile: if another thread, as MLflow's, frees a reference
    to an object while Ray (2.60) ends, Ray exits the whole process, with 1 and without a line.
    """
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        # Where no file can be opened, what came before says more.
        with contextlib.suppress(OSError):
            ray.shutdown()
    finally:
        if collects:
            gc.enable()


def _own_ray() -> dict[str, Any]:
    """Returns how a Ray of this machine alone is started."""
    options: dict[str, Any] = {"include_dashboard": False, **_share_of_job()}
    if folder := sessions_folder():
        make_private(folder.parent)
        options["_temp_dir"] = str(folder)
    return options


def _share_of_job() -> dict[str, Any]:
    """Returns the cores of a Ray of this machine, and its object store's bytes if a job has less.

    By itself Ray (2.60) looks at the outermost control group alone: not at affinity, the job's own
    group or Slurm. Of half a core it makes none, on which no trial would ever begin.
    """
    mine = capacity()
    whole = utils.estimate_available_memory()
    if mine.memory is None or mine.memory >= whole:
        return {"num_cpus": mine.cores}
    room = utils.resolve_object_store_memory(mine.memory)
    least = ray_constants.OBJECT_STORE_MINIMUM_MEMORY_BYTES
    return {"num_cpus": mine.cores, "object_store_memory": max(room, least)}


@contextlib.contextmanager
def _loopback_only() -> Iterator[None]:
    """Has a Ray that starts inside listen on the loopback address alone.

    So it does (2.60) on macOS and Windows, and by this setting of its own everywhere: else its
    processes listen on all addresses. Its environment variable is read at Ray's first import only.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _unanswered(config: StudyConfig, error: Exception) -> str:
    """Returns why there is no Ray to run a study on, in a line."""
    if config.has_own_ray:
        return f"Ray cannot be started on this machine: {_first_line(error)}"
    if not (versions := _OTHER_VERSION.search(str(error))):
        told = f"no Ray cluster answers at address {config.address!r}: {_first_line(error)}"
        # A head that nobody told otherwise asks for a token (Ray 2.60), but no driver sends one.
        if "RAY_AUTH_MODE" not in os.environ:
            told += "; if it asks for a token, start the study with RAY_AUTH_MODE=token"
        return told
    ray_there, python_there, ray_here, python_here = versions.groups()
    return (
        f"the cluster at address {config.address!r} has Ray {ray_there} and Python {python_there}, "
        f"the driver Ray {ray_here} and Python {python_here}: run it with the cluster's"
    )


_OTHER_VERSION = re.compile(
    r"Version mismatch:.*?Ray: (\S+)\s+Python: (\S+).*?Ray: (\S+)\s+Python: (\S+)", re.DOTALL
)
"""What Ray (2.60) says where its version, or Python's, is another than that of the cluster's head.
Nodes of other versions it does not let join."""


def _keep_token_private() -> None:
    """Ray writes its token readable by everybody (2.60); only its owner should read it."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if token.is_file():
        token.chmod(stat.S_IRUSR | stat.S_IWUSR)
