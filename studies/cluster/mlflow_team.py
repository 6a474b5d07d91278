"""What mlflow.sh leaves to Python: checks before a start, files of secrets, users and their rights.

    python mlflow_team.py FOLDER prepare | user NAME... | share STUDY NAME...

Needs MLflow's packages alone. Each mistake is one line and exit code 2, or 5 where the machine, the
database or the server cannot do what is asked.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import http.client
import importlib.util
import json
import os
import re
import secrets
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow_files import TroubleError, ini, kept, login, login_file, write

DATABASE = "postgresql:///mlflow?host=/var/run/postgresql"
ADMIN = "admin"
LEAST_PASSWORD = 12
"""Characters that MLflow asks of a password."""
CACHE_S = 60
"""Seconds for which each process takes a login for good that was: to check one takes 50 ms. For as
long a password that was changed still works in the others."""
PACKAGES = {
    "mlflow": "'mlflow[auth]'",
    "flask_wtf": "'mlflow[auth]'",
    "psycopg2": "psycopg2-binary",
}


def prepare(folder: Path, env: Mapping[str, str]) -> None:
    """Checks all that a start needs, and writes the files that the server reads."""
    require_packages()
    make_private(folder)
    given = env.get("MLFLOW_BACKEND_STORE_URI") or kept(folder / "database") or DATABASE
    # SQLAlchemy's own choice of a driver is another one in each of its versions.
    database = re.sub("^postgresql:", "postgresql+psycopg2:", given)
    require_database(database)
    host, port = env["MLFLOW_HOST"], env["MLFLOW_PORT"]
    require_port(host, port)
    password = admin_password(folder / "users" / ADMIN, env.get("MLFLOW_AUTH_ADMIN_PASSWORD"))
    if not kept(folder / "secret-key"):
        write(folder / "secret-key", secrets.token_urlsafe(32))
    settings = {
        # Nobody reads what others have unless it was given to them: a study can be shared, but
        # what was read cannot be taken back.
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database,
        "admin_username": ADMIN,
        "admin_password": password,
        "auth_cache_ttl_seconds": str(CACHE_S),
    }
    write(folder / "auth.ini", ini(settings))
    write(folder / "database", database)
    place = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    address = f"http://{f'[{place}]' if ':' in place else place}:{port}"
    write(folder / "address", address)
    print(f"MLflow: {address}, the admin's login is in {folder / 'users' / ADMIN}", flush=True)
    if host not in ("127.0.0.1", "::1", "localhost"):
        text = "passwords travel readable to all of the network unless a TLS proxy is before it"
        print(f"mlflow.sh: {host} is no loopback address: {text}", file=sys.stderr, flush=True)


def add(folder: Path, *names: str) -> None:
    """Adds users, each with a password of its own, which only a file of mode 600 has."""
    for name in names:
        add_one(folder, name)


def add_one(folder: Path, name: str) -> None:
    """Adds one of them; a user that is there, with the file, stays as it is."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", name, re.ASCII) or name == ADMIN:
        raise TroubleError(f"{name!r} is no name of a user: letters, digits, '.', '_' and '-'")
    file = folder / "users" / name
    is_new = not file.exists()
    if is_new:
        # Before the user: nobody has a password that is not written down.
        write(file, login_file(name, secrets.token_urlsafe(18)))
    try:
        named = dict(zip(("username", "password"), login(file), strict=True))
        call(folder, "POST", "2.0/mlflow/users/create", named)
    except DeclinedError as refused:
        if refused.code != "RESOURCE_ALREADY_EXISTS":
            raise
        if is_new:
            file.unlink()
            text = f"there is a user {name} already, whose password is not in {file}"
            raise TroubleError(text) from None
    print(f"{name}: the login is in {file}, for ~/.mlflow/credentials of that person (mode 600)")


def share(folder: Path, study: str, *names: str) -> None:
    """Lets users read a study, or all with ``--all``."""
    number = "*"
    if study != "--all":
        query = urllib.parse.urlencode({"experiment_name": study})
        with unless_absent(f"there is no study {study!r}"):
            found = call(folder, "GET", f"2.0/mlflow/experiments/get-by-name?{query}")
        number = found["experiment"]["experiment_id"]
    what = {"resource_type": "experiment", "resource_id": number, "permission": "READ"}
    for name in names:
        with unless_absent(f"there is no user {name!r}: mlflow.sh user {name}"):
            call(folder, "POST", "3.0/mlflow/users/permissions/grant", {**what, "username": name})
        print(f"{name} reads {'all studies' if number == '*' else study}")


@contextlib.contextmanager
def unless_absent(text: str) -> Iterator[None]:
    """Says the text where the server does not know what it is asked for."""
    try:
        yield
    except DeclinedError as refused:
        if refused.code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise TroubleError(text) from None


def require_packages() -> None:
    """Raises ``TroubleError`` unless MLflow, its logins and the driver of PostgreSQL are here."""
    missing = sorted({PACKAGES[one] for one in PACKAGES if importlib.util.find_spec(one) is None})
    if missing:
        raise TroubleError(f"{sys.executable} lacks packages: pip install {' '.join(missing)}", 5)


