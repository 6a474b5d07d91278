"""Whether MLflow's server lets this user in: asked before a study, which would hear it at its end.

The login is the one that MLflow itself would send: of .netrc, which requests (2.32) puts before all
others, else of the URI, the environment or ``~/.mlflow/credentials``.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import netrc
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lttune.study.tracking.server import PROBE_S, unanswered, without_login
from lttune.study.tracking.uri import SERVERS

GIVEN_BY = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or ~/.mlflow/credentials"
"""Where a login belongs."""

_USER, _PASSWORD, _TOKEN = (f"MLFLOW_TRACKING_{n}" for n in ("USERNAME", "PASSWORD", "TOKEN"))
_OTHER_WAYS = ("MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
_SMALLEST_CALL = "/api/2.0/mlflow/experiments/search?max_results=1"
_LEAST_S = 0.2


def unwelcome(uri: str, timeout_s: float = PROBE_S) -> str:
    """Returns why a tracking URI cannot be used, as far as that is known in time; empty if it can.

    The server does not answer, or it does and refuses the login.
    """
    last = time.monotonic() + timeout_s
    reason = unanswered(uri, timeout_s)
    return reason or refused_login(uri, max(last - time.monotonic(), _LEAST_S))


def refused_login(uri: str, timeout_s: float = PROBE_S) -> str:
    """Returns that a server asks for a login and why it has none; empty if it has or is no server.

    Empty as well if it does not say so in time, or if MLflow logs in by what it alone knows.
    """
    if uri.partition("://")[0] not in SERVERS or any(map(os.environ.get, _OTHER_WAYS)):
        return ""
    try:
        login, source = _login(uri)
    except (OSError, RuntimeError, ValueError, configparser.Error, netrc.NetrcParseError):
        return ""  # MLflow says it better.
    request = urllib.request.Request(without_login(uri) + _SMALLEST_CALL)
    if login:
        # Not sent on to where the answer points.
        request.add_unredirected_header("Authorization", login)
    try:
        urllib.request.urlopen(request, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        if error.code == 401 and login:
            return f"it refuses the login of {source} (401)"
        if error.code == 401:
            return f"it asks for a login (401): {GIVEN_BY}"
    except (OSError, HTTPException, ValueError):
        pass
    return ""


def _login(uri: str) -> tuple[str, str]:
    """Returns what is sent as ``Authorization`` and where it is from; empty if there is none."""
    parts = urllib.parse.urlsplit(uri)
    if found := _of_netrc(parts.hostname or ""):
        return _basic(*found), ".netrc"
    if parts.username or parts.password:
        given = (parts.username, parts.password)
        name, password = (urllib.parse.unquote(one or "") for one in given)
        return _basic(name, password), "the tracking URI"
    kept = configparser.ConfigParser()
    file = Path("~/.mlflow/credentials").expanduser()
    kept.read(file)
    name, password = (
        os.environ.get(one) or kept.get("mlflow", one.lower(), fallback="")
        for one in (_USER, _PASSWORD)
    )
    if name and password:
        source = _USER if os.environ.get(_USER) else str(file)
        return _basic(name, password), source
    token = os.environ.get(_TOKEN, "")
    return (f"Bearer {token}", _TOKEN) if token else ("", "")


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _of_netrc(host: str) -> tuple[str, str] | None:
    """Returns name and password that the user's .netrc has of a host, which go before others."""
    named = os.environ.get("NETRC")
    files = [Path(named)] if named else [Path("~/.netrc"), Path("~/_netrc")]
    for file in (one.expanduser() for one in files):
        with contextlib.suppress(FileNotFoundError):
            found: Any = netrc.netrc(file).authenticators(host)
            return (found[0] or found[1], found[2]) if found else None
    return None
