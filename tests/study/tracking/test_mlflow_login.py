"""A login that MLflow's server refuses is told before a study, and sent as MLflow sends it."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator

import pytest
import requests
from answering import answering, free_port

from lttune.exchange.health.tracking import tracking_finding
from lttune.study.tracking.login import refused_login, unwelcome

ASKS = (
    "it asks for a login (401): MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
    "or ~/.mlflow/credentials"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own: no login of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server that lets in ``anna`` with the password ``a:b``; what it was sent."""
    sent: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            is_open = self.path == "/health"
            if not is_open:
                sent.append(given)
            self.send_response(
                200 if is_open or given in (basic("anna", "a:b"), "Bearer t") else 401
            )
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def credentials(home, name: str, password: str) -> None:
    file = home / ".mlflow" / "credentials"
    file.parent.mkdir()
    lines = f"mlflow_tracking_username = {name}\nmlflow_tracking_password = {password}\n"
    file.write_text(f"[mlflow]\n{lines}")


def test_a_login_of_the_environment_lets_in(asked, monkeypatch):
    uri, sent = asked
    assert unwelcome(uri) == ASKS
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    assert unwelcome(uri) == ASKS  # MLflow sends none without a password.
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    assert unwelcome(uri) == "it refuses the login of MLFLOW_TRACKING_USERNAME (401)"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a:b")
    assert unwelcome(uri) == ""
    assert sent == ["", "", basic("anna", "hunter2"), basic("anna", "a:b")]


def test_a_file_of_mlflow_lets_in_unless_the_environment_says_otherwise(asked, home, monkeypatch):
    uri, _ = asked
    credentials(home, "anna", "a:b")
    assert refused_login(uri) == ""
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    assert refused_login(uri) == f"it refuses the login of {home}/.mlflow/credentials (401)"


def test_netrc_goes_before_the_uri_and_both_before_the_file_as_in_requests(asked, home):
    uri, _ = asked
    credentials(home, "anna", "hunter2")
    assert "credentials (401)" in refused_login(uri)
    (home / ".netrc").write_text("machine 127.0.0.1 login anna password a:b\n")
    (home / ".netrc").chmod(0o600)
    assert refused_login(uri) == ""
    at = uri.replace("http://", "http://anna:hunter2@")
    sent = requests.Session().prepare_request(requests.Request("GET", at)).headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"anna:a:b"
    assert refused_login(at) == ""
    (home / ".netrc").unlink()
    assert refused_login(at) == "it refuses the login of the tracking URI (401)"
    assert refused_login(uri.replace("http://", "http://anna:a%3Ab@")) == ""


def test_a_token_lets_in(asked, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")
    assert refused_login(asked[0]) == ""


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"])
def test_a_way_in_that_only_mlflow_knows_is_left_to_it(name, asked, monkeypatch):
    monkeypatch.setenv(name, "x")
    assert refused_login(asked[0]) == ""
    assert asked[1] == []


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500, 503])
def test_another_answer_says_nothing_of_the_login(status):
    with answering(status) as port:
        assert refused_login(f"http://127.0.0.1:{port}") == ""


def test_who_is_no_server_or_is_away_refuses_no_login():
    assert refused_login(f"http://127.0.0.1:{free_port()}") == ""
    assert refused_login("sqlite:////x.db") == ""


def test_a_file_that_cannot_be_read_is_left_to_mlflow(asked, home):
    credentials(home, "anna", "50%")
    assert refused_login(asked[0]) == ""


def test_doctor_tells_a_refused_login(asked, monkeypatch):
    uri, _ = asked
    found = tracking_finding(uri)
    assert (found.trouble, found.exit_code) == (ASKS, 5)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    found = tracking_finding(uri)
    assert "hunter2" not in found.line
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a:b")
    assert tracking_finding(uri).trouble == ""
