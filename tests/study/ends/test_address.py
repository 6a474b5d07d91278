"""The address of a cluster that does not answer is one line, before anything is made."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import digits_study
import pytest
from ray.exceptions import AuthenticationError

from lttune.errors import ResourceError
from lttune.study.checks import address as limits
from lttune.study.checks.address import check_address
from lttune.study.main import main
from lttune.study.settings import StudyConfig
from lttune.study.workers import cluster

HERE = cluster.services.get_node_ip_address()
"""Ray puts it in the place of the loopback address."""


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """Yields an address at which every connection is answered so, and then closed."""
    with socket.create_server((HERE, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer, contextlib.suppress(OSError):
                        peer.recv(100)
                        answer(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"{HERE}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def free() -> str:
    """Returns an address at which nobody listens."""
    with socket.create_server((HERE, 0)) as server:
        return f"{HERE}:{server.getsockname()[1]}"


def refusal(address: str) -> str:
    """Returns why an address is refused."""
    with pytest.raises(ResourceError) as error:
        check_address(address)
    head = f"no Ray cluster answers at address {address!r}: "
    assert str(error.value).startswith(head)
    return str(error.value).removeprefix(head)


def test_nobody_there_is_told():
    assert refusal(free()) == "Connection refused"


def test_somebody_who_never_answers_is_told_in_time(monkeypatch):
    assert limits.REACHED_S + limits.ANSWERED_S < 10
    monkeypatch.setattr(limits, "ANSWERED_S", 0.1)
    done = threading.Event()
    with listener(lambda peer: done.wait(10)) as address:
        assert refusal(address) == "it gives no answer"
        done.set()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-ERR\r\n"])
def test_somebody_else_is_told(answer):
    with listener(lambda peer: peer.sendall(answer)) as address:
        assert refusal(address) == "what listens there is no Ray cluster"


def test_who_encrypts_is_not_asked_in_the_clear(monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with listener(lambda peer: None) as address:
        check_address(address)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_ray_cluster_answers(ray_address, monkeypatch):
    check_address(ray_address)
    monkeypatch.setenv("RAY_ADDRESS", ray_address)
    cluster.require_cluster(StudyConfig(name="x", address="auto"))


def test_a_cluster_that_ray_still_knows_of_and_is_gone_is_told(monkeypatch):
    gone = free()
    monkeypatch.setenv("RAY_ADDRESS", gone)
    with pytest.raises(ResourceError, match=f"at address '{gone}': Connection refused"):
        cluster.require_cluster(StudyConfig(name="x", address="auto"))


def test_no_cluster_to_find_is_told(monkeypatch):
    def find(address: str) -> str:
        raise ConnectionError("Could not find any running Ray instance. Please ...\nMore words.")

    monkeypatch.setattr(cluster.services, "canonicalize_bootstrap_address", find)
    line = "no Ray cluster answers at address 'auto': Could not find any running Ray instance."
    with pytest.raises(ResourceError, match=line):
        cluster.require_cluster(StudyConfig(name="x", address="auto"))


@pytest.mark.parametrize("address", ["of a listener", "auto"])
def test_a_study_that_cannot_join_a_cluster_has_done_nothing(address, cwd, capfd, monkeypatch):
    began = time.monotonic()
    with listener(lambda peer: peer.sendall(b"HTTP/1.1 404\r\n")) as found:
        monkeypatch.setenv("RAY_ADDRESS", found)
        flags = ["--address", found if address != "auto" else address, "--out", "out"]
        flags += ["--tracking-uri", "sqlite:///out/mlflow.db"]
        code = main(digits_study.STUDY, digits_study.report, "", flags)
    line = "what listens there is no Ray cluster"
    line = f"lttune: error: no Ray cluster answers at address '{found}': {line}\n"
    # Ray writes its own lines past Python's streams.
    sys.stdout.flush()
    assert (code, capfd.readouterr()) == (5, ("", line))
    assert list(cwd.iterdir()) == []
    assert time.monotonic() - began < 10


# Versions and logins: a cluster that answers, and does not take this driver.


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            RuntimeError(
                "Version mismatch: The cluster was started with:\n"
                "    Ray: 2.59.0\n    Python: 3.11.2\n"
                "This process on node 10.0.0.1 was started with:\n"
                "    Ray: 2.60.0\n    Python: 3.12.1\n"
            ),
            "the cluster at address 'head:6379' has Ray 2.59.0 and Python 3.11.2, the driver Ray "
            "2.60.0 and Python 3.12.1: run it with the cluster's",
        ),
        (
            AuthenticationError("Authentication is enabled but no token was found.\nMore."),
            "no Ray cluster answers at address 'head:6379': Authentication is enabled but no token "
            "was found.",
        ),
        (
            # What Ray says of a cluster that asks for a token where RAY_AUTH_MODE is not set.
            ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379"),
            "no Ray cluster answers at address 'head:6379': Failed to connect to Ray cluster at "
            "10.0.0.1:6379; if it asks for a token, start the study with RAY_AUTH_MODE=token",
        ),
    ],
)
def test_a_cluster_of_another_version_or_that_refuses_a_login_is_one_line(
    monkeypatch, raised, told
):
    if isinstance(raised, ConnectionError):
        monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    else:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")

    def init(**options):
        raise raised

    monkeypatch.setattr(cluster.ray, "init", init)
    with pytest.raises(ResourceError) as error:
        cluster.start_ray(StudyConfig(name="x", address="head:6379"))
    assert str(error.value) == told


@pytest.mark.parametrize("home", ["/dev/null", "file", "file/x"])
def test_a_home_that_takes_no_token_is_told_before_ray_starts(tmp_path, monkeypatch, home):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("")
    place = home if home.startswith("/") else str(tmp_path / home)
    monkeypatch.setenv("HOME", place)
    with pytest.raises(ResourceError) as error:
        cluster.require_cluster(StudyConfig(name="x"))
    assert str(error.value) == (
        "HOME must be a folder that can be written to, in which Ray keeps its token "
        f"(.ray/auth_token), got {place!r}; start with HOME=FOLDER, a folder of your own"
    )
    # Where it need make none, no folder is needed.
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 32)
    cluster.require_cluster(StudyConfig(name="x"))
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "not yet"))
    cluster.require_cluster(StudyConfig(name="x"))
    assert not list((tmp_path / "home").iterdir())
