"""torchvision's mirrors, here a server of this machine."""

import threading
import time
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest
from small_mnist import gzipped, put

from lttune.data import mnist
from lttune.data.files import sources
from lttune.errors import DataError


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    root = tmp_path / "www"
    root.mkdir()
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with HTTPServer(("127.0.0.1", 0), partial(handler, directory=root)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield root, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def test_the_first_mirror_that_has_all_files_serves(files, monkeypatch, server):
    root, address = server
    put(root / "good", gzipped(files))
    put(root / "bad", gzipped(files | {mnist.TEST_Y: b"something else"}))
    monkeypatch.setattr(
        sources, "mirrors", lambda dataset: [f"{address}none/", f"{address}bad/", f"{address}good/"]
    )
    assert sources.from_mirrors("MNIST", mnist.MD5) == files


def test_each_mirror_that_fails_gives_its_reason(files, monkeypatch, server):
    root, address = server
    put(root, gzipped(dict.fromkeys(files, b"something else")))
    monkeypatch.setattr(
        sources, "mirrors", lambda dataset: [address, f"{address}none/", "http://127.0.0.1:1/"]
    )
    with pytest.raises(DataError) as refusal:
        sources.from_mirrors("MNIST", mnist.MD5)
    sent, absent, refused = str(refusal.value).split("; ")
    assert sent == "127.0.0.1: it sent something else"
    assert absent == "127.0.0.1: File not found"
    assert "refused" in refused


def test_a_mirror_that_never_answers_costs_its_time_limit(files, monkeypatch):
    monkeypatch.setattr(sources, "mirrors", lambda dataset: ["http://a.example/"])
    monkeypatch.setattr(sources, "CONNECT_S", 0.1)
    monkeypatch.setattr(sources.urllib.request, "urlopen", lambda url, timeout: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"^a\.example: no answer in 0\.1 s$"):
        sources.from_mirrors("MNIST", mnist.MD5)
    assert time.monotonic() - start < 2


def test_the_address_of_a_proxy_is_not_repeated(files, monkeypatch):
    def urlopen(url, timeout):
        raise ValueError("proxy URL with no authority: 'http:user:secret'")

    monkeypatch.setattr(sources, "mirrors", lambda dataset: ["http://a.example/"])
    monkeypatch.setattr(sources.urllib.request, "urlopen", urlopen)
    with pytest.raises(DataError, match=r"^a\.example: ValueError$"):
        sources.from_mirrors("MNIST", mnist.MD5)
