"""A PostgreSQL of a test, and on it the MLflow of a team as studies/cluster starts it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from answering import free_port

SCRIPT = Path(__file__).parents[2] / "studies" / "cluster" / "mlflow.sh"
OWNER, PASSWORD = "lttune", "p@ss%word/1"
"""Of the database. The password must be quoted in a URI, and again in a file of settings."""
QUOTED = "p%40ss%25word%2F1"
START_S = 180


def lacking() -> str:
    """Returns what there is not that a team's MLflow needs; empty if all is there."""
    if programs() is None:
        return "there is no PostgreSQL: on Debian, apt install postgresql"
    packages = {"flask_wtf": "mlflow[auth]", "psycopg2": "psycopg2-binary"}
    absent = [name for one, name in packages.items() if importlib.util.find_spec(one) is None]
    return f"pip install {' '.join(absent)}" if absent else ""


def programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, which Debian has in no path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "postgres").exists()), None)


def _other_user() -> dict[str, Any]:
    """Returns who is to run PostgreSQL, which refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {one.pw_name: one for one in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server that listens on this machine alone."""

    port: int
    programs: Path

    def uri(self, database: str = "mlflow") -> str:
        return f"postgresql://{OWNER}:{QUOTED}@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *words: str) -> str:
        """Runs one of PostgreSQL's programs as the owner; returns what it prints."""
        who = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": OWNER}
        env = {**os.environ, **who, "PGPASSWORD": PASSWORD}
        command = [self.programs / program, *words]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    def sql(self, text: str, database: str = "mlflow") -> list[list[str]]:
        said = self.run("psql", "-d", database, "-At", "-F", "|", "-c", text)
        return [line.split("|") for line in said.splitlines()]


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Runs a PostgreSQL with a database ``mlflow`` and a password, in a folder of its own."""
    folder, where, who = programs(), Path(tempfile.mkdtemp(prefix="lttune-pg-")), _other_user()
    assert folder is not None
    try:
        (where / "password").write_text(PASSWORD)
        if who:
            # Not in pytest's folder, which other users cannot enter.
            for path in (where, where / "password"):
                os.chown(path, who["user"], who["group"])
        place: dict[str, Any] = {"cwd": where, "stdout": subprocess.DEVNULL, **who}
        made = [
            folder / "initdb",
            "-D",
            where / "data",
            "-U",
            OWNER,
            "--pwfile",
            where / "password",
        ]
        made += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"]
        subprocess.run(made, check=True, stderr=subprocess.DEVNULL, **place)
        server = Postgres(port=free_port(), programs=folder)
        settings = {"port": server.port, "listen_addresses": "127.0.0.1", "fsync": "off"}
        command = [folder / "postgres", "-D", where / "data", "-k", where]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **place)
        try:
            _wait(lambda: server.run("pg_isready", "-t", "5"), process)
            server.run("createdb", "mlflow")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # It ends though clients are connected.
            process.wait(60)
    finally:
        shutil.rmtree(where)


@dataclass(frozen=True, kw_only=True)
class Team:
    """The folder of a team's MLflow, and what the script does with it."""

    folder: Path
    database: str
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def env(self, more: Mapping[str, str] = {}) -> dict[str, str]:
        named = {"MLFLOW_TEAM_FOLDER": str(self.folder), "MLFLOW_PORT": str(self.port)}
        named |= {"MLFLOW_BACKEND_STORE_URI": self.database, "PYTHON": sys.executable}
        return {**os.environ, **named, "MLFLOW_WORKERS": "2", **more}

    def script(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [SCRIPT, *words]
        env = self.env(more)
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    def login(self, name: str) -> tuple[str, str]:
        """Returns the name and the password that the script wrote for a user."""
        read = ConfigParser()
        read.read(self.folder / "users" / name)
        return tuple(read["mlflow"][f"mlflow_tracking_{one}"] for one in ("username", "password"))

    @contextlib.contextmanager
    def running(self, **more: str) -> Iterator[str]:
        """Runs the server; yields what it had printed when it answered."""
        log = self.folder.parent / "server.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [SCRIPT], env=self.env(more), stdout=out, stderr=out, start_new_session=True
            )
        try:
            _wait(self._answers, process)
            yield log.read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _answers(self) -> None:
        urllib.request.urlopen(f"{self.address}/health", timeout=5).close()


def _wait(answers: Any, process: subprocess.Popen[Any]) -> None:
    last = time.monotonic() + START_S
    while True:
        try:
            answers()
        except (OSError, urllib.error.URLError, subprocess.CalledProcessError):
            assert process.poll() is None, f"ended with {process.returncode}"
            assert time.monotonic() < last
            time.sleep(0.2)
        else:
            return
