"""Where MLflow is: a tracking URI for programs, checked before anything is done with it."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path

from lttune.config.fields import is_writable, require
from lttune.config.machine import DEFAULT_TRACKING_URI
from lttune.config.passwords import masked_uri

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
SERVERS = ("http", "https")
SCHEMES = (*DATABASES, *SERVERS, "databricks")
"""Stores that MLflow keeps up; its folder of files (./mlruns) it does not."""

VARIABLE = "MLFLOW_TRACKING_URI"
"""Of the environment, which MLflow reads too."""

_FORMS = {
    "sqlite": "sqlite:///PATH, with three slashes and the path of a file",
    "http": "http://HOST:PORT",
    "https": "https://HOST:PORT",
    "databricks": "databricks or databricks://PROFILE",
}
_LOGIN = r"(?:[^:/]*(?::[^@]*)?@)?"
_HOST = r"(\[[^\]/?]+\]|[^/:?]+)"
_DATABASE = re.compile(rf"{_LOGIN}(?:{_HOST})?(?::(\d*))?(?:/[^?]*)?(?:\?(.*))?")
"""What follows the scheme of a database, as SQLAlchemy reads it."""
_FILE = re.compile(r"/(?!file:|:memory:)(?!.*[?&]mode=memory)[^?]*[^?/](\?.*)?")
"""What follows the scheme of SQLite's: the path of a file, none in memory, which is no store."""
_PORTS = {"postgresql": 5432, "mysql": 3306}


def resolve(uri: str | None) -> str:
    """Returns the tracking URI: ``uri``, else MLFLOW_TRACKING_URI, else MLflow's own default.

    A SQLite file is named by its absolute path, so that a later change of folder moves nothing.

    Raises:
        ConfigError: if it is malformed, wherever it comes from.
    """
    field = field_of(uri)
    uri = (os.environ.get(VARIABLE) or DEFAULT_TRACKING_URI) if uri is None else uri
    require_uri(field, uri)
    path = sqlite_path(uri)
    if path is None:
        return uri
    _, mark, options = uri.partition("?")
    return f"{sqlite_uri(path)}{mark}{options}"


def is_default(uri: str | None) -> bool:
    """Returns whether nobody says where MLflow is, neither a setting nor the environment."""
    return uri is None and not os.environ.get(VARIABLE)


def field_of(uri: str | None) -> str:
    """Returns what says where MLflow is: the variable if it does, else the setting."""
    return VARIABLE if uri is None and os.environ.get(VARIABLE) else "tracking_uri"


def require_uri(field: str, uri: str) -> None:
    """Raises ``ConfigError`` unless a tracking URI is one that MLflow can open.

    Args:
        field: what the URI is the value of.
        uri: what was given.
    """
    scheme, mark, rest = uri.partition("://")
    kind, plus, _ = scheme.partition("+")
    rule = _FORMS.get(kind, f"a URI of {', '.join(SCHEMES)}, such as sqlite:///mlflow.db")
    # A path alone may hold spaces; elsewhere they are written as %20.
    spaced = uri != uri.strip() or (kind != "sqlite" and re.search(r"\s", uri) is not None)
    rule += ", without white space" if spaced else ""
    writable = is_writable(uri) and not re.search(r"[\x00-\x1f\x7f]", uri)
    if spaced or not writable or (plus and kind not in DATABASES):
        ok = False
    elif kind == "sqlite":
        ok = _FILE.fullmatch(rest) is not None
    elif kind in DATABASES:
        ok = bool(mark and rest) and _is_database(rest)
    elif kind in SERVERS:
        ok = bool(mark) and _is_server(uri)
    else:
        ok = kind == "databricks"
    require(ok, field, rule, masked_uri(uri))


def _is_database(rest: str) -> bool:
    match = _DATABASE.fullmatch(rest)
    port = match[2] if match else ""
    return match is not None and (not port or (len(port) <= 5 and 0 < int(port) < 65536))


def _is_server(uri: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(uri)
        port = parts.port
    except ValueError:  # Brackets that do not match, a port that is no number.
        return False
    host = parts.hostname or ""
    return bool(host) and port != 0 and ".." not in host


def sqlite_path(uri: str) -> Path | None:
    """Returns the absolute path of the database file, None if the URI is not of that kind."""
    match = re.fullmatch(r"sqlite(?:\+pysqlite)?:///([^?]+)(\?.*)?", uri)
    return Path(urllib.parse.unquote(match[1])).absolute() if match else None


def sqlite_uri(path: Path) -> str:
    """Returns the URI of a database file."""
    return f"sqlite:///{urllib.parse.quote(str(path))}"


def database_server(uri: str) -> tuple[str, int] | None:
    """Returns host and port of the server behind a database's URI.

    None where the driver looks for it in a way of its own, such as in a file of services, on a
    socket of this machine or on one host after the other, and where there is no server.
    """
    scheme, _, rest = uri.partition("://")
    port = _PORTS.get(scheme.partition("+")[0])
    match = _DATABASE.fullmatch(rest)
    if port is None or match is None or match[1] is None:
        return None
    options = urllib.parse.parse_qs(match[3] or "", keep_blank_values=True)
    if "," in match[1] or {"host", "service", "unix_socket"} & options.keys():
        return None
    return match[1].strip("[]"), int(match[2] or port)