def make_private(folder: Path) -> None:
    """Makes the folder, which nobody else can enter, and looks whether it can be written to."""
    try:
        for place in (folder, folder / "users", folder / "artifacts"):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.chmod(0o700)  # One that was there may let others in.
            probe = place / f".{os.getpid()}.tmp"
            probe.touch()
            probe.unlink()
    except OSError as error:
        text = f"{place} cannot be written to ({error.strerror})"
        raise TroubleError(f"{text}: MLFLOW_TEAM_FOLDER names another", 5) from None


def require_database(uri: str) -> None:
    """Raises ``TroubleError`` unless MLflow can make its tables in a database."""
    import sqlalchemy as sql

    try:
        url = sql.make_url(uri)
        ok = uri.isprintable() and url.drivername == "postgresql+psycopg2"
    except (sql.exc.SQLAlchemyError, ValueError):
        ok = False
    if not ok:
        rule = "postgresql://USER@HOST/DATABASE, or postgresql:///DATABASE?host=SOCKETS_FOLDER"
        raise TroubleError(f"MLFLOW_BACKEND_STORE_URI must be {rule}")
    shown = url.set(query={k: v for k, v in url.query.items() if k == "host"})
    where = shown.set(drivername="postgresql").render_as_string(hide_password=True)
    engine = sql.create_engine(url, connect_args={"connect_timeout": 5})
    right = "SELECT has_schema_privilege(current_schema(), 'CREATE'), current_user"
    try:
        with engine.connect() as connection:
            may, user = connection.execute(sql.text(right)).one()
    except sql.exc.SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
        reason = said[0].rpartition("failed: ")[2].removeprefix("FATAL:").strip()
        raise TroubleError(f"PostgreSQL cannot be used at {where}: {reason}", 5) from None
    finally:
        engine.dispose()
    if not may:
        text = f"{user} may not make tables: createdb --owner={user}"
        raise TroubleError(f"PostgreSQL cannot be used at {where}: {text}", 5)


def require_port(host: str, port: str) -> None:
    """Raises ``TroubleError`` unless a server can listen there."""
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise TroubleError(f"MLFLOW_PORT must be a number from 1 to 65535, not {port!r}")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As the server does.
            one.bind(place)
    except OSError as error:
        text = f"nothing can listen at {host}, port {port} ({error.strerror})"
        raise TroubleError(f"{text}: MLFLOW_PORT and MLFLOW_HOST name another place", 5) from None


def admin_password(file: Path, given: str | None) -> str:
    """Returns the admin's password, which is written down at the first start."""
    if given and not (
        len(given) >= LEAST_PASSWORD and given.isprintable() and given == given.strip()
    ):
        rule = f"{LEAST_PASSWORD} characters or more, no space at an end"
        raise TroubleError(f"MLFLOW_AUTH_ADMIN_PASSWORD must have {rule}")
    if not file.exists():
        write(file, login_file(ADMIN, given or secrets.token_urlsafe(18)))
    _, password = login(file)
    if given and given != password:
        text = "MLFLOW_AUTH_ADMIN_PASSWORD is for the first start; the admin has another one"
        raise TroubleError(f"{text}, in {file}: leave it out")
    return password


class DeclinedError(TroubleError):
    """The server said no, with a code of MLflow's."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text, 5)
        self.code = code


def call(folder: Path, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
    """Returns what the server answers to the admin."""
    file, address = folder / "users" / ADMIN, kept(folder / "address")
    login_64 = base64.b64encode(":".join(login(file)).encode()).decode()
    headers = {"Authorization": f"Basic {login_64}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/api/{path}", data, headers, method=method)
    # The server is on this machine: no proxy of the environment hears the password.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        if error.code == 401:
            text = f"MLflow refuses the admin's login in {file}: write there what it is now"
            raise TroubleError(text, 5) from None
        text = error.read().decode(errors="replace")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        said = found if isinstance(found, dict) else {}
        text = f"MLflow: {str(said.get('message') or text)[:300]}"
        raise DeclinedError(str(said.get("error_code", "")), text) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise TroubleError(f"MLflow does not answer at {address}: {reason}", 5) from None


def main(words: list[str]) -> int:
    """Does what the words say; returns the exit code."""
    folder, what, *rest = words
    place = Path(folder)
    try:
        if what == "prepare":
            prepare(place, os.environ)
        elif not (place / "address").exists():
            text = f"no server was ever started with {folder}"
            raise TroubleError(f"{text}: start one, or MLFLOW_TEAM_FOLDER names another")
        else:
            {"user": add, "share": share}[what](place, *rest)
    except TroubleError as trouble:
        print(f"mlflow.sh: error: {trouble}", file=sys.stderr)
        return trouble.exit_code
    except (OSError, configparser.Error, KeyError, ValueError) as error:
        print(f"mlflow.sh: error: a file of {folder} cannot be used: {error}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
