"""Drivers of studies in processes of their own: what signals, terminals and kills do to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import digits_study
import psutil

HELPERS = Path(__file__).parent
BRIEF = ("--phases", "anchor", "--replicates", "1", "--controls", "random", "--max-concurrent", "1")
"""Flags of a study of a single trial."""

WITHOUT_RAY = """
import sys
from digits_study import STUDY, report
from lttune.study.main import main
from one_process import one_process
with one_process():
    sys.exit(main(STUDY, report, ""))
"""
"""A study script whose trials this process runs."""


def script(code: str, *flags: str, **options: Any) -> subprocess.Popen[str]:
    """Starts Python code with a command line of its own, in a session of its own.

    Hang-ups are what they are by default, also where the tests run under nohup. ``options`` are
    those of ``Popen``; ``env`` is added to this environment.
    """
    paths = [str(HELPERS.parents[1]), str(HELPERS), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    options = {"preexec_fn": default_hangup, **pipes, **options}
    options["env"] = env | options.get("env", {})
    return subprocess.Popen([sys.executable, "-c", code, *flags], text=True, **options)


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Returns the lines that a process prints before one that is a word."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        if line == f"{word}\n":
            return lines
        lines.append(line)
    raise AssertionError((lines, process.communicate()))


def default_hangup() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Driver:
    """A driver of the study on digits, and all processes that it started."""

    def __init__(self, flags: list[str], cwd: Path, home: Path) -> None:
        ours = ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED", "MLFLOW_LOGGING_LEVEL")
        users = {name: value for name, value in os.environ.items() if name not in ours}
        self.process = subprocess.Popen(
            [sys.executable, digits_study.__file__, *flags],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=default_hangup,
            env={**users, "HOME": str(home)},
        )

    def wait_for(self, happened: Callable[[], bool]) -> None:
        while not happened():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def family(self) -> list[psutil.Process]:
        """Returns the driver's descendants."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def named(self, name: str) -> list[psutil.Process]:
        """Returns the driver's descendants of a name."""
        return [one for one in self.family() if _name_of(one) == name]

    def stop(
        self, send: Callable[[int, int], None], signum: int, within_s: float = 30
    ) -> tuple[int, str, str]:
        """Sends a signal; returns exit code, stdout and stderr once no process is left.

        Those that the driver started must be gone ``within_s`` seconds after it.
        """
        family = self.family()
        send(self.process.pid, signum)
        out, err = self.process.communicate(timeout=60)
        _, alive = psutil.wait_procs(family, timeout=within_s)
        assert [one.as_dict(["name", "cmdline"]) for one in alive] == []
        return self.process.returncode, out, err


def listening(family: list[psutil.Process]) -> Iterator[tuple[str, str, int]]:
    """Yields name, address and port of every socket of some processes that takes connections."""
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            for socket in one.net_connections(kind="inet"):
                if socket.status == psutil.CONN_LISTEN:
                    yield one.name(), socket.laddr.ip, socket.laddr.port


def _name_of(process: psutil.Process) -> str:
    """Returns the name of a process, empty if it has ended meanwhile."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""
