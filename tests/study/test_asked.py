"""The note of a worker that was asked to end, and what it does after it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from drivers import script
from ray._raylet import GcsClient
from ray.experimental import internal_kv

from lttune.study.workers.asked import NAMESPACE, count_notes, forget_notes

WORKER = """
import signal, sys, time
from ray._raylet import GcsClient
from ray.experimental import internal_kv
from lttune.study.workers.asked import leave_notes
if sys.argv[1] == "own":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if sys.argv[2]:
    internal_kv._initialize_internal_kv(GcsClient(address=sys.argv[2]))
trial = "first"
leave_notes(sys.argv[3], lambda: trial)
trial = "second"
print("ready", flush=True)
time.sleep(50)
"""


@pytest.fixture
def head(ray_address, monkeypatch) -> Iterator[GcsClient]:
    """The head of a cluster, as a driver has it."""
    client = GcsClient(address=ray_address)
    monkeypatch.setattr(internal_kv, "global_gcs_client", client)
    yield client
    forget_notes("run")


def asked(handler: str, address: str, run: str) -> tuple[int, str]:
    """Asks a worker to end; returns its exit code and what it said."""
    worker = script(WORKER, handler, address, run)
    assert worker.stdout
    assert worker.stdout.readline() == "ready\n"
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=30)
    return worker.returncode, err


HANDLERS = [("own", 7), ("none", -signal.SIGTERM)]


@pytest.mark.parametrize(("handler", "code"), HANDLERS)
def test_a_note_is_left_with_the_head_and_on_no_disk(handler, code, head, ray_address):
    assert asked(handler, ray_address, "mine") == (code, "")
    assert asked(handler, ray_address, "mine") == (code, "")
    assert asked(handler, ray_address, "mine-2") == (code, "")
    assert [count_notes("mine", name) for name in ("first", "second", "sec")] == [0, 2, 0]
    forget_notes("mine")
    assert head.internal_kv_keys(b"mine", NAMESPACE)[0].startswith(b"mine-2/second.")
    forget_notes("mine-2")
    assert head.internal_kv_keys(b"mine", NAMESPACE) == []


@pytest.mark.parametrize(("handler", "code"), HANDLERS)
def test_who_cannot_leave_a_note_ends_all_the_same(handler, code):
    assert asked(handler, "", "run") == (code, "")
