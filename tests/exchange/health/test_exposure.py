"""What lies open on this machine, and the mend after which it does not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from lttune.__main__ import main
from lttune.exchange.health import exposure
from lttune.exchange.health.cluster import cluster_findings
from lttune.exchange.health.exposure import (
    SECRET_FILES,
    listening_findings,
    secret_findings,
    writable_findings,
)

CLUSTERS = Path(__file__).parents[3] / "studies" / "cluster"

LISTENS = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)  # PR_SET_NAME.
with socket.create_server((sys.argv[2], 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def listens(monkeypatch):
    """Starts a process of a name that listens, the only one that is looked at; returns its port."""
    started = []

    def start(name: str, address: str, mode: str) -> int:
        command = [sys.executable, "-c", LISTENS, name, address]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, env={"RAY_AUTH_MODE": mode}, **pipes)
        started.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        mine = psutil.Process(process.pid)
        monkeypatch.setattr(exposure.psutil, "process_iter", lambda: [mine])
        return port

    yield start
    for process in started:
        process.communicate("")


@pytest.mark.parametrize(("mode", "code"), [("disabled", 5), ("token", 0)])
@pytest.mark.parametrize("name", ["raylet", "gcs_server", "ray::IDLE"])
def test_a_process_of_ray_that_other_machines_reach_is_told(name, mode, code, listens):
    port = listens(name, "0.0.0.0", mode)
    (found,) = listening_findings()
    assert re.fullmatch(f"processes of Ray and their ports: {name} \\d+ at {port}", found.what)
    assert found.trouble.startswith("other machines reach them, ")
    assert ("without a token" in found.trouble) == (mode == "disabled")
    assert found.mend.startswith("close them to all but its nodes")
    assert found.exit_code == code


@pytest.mark.parametrize(
    ("name", "address"),
    [("raylet", "127.0.0.1"), ("something", "0.0.0.0")],
    ids=["loopback", "not Ray's"],
)
def test_what_only_this_machine_reaches_or_is_not_rays_is_well(name, address, listens):
    listens(name, address, "disabled")
    (found,) = listening_findings()
    assert (found.trouble, found.exit_code) == ("", 0)


def test_a_process_that_has_gone_is_passed_over(monkeypatch):
    done = subprocess.Popen([sys.executable, "-c", ""])
    mine = psutil.Process(done.pid)
    done.wait()
    monkeypatch.setattr(exposure.psutil, "process_iter", lambda: [mine])
    assert [one.trouble for one in listening_findings()] == [""]


def test_the_keys_of_every_store_are_looked_at():
    usual = {name for _, name in SECRET_FILES.values()}
    keys = ("~/.aws/credentials", "~/.config/gcloud/application_default_credentials.json")
    assert usual.issuperset(keys)


@pytest.mark.parametrize("what", SECRET_FILES)
def test_a_secret_that_others_can_read_is_closed_by_its_mend(what, surroundings, monkeypatch):
    assert list(secret_findings()) == []
    variable, usual = SECRET_FILES[what]
    places = [surroundings / usual.removeprefix("~/")]
    if variable:
        places.append(surroundings / "elsewhere")
    for path in places:
        if path.name == "elsewhere":
            monkeypatch.setenv(variable, str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("CANARY")
        path.chmod(0o640)
        (found,) = secret_findings()
        assert found.line == (
            f"FAULT   {what} {path}: others can read it (mode 640): chmod 600 {path}"
        )
        assert found.exit_code == 5
        subprocess.run(found.mend, shell=True, check=True)
        assert [one.trouble for one in secret_findings()] == [""]


def test_what_others_can_write_is_closed_by_its_mend(study, capsys):
    assert [one.trouble for one in writable_findings(study, study.parent / "cells")] == ["", ""]
    (inside,) = list((study.parent / "cells").glob("??/*"))[:1]
    for path in (study / "records.parquet", study, inside / "seal.json", study.parent):
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        assert main(["doctor", str(study)]) == 5
        faults = [one for one in writable_findings(study, study.parent / "cells") if one.trouble]
        assert any(str(path) in one.trouble for one in faults)
        for one in faults:
            subprocess.run(one.mend, shell=True, check=True)
        assert path.stat().st_mode == mode
        assert main(["doctor", str(study)]) == 0
    assert "who may write to" in capsys.readouterr().out


def test_links_have_no_modes(study, tmp_path):
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (study / "figures").symlink_to(tmp_path / "open")
    assert [one.trouble for one in writable_findings(study)] == [""]


def test_a_folder_in_which_each_may_remove_only_their_own_is_well(tmp_path):
    study = tmp_path / "shared" / "study"
    study.mkdir(parents=True)
    study.parent.chmod(0o1777)
    assert [one.trouble for one in writable_findings(study)] == [""]
    study.parent.chmod(0o777)
    (found,) = writable_findings(study)
    assert found.trouble == f"everybody, 1 files and folders: {study.parent}"


def test_all_of_a_machine_is_looked_at(cwd, surroundings, monkeypatch, capsys):
    monkeypatch.setattr(exposure.psutil, "process_iter", lambda: [psutil.Process()])
    (surroundings / ".netrc").write_text("machine host login me password CANARY")
    (surroundings / ".netrc").chmod(0o644)
    assert main(["doctor"]) == 5
    out = capsys.readouterr().out
    assert "CANARY" not in out
    for what in ("Python 3", "this job has ", " files are free at ", "data: ", "MLflow: ", "Ray"):
        assert what in out
    assert out.count("FAULT") == 1
    assert list(cwd.iterdir()) == []


def test_what_a_cluster_opens_and_is_given_is_told(surroundings, tmp_path):
    config = yaml.safe_load((CLUSTERS / "onprem.yaml").read_text())
    starts = config["head_start_ray_commands"]
    config["head_start_ray_commands"] = [one.replace("6379", "7000") for one in starts]
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    opened = next(one for one in cluster_findings(path) if one.what.startswith("open to its nodes"))
    assert ": 7000 (GCS), 10001 (Ray's client), and any port above 1024" in opened.what
    for name in (".ray/auth_token", ".ssh/lttune_cluster"):
        secret = surroundings / name
        secret.parent.mkdir()
        secret.write_text("CANARY")
        secret.chmod(0o644)
        (found,) = [one for one in cluster_findings(path) if one.trouble]
        assert found.what == f"given to nodes: {secret}"
        subprocess.run(found.mend, shell=True, check=True)
        assert [one for one in cluster_findings(path) if one.trouble] == []


def test_the_group_that_ray_makes_on_aws_is_a_fault(tmp_path):
    config = yaml.safe_load((CLUSTERS / "aws.yaml").read_text())
    path = tmp_path / "cluster.yaml"
    for node in config["available_node_types"].values():
        node["node_config"].pop("SecurityGroupIds", None)
    path.write_text(yaml.safe_dump(config))
    (found,) = [one for one in cluster_findings(path) if one.trouble]
    assert (found.what, found.exit_code) == ("who may log in", 2)
    assert found.mend.startswith("give each node type SecurityGroupIds")
    for node in config["available_node_types"].values():
        node["node_config"]["SecurityGroupIds"] = ["sg-1"]
    path.write_text(yaml.safe_dump(config))
    assert [one for one in cluster_findings(path) if one.trouble] == []


@pytest.mark.parametrize("value", [5, "ray start", {"a": 1}, None, [5, None]])
def test_commands_of_another_kind_are_no_traceback(value, tmp_path):
    path = tmp_path / "cluster.yaml"
    content = {"provider": value, "head_start_ray_commands": value, "auth": value}
    content |= {"file_mounts": value, "available_node_types": value}
    path.write_text(yaml.safe_dump(content))
    assert main(["doctor", str(path)]) == 2
