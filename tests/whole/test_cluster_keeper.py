"""The keeper of an on-prem cluster's workers; on hosts of their own it is in tests/scale."""

from __future__ import annotations

import errno
import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config

SCRIPT = Path(__file__).parents[2] / "studies" / "cluster" / "keep_workers.py"
WORKERS = ["127.0.0.2", "127.0.0.3"]


@pytest.fixture
def keeping(tmp_path, monkeypatch) -> ModuleType:
    """The script as a module, whose files lie in a folder of the test."""
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("keep_workers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "keep_workers", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


@pytest.fixture
def config() -> dict:
    """What ``ray up`` leaves on the head."""
    raw = yaml.safe_load(SCRIPT.with_name("onprem.yaml").read_text())
    raw["provider"].update(head_ip="127.0.0.1", worker_ips=WORKERS)
    return prepare_config(raw)


class Cluster:
    """What the head would say, and how the starts of workers end."""

    def __init__(self, keeping: ModuleType, config: dict, folder: Path) -> None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        self.keeper = keeping.Keeper(path=folder / "config.yaml")
        self.keeper.process = self.process
        self.there: set[str] = set()
        self.does, self.started = "false", []

    def get_all_node_info(self, timeout: float) -> dict:
        nodes = [("127.0.0.1", 0), *((one, 0) for one in self.there), ("127.0.0.2", 1)]
        return {
            n: SimpleNamespace(node_manager_address=address, state=state, ALIVE=0)
            for n, (address, state) in enumerate(nodes)
        }

    def process(self, action: str, worker: str) -> subprocess.Popen[bytes]:
        self.started.append((action, worker))
        return subprocess.Popen(self.does.split(), start_new_session=True)

    def look(self) -> None:
        """Looks once more when all that was started has ended."""
        for process in self.keeper.starting.values():
            process.wait()
        self.keeper.look(self)


def test_a_worker_whose_start_failed_is_started_again(
    keeping, config, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(keeping, "PAUSE_S", 0)
    cluster = Cluster(keeping, config, tmp_path)
    for _ in range(5):
        cluster.look()
    assert cluster.started.count(("start", "127.0.0.2")) == 5
    cluster.there = {*WORKERS}
    cluster.look()
    cluster.look()
    assert len(cluster.started) == 10
    cluster.there = {"127.0.0.3"}
    cluster.look()
    assert cluster.started[10:] == [("start", "127.0.0.2")]
    said = [line.split(" ", 2)[2] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in said if "127.0.0.2" in line] == [
        "127.0.0.2 is not there and is started",
        f"127.0.0.2 could not be started: {tmp_path}/127.0.0.2",
        "127.0.0.2 is there",
        "127.0.0.2 is not there and is started",
    ]


def test_a_start_that_ended_has_time_to_show(keeping, config, tmp_path):
    cluster = Cluster(keeping, config, tmp_path)
    for _ in range(5):
        cluster.look()
    assert sorted(cluster.started) == [("start", worker) for worker in WORKERS]


def test_starts_at_a_time_are_bounded_and_end_with_the_keeper(
    keeping, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    cluster = Cluster(keeping, config, tmp_path)
    cluster.does = "sleep 60"
    cluster.keeper.look(cluster)
    cluster.keeper.look(cluster)
    ((_, process),) = cluster.keeper.starting.items()
    cluster.keeper.end()
    assert process.returncode == -9


def test_a_worker_whose_name_is_not_known_just_now_is_left_alone(
    keeping, config, tmp_path, monkeypatch, capsys
):
    def unknown(name: str):
        raise OSError("no answer")

    cluster = Cluster(keeping, config, tmp_path)
    monkeypatch.setattr(keeping.socket, "gethostbyname_ex", unknown)
    cluster.look()
    assert cluster.started == []
    assert "127.0.0.2 has a name that is not known now: left as it is" in capsys.readouterr().out
    # One of several addresses is enough.
    monkeypatch.setattr(
        keeping.socket, "gethostbyname_ex", lambda name: (name, [], ["10.0.0.9", name])
    )
    cluster.there = {*WORKERS}
    cluster.look()
    assert cluster.started == []


@pytest.mark.parametrize("action", ["start", "stop"])
def test_a_machine_that_takes_ssh_and_does_nothing_more_gives_its_place_back(
    action, keeping, config, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    monkeypatch.setitem(keeping.LONGEST_S, action, 0.2)
    monkeypatch.setattr(keeping, "STOP_S", 1)
    (cluster := Cluster(keeping, config, tmp_path)).does = "sleep 60"
    if action == "stop":
        cluster.keeper.stop_all()
    for _ in range(2 * (action == "start")):
        cluster.keeper.look(cluster)
        time.sleep(0.3)
    cluster.keeper.end()
    assert {*cluster.started[:2]} == {(action, worker) for worker in WORKERS}
    assert f"{WORKERS[0]} could not be" in capsys.readouterr().out


def test_workers_are_told_no_loopback_address_of_the_head(keeping, config, monkeypatch):
    """What Debian's ``/etc/hosts`` says of a machine's own name."""
    worker = sys.modules["start_worker"]
    head = SimpleNamespace(cmdline=lambda: ["gcs_server", "--node-ip-address=10.0.0.1"])
    monkeypatch.setattr(worker, "head_process", lambda: head)
    monkeypatch.setattr("socket.gethostbyname", {"head": "127.0.1.1", "10.1.1.1": "10.1.1.1"}.get)
    for name, told in (("head", "10.0.0.1"), ("10.1.1.1", "10.1.1.1")):
        config["provider"]["head_ip"] = name
        updater = worker.updater_of(WORKERS[0], config)
        assert f"export RAY_HEAD_IP={told};" in updater.ray_start_commands[-1]
    monkeypatch.setattr(worker, "head_process", lambda: None)  # It has ended: they are stopped.
    assert worker.head_address("head") == "127.0.1.1"


def test_dead_workers_take_no_place_from_those_behind_them(keeping, config, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    monkeypatch.setattr(keeping, "PAUSE_S", 0)
    cluster = Cluster(keeping, config, tmp_path)
    for _ in range(4):
        cluster.look()
    assert {worker for _, worker in cluster.started} == {*WORKERS}


def test_when_the_head_has_ended_each_worker_is_stopped_once_it_can_be(
    keeping, config, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(keeping, "PAUSE_S", 0)
    cluster = Cluster(keeping, config, tmp_path)
    away = tmp_path / "away"
    cluster.does = f"mkdir {away}"  # Fails, but for the first time.
    head = subprocess.Popen(["sleep", "60"])
    ended = psutil.Process(head.pid)
    head.kill()
    head.wait()  # Before any look, which would start workers.
    monkeypatch.setattr(keeping, "head_process", lambda: ended)
    monkeypatch.setattr(keeping, "GcsClient", lambda address: cluster)
    process = cluster.process

    def back(action: str, worker: str) -> subprocess.Popen[bytes]:
        if len(cluster.started) == 3:
            away.rmdir()
        return process(action, worker)

    cluster.keeper.process = back
    cluster.keeper.run()
    assert {*cluster.started[:2]} == {("stop", worker) for worker in WORKERS}
    assert len(cluster.started) == 4
    said = [line.split(" ", 3)[3] for line in capsys.readouterr().out.splitlines()]
    assert sorted(said) == ["could not be stopped", "has ended", "has ended"]


CUT = [b"", b"provider: [", b"provider: {}", b"provider: {worker_ips: null}", b"\xff", None]


@pytest.mark.parametrize("text", CUT)
def test_a_file_that_cannot_be_read_now_is_what_it_was(
    text, keeping, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(keeping, "PAUSE_S", 0)
    cluster = Cluster(keeping, config, tmp_path)
    cluster.look()
    damage(cluster.keeper.path, text)
    cluster.look()
    assert sorted(cluster.started) == [("start", worker) for worker in WORKERS for _ in "12"]
    config["provider"]["worker_ips"] = WORKERS[:1]
    cluster.keeper.path.write_text(yaml.safe_dump(config))
    cluster.look()
    assert cluster.started[4:] == [("start", WORKERS[0])]


def test_the_file_of_another_head_with_the_same_home_is_not_read(keeping, config, tmp_path):
    cluster = Cluster(keeping, config, tmp_path)
    cluster.keeper.config()
    config["provider"].update(head_ip="10.0.0.9", worker_ips=["10.0.0.10"])
    cluster.keeper.path.write_text(yaml.safe_dump(config))
    cluster.look()
    assert sorted(cluster.started) == [("start", worker) for worker in WORKERS]


@pytest.mark.parametrize("text", [b"", None])
def test_a_disk_that_fails_keeps_no_workers_ray_running(
    text, keeping, config, tmp_path, monkeypatch
):
    """Nor do processes that cannot be started now."""
    monkeypatch.setattr(keeping, "PAUSE_S", 0)
    cluster = Cluster(keeping, config, tmp_path)
    cluster.does = "true"
    cluster.keeper.config()
    damage(cluster.keeper.path, text)
    failed = []

    def short_of(action: str, worker: str) -> subprocess.Popen[bytes]:
        if len(failed) < 3:
            failed.append(worker)
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return cluster.process(action, worker)

    def full(*words: str, flush: bool) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    cluster.keeper.process = short_of
    monkeypatch.setattr(keeping, "print", full, raising=False)
    cluster.keeper.stop_all()
    assert sorted(cluster.started) == [("stop", worker) for worker in WORKERS]


def test_who_stops_a_worker_needs_no_disk(keeping, config, tmp_path, monkeypatch):
    cluster = Cluster(keeping, config, tmp_path)
    cluster.keeper.config()
    damage(cluster.keeper.path, None)
    monkeypatch.setattr(keeping, "FOLDER", tmp_path / "gone")
    seen = []

    def popen(command: list[str], **options: Any) -> None:
        path = Path(command[2].partition("=")[2])
        seen.append((yaml.safe_load(path.read_text()), command[3:], options["stdout"]))
        assert options["pass_fds"] == [int(path.name)]

    monkeypatch.setattr(keeping.subprocess, "Popen", popen)
    keeping.Keeper.process(cluster.keeper, "stop", WORKERS[0])
    assert seen == [(config, ["stop", WORKERS[0]], subprocess.DEVNULL)]


def damage(path: Path, text: bytes | None) -> None:
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text)


def test_a_worker_is_set_up_from_the_first_command_each_time(keeping, config):
    first, second = (sys.modules["start_worker"].updater_of("127.0.0.2", config) for _ in range(2))
    assert first.runtime_hash != second.runtime_hash
    assert first.setup_commands[0] == f"export RAY_HEAD_IP=127.0.0.1; {config['setup_commands'][0]}"
    assert len(first.setup_commands) == len(config["setup_commands"])
    assert "ray start --address=$RAY_HEAD_IP:6379" in first.ray_start_commands[-1]
    assert not first.provider.is_terminated("127.0.0.2")
