"""Independent computations at once, in processes of their own: they hold Python's lock too long.

Processes are started by their command and not by ``multiprocessing``, which forks a process that
has threads, or runs the user's file a second time. One thread of BLAS in each: so many cores, so
many processes, and the same last digits on any number of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lttune.records.capacity import capacity

T = TypeVar("T")

MOST_PROCESSES = 8
"""Processes at most: each has some 300 MB of imports."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_LOG = logging.getLogger(__name__)


def in_turn(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Returns what each call returns, one after the other in this process."""
    return [call() for call in calls]


class Processes:
    """Processes that compute for this one; they end with the ``with`` that they are made in.

    Args:
        count: how many; None is as many as this process may use cores. With one, nothing is
            started.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = min(capacity().cores if count is None else count, MOST_PROCESSES)
        self._own = threading.local()
        self._started: list[subprocess.Popen[bytes]] = []
        self._is_over = False
        self._threads = ThreadPoolExecutor(max(self._count, 1), "lttune-processes")

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        for process in self._started:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._started:
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(OSError):
                    stream.close()

    def all(self, calls: Sequence[Callable[[], T]], told: str) -> list[T]:
        """Returns what each call returns, in their order.

        Args:
            calls: each can be pickled, and so can what it returns.
            told: what they are, for who waits.

        Raises:
            Exception: what the first of them raises that does.
        """
        return list(self._each(calls, told))

    def _each(self, calls: Sequence[Callable[[], T]], told: str) -> Iterator[T]:
        if self._count < 2 or len(calls) < 2:
            found = (call() for call in calls)
        else:
            futures = [self._threads.submit(self._computed, call) for call in calls]
            found = (future.result() for future in futures)
        for number in range(len(calls)):
            _LOG.info("%s (%d of %d)", told, number + 1, len(calls))
            yield next(found)

    def _computed(self, call: Callable[[], T]) -> T:
        """Returns what a call returns in the process of this thread.

        Where there is none, because it was killed or cannot be started, it is computed here.
        """
        try:
            process = self._process()
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump(call, process.stdin)
            process.stdin.flush()
            is_well, found = pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            if self._is_over:
                raise
            return call()
        if not is_well:
            raise found
        return found

    def _process(self) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if self._is_over:
            raise EOFError
        if process is None:
            root = str(Path(__file__).parent.parent)
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}
            process = self._own.process = subprocess.Popen(
                # Not with this folder's files before the packages', and no Ctrl-C of this one's.
                [sys.executable, "-P", "-m", "analysis.processes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            self._started.append(process)
        return process


def serve() -> None:
    """Computes what another process asks for, until that has ended."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What is printed is no answer.
    while True:
        answer: tuple[bool, Any]
        try:
            call = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, call()
        except Exception as error:
            answer = False, error
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
