"""What mlflow.sh is given wrongly, or what it finds in its way, is one line and an exit code."""

from __future__ import annotations

import socket
import subprocess

import pytest
from answering import free_port
from team_mlflow import OWNER, QUOTED, SCRIPT, Team, lacking, postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "all is there"),
]

MISTAKES = {
    "no database": ({"MLFLOW_BACKEND_STORE_URI": "postgresql://x@127.0.0.1:1/m"}, "refused", 5),
    "sqlite": ({"MLFLOW_BACKEND_STORE_URI": "sqlite:///x.db"}, "must be postgresql://", 2),
    "no address": ({"MLFLOW_BACKEND_STORE_URI": "postgresql"}, "must be postgresql://", 2),
    "short": ({"MLFLOW_AUTH_ADMIN_PASSWORD": "short"}, "12 characters or more", 2),
    "no port": ({"MLFLOW_PORT": "http"}, "MLFLOW_PORT must be a number", 2),
    "no host": ({"MLFLOW_HOST": "host.invalid"}, "nothing can listen at host.invalid", 5),
    "no folder": ({"MLFLOW_TEAM_FOLDER": "/dev/null/x"}, "cannot be written to", 5),
    "no python": ({"PYTHON": "pythonx"}, "there is no pythonx", 2),
}


@pytest.fixture(scope="module")
def database():
    with postgres() as server:
        yield server


def refused(team: Team, problem: str, code: int, *words: str, **env: str) -> None:
    done = team.script(*words, **env)
    (line,) = done.stderr.splitlines()
    assert line.startswith("mlflow.sh: error: ")
    assert problem in line
    assert QUOTED not in line
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, database, tmp_path):
    env, problem, code = MISTAKES[name]
    team = Team(folder=tmp_path / "t", database=database.uri(), port=free_port())
    refused(team, problem, code, **env)


def test_what_the_database_refuses_is_one_line(database, tmp_path):
    def given(uri: str) -> Team:
        return Team(folder=tmp_path / "t", database=uri, port=free_port())

    refused(given(database.uri().replace(QUOTED, "wrong")), "password authentication failed", 5)
    refused(given(database.uri("none")), 'database "none" does not exist', 5)
    database.sql("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = database.uri().replace(f"{OWNER}:{QUOTED}", "guest:guest")
    refused(given(guest), "guest may not make tables: createdb --owner=guest", 5)


def test_a_port_that_is_taken_is_one_line(database, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        team = Team(folder=tmp_path / "t", database=database.uri(), port=port)
        refused(team, f"nothing can listen at 127.0.0.1, port {port}", 5)


def test_the_admin_keeps_the_password_of_the_first_start(database, tmp_path):
    team = Team(folder=tmp_path / "t", database=database.uri(), port=free_port())
    given = {"MLFLOW_AUTH_ADMIN_PASSWORD": "50% of a password"}
    # Checked and written, and then there is no such MLflow to start.
    team.script(**given, MLFLOW_WORKERS="none")
    assert team.login("admin") == ("admin", "50% of a password")
    refused(team, "the admin has another one", 2, MLFLOW_AUTH_ADMIN_PASSWORD="another-password")


def test_words_that_are_no_command_are_one_line(database, tmp_path):
    team = Team(folder=tmp_path / "t", database=database.uri(), port=free_port())
    refused(team, "no server was ever started", 2, "user", "dora")
    refused(team, "what is 'users x'?", 2, "users", "x")
    refused(team, "mlflow.sh share needs a name", 2, "share", "digits")
    shown = team.script("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("MLflow for a team")
    assert "#" not in shown.stdout


def test_it_is_shell():
    subprocess.run(["bash", "-n", SCRIPT], check=True)
