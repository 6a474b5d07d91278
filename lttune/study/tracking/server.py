"""Whether MLflow's server answers at all, asked before its own calls would wait for one."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import Future
from http.client import HTTPException

from lttune.study.tracking.uri import SERVERS, database_server

PROBE_S = 3.0
"""Seconds within which a server must answer."""


def unanswered(uri: str, timeout_s: float = PROBE_S) -> str:
    """Returns why the server of a tracking URI does not answer in time; empty if it does.

    A file always answers, and so does a server whose address only its driver knows.
    """
    answer: Future[None] = Future()

    def ask() -> None:
        try:
            answer.set_result(require_answer(uri, timeout_s))
        except Exception as error:
            answer.set_exception(error)

    # The time-outs of sockets spare the name lookup, and start again at each address of a host.
    threading.Thread(target=ask, name="lttune-probe", daemon=True).start()
    try:
        answer.result(timeout_s)
    except TimeoutError:
        return _late(timeout_s)
    except Exception as error:
        return str(error)
    return ""


def require_answer(uri: str, timeout_s: float = PROBE_S) -> None:
    """Raises ``ConnectionError`` if the server of a tracking URI gives no answer, with the reason.

    Whatever a web server answers will do: a login that is asked for, or a proxy that hides its
    page of health, is MLflow's business.
    """
    try:
        if uri.partition("://")[0] in SERVERS:
            _ask_page(uri, timeout_s)
        elif address := database_server(uri):
            socket.create_connection(address, timeout_s).close()
    except TimeoutError as error:
        raise ConnectionError(_late(timeout_s)) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConnectionError(f"the server is away: {reason}") from error


def without_login(uri: str) -> str:
    """Returns the address of a server, without user and password."""
    parts = urllib.parse.urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def _ask_page(uri: str, timeout_s: float) -> None:
    try:
        urllib.request.urlopen(f"{without_login(uri)}/health", timeout=timeout_s).close()
    except urllib.error.HTTPError:
        return
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return  # A certificate of one's own (MLFLOW_TRACKING_SERVER_CERT_PATH).
        if isinstance(error.reason, OSError):
            raise error.reason from None
        raise


def _late(timeout_s: float) -> str:
    return f"the server gave no answer in {timeout_s:g} s"
