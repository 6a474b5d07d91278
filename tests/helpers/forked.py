"""Processes of their own, forked from one that has imported everything and does nothing else.

To import takes longer than what they do. A fork of the tests' own process would have the locks of
its threads without the threads, and dies by chance where a library takes one.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        *("lttune.study.conductor", "lttune.study.tracking.mirror", "sklearn.datasets"),
        *("mlflow.store.tracking.sqlalchemy_workspace_store", "alembic.command"),
        *("analysis.report.write", "warm_kernels", "micro_study", "dying_mirror"),
    ]
)


def forked(target: Callable[..., None], *given: Any) -> BaseProcess:
    """Starts a function of an importable module in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        # Python 3.11 does not tell the server of the path of who starts it.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process = _SERVER.Process(target=_run, args=(target, *given))
        process.start()
    return process


def _run(target: Callable[..., None], *given: Any) -> None:
    # Else each would look through all that was imported for garbage, and copy it by that.
    gc.freeze()
    target(*given)
