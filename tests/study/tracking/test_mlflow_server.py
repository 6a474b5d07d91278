"""Whether a server answers is known soon, and why it does not is told without secrets."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import urllib.error
import urllib.request

import pytest
from answering import answering, free_port, silent

from lttune.study.tracking.server import require_answer, unanswered


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500, 503])
def test_whatever_a_server_answers_will_do(status):
    with answering(status) as port:
        assert unanswered(f"http://127.0.0.1:{port}", 3) == ""


@pytest.mark.parametrize("uri", ["sqlite:///x.db", "databricks", "mssql://host/db"])
def test_who_cannot_be_asked_is_not(uri):
    assert unanswered(uri, 0.5) == ""
    require_answer(uri)


@pytest.mark.parametrize("form", ["http://me:hunter2@127.0.0.1:{}", "postgresql://127.0.0.1:{}/db"])
def test_a_closed_port_is_known_at_once(form):
    began = time.monotonic()
    assert unanswered(form.format(free_port())) == "the server is away: Connection refused"
    assert time.monotonic() - began < 0.5


def test_a_database_whose_port_is_open_answers():
    with silent() as port:
        assert unanswered(f"postgresql://me:hunter2@127.0.0.1:{port}/db") == ""


def test_a_server_that_never_answers_is_given_its_time_and_no_more():
    with silent() as port:
        began = time.monotonic()
        reason = unanswered(f"http://127.0.0.1:{port}", 0.5)
        assert 0.4 < time.monotonic() - began < 0.9
    assert reason == "the server gave no answer in 0.5 s"


def test_a_name_that_takes_long_to_look_up_costs_no_more(monkeypatch):
    def slow(*_: object) -> None:
        time.sleep(5)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    assert unanswered("http://host.invalid", 0.3) == "the server gave no answer in 0.3 s"
    assert time.monotonic() - began < 0.8


def test_a_server_of_another_protocol_is_away():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def greet() -> None:
            end, _ = other.accept()
            end.sendall(b"SSH-2.0-x\r\n\r\n")
            end.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert unanswered(f"http://127.0.0.1:{port}").startswith("the server is away: ")
        thread.join(5)


def test_a_certificate_that_only_mlflow_knows_is_left_to_it(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError(ssl.SSLCertVerificationError("self-signed certificate"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    assert unanswered("https://host") == ""


def test_nobody_is_told_who_asks(monkeypatch):
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> None:
        asked.append(url)
        raise urllib.error.URLError("gone")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert "away" in unanswered("http://me:hunter2@host:5000/prefix/")
    assert asked == ["http://host:5000/prefix/health"]
