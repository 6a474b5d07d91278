"""What the doctor finds, and what it can mend: with every fault it must be able to see."""

import importlib.metadata
import os
from pathlib import Path

import pytest
import stored_study
import yaml
from changed_bytes import flip
from digits_place import lasting

from lttune.__main__ import main
from lttune.exchange.health import disks
from lttune.exchange.health.cluster import cluster_findings
from lttune.exchange.health.clusters.file import texts_in
from lttune.exchange.health.clusters.launcher import LAUNCHER_RULES
from lttune.exchange.health.disks import room_finding
from lttune.exchange.health.environment import environment_findings
from lttune.exchange.health.repair import repair
from lttune.exchange.health.study import study_findings
from lttune.records import schema
from lttune.records.folder import read_sheet
from lttune.records.ledger import Ledger
from lttune.records.tables import TABLES
from lttune.store.disk import Room
from lttune.store.locks import only_driver

CLUSTERS = Path(__file__).parents[2] / "studies" / "cluster"


def troubles(found):
    return [(one.what, one.trouble) for one in found if one.trouble]


@pytest.fixture
def study(tmp_path):
    """A study with both tables; the second was never written, so that it is made from the store."""
    folder = stored_study.make(
        tmp_path / "results", trials=({}, {"train.lr": 0.003}), controls=("reinit",)
    )
    assert repair(folder) == (2, [])
    return folder


def test_this_machine_can_run_studies(tmp_path):
    found = environment_findings()
    assert [one for one in found if one.exit_code] == []
    assert {one.what.split()[0] for one in found} >= {"Python", "torch", "ray", "mlflow", "optuna"}


def test_packages_that_are_missing_or_old_are_faults(tmp_path, monkeypatch):
    wanted = ["nosuchpackage>=1", "numpy<1", "pandas>=2", "oldpy; python_version < '3'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    found = troubles(environment_findings())
    assert found[0] == ("nosuchpackage", "is not installed")
    assert found[1][0].startswith("numpy 2")
    assert found[1][1] == "must be <1"
    assert len([one for one in environment_findings() if one.exit_code == 5]) == 2


def test_the_share_of_the_job_and_a_long_folder_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "500")
    told = [one.what for one in environment_findings()]
    assert (
        "this job has 1 cores by SLURM_CPUS_PER_TASK, 0.5 GB by SLURM_MEM_PER_NODE" in told
        or os.cpu_count() == 1
    )
    monkeypatch.setenv("TMPDIR", "/" + 90 * "x")
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    (fault,) = (one for one in environment_findings() if one.exit_code)
    assert fault.exit_code == 5
    assert fault.line.startswith("FAULT   names of Ray's sockets: TMPDIR must be at most ")


def test_little_room_is_a_warning(tmp_path, monkeypatch):
    assert room_finding(tmp_path / "not" / "yet").trouble == ""
    for least, told in ((Room(size=10**18, files=0), "TB"), (Room(size=0, files=10**15), "files")):
        monkeypatch.setattr(disks, "LEAST_ROOM", least)
        found = room_finding(tmp_path)
        assert (found.exit_code, found.trouble.startswith("fewer than 1,000,000")) == (0, True)
        assert found.trouble.endswith(told)
        assert found.mend.endswith("or give another --out")


def test_a_sound_study_has_no_fault(study, capsys):
    before = {path: path.stat().st_mtime_ns for path in study.parent.rglob("*")}
    assert main(["doctor", str(study)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in told), told
    looked = {"study.json", "trials.json", "records.parquet", "layers.parquet", "data", "MLflow"}
    assert {line[8:].partition(":")[0] for line in told} >= looked
    assert any("are free at" in line for line in told)
    assert any("who may write to" in line for line in told)
    assert {path: path.stat().st_mtime_ns for path in study.parent.rglob("*")} == before


def test_how_many_trials_are_done_is_told_and_no_fault(study, capsys):
    ledger = Ledger.open(study / "trials.json", read_sheet(study).get("study_id"))
    done = len(ledger.trials)
    assert main(["doctor", str(study)]) == 0
    assert f"ok      {done} of {done} trials are done, complete\n" in capsys.readouterr().out
    ledger.planned = {"anchor": done + 2}
    ledger.save()
    assert main(["doctor", str(study)]) == 0
    line = (
        f"ok      {done} of {done + 2} trials are done, incomplete: the study's command goes on\n"
    )
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("name", ["records", "layers"])
@pytest.mark.parametrize("how", ["missing", "flipped", "nonsense", "fewer"])
def test_a_table_is_found_wrong_and_made_anew(study, name, how, capsys):
    path = study / f"{name}.parquet"
    rows = {n: schema.read(study / f"{n}.parquet") for n in ("records", "layers")}
    if how == "missing":
        path.unlink()
    elif how == "fewer":
        others = [row for row in rows[name] if row["trial"] != 1]
        schema.write(path, others, TABLES[path.name])
    elif how == "flipped":
        flip(path)
    else:
        path.write_bytes(b"oh no")
    assert main(["doctor", str(study)]) == 74
    assert "FAULT" in capsys.readouterr().out
    assert main(["doctor", "--repair", str(study)]) == 0
    assert "the rows of" in capsys.readouterr().out
    for table, before in rows.items():
        assert lasting(schema.read(study / f"{table}.parquet")) == lasting(before)


def test_damaged_trials_or_another_studys_table_are_faults(study, capsys):
    rows = schema.read(study / "records.parquet")
    schema.write(study / "records.parquet", [row | {"trial": row["trial"] + 7} for row in rows])
    assert ("records.parquet beside trials.json") in dict(troubles(study_findings(study)))
    (study / "trials.json").write_text("{")
    assert main(["doctor", str(study)]) == 74
    assert "trials.json: " in capsys.readouterr().out


def test_a_lost_network_is_a_warning_and_its_trial_keeps_no_half_rows(study):
    key = schema.read(study / "records.parquet")[-1]["cell"]
    (study.parent / "cells" / key[:2] / key / "record.json").write_text("{}")
    (lost,) = troubles(study_findings(study))
    assert lost[1] == "1 of them are missing or damaged; their rows stay true"
    assert [one for one in study_findings(study) if one.exit_code] == []
    (study / "records.parquet").unlink()
    made, left = repair(study)
    assert made == 1
    assert len(left) == 1
    assert "the store lacks a network" in left[0]
    assert {row["trial"] for row in schema.read(study / "records.parquet")} == {0}


def test_a_study_that_runs_is_not_repaired(study, capsys):
    with only_driver(study):
        assert main(["doctor", "--repair", str(study)]) == 75
    assert "another driver is running the study" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["onprem", "aws"])
def test_the_cluster_files_that_are_shipped_leave_nothing_open(name):
    assert troubles(cluster_findings(CLUSTERS / f"{name}.yaml")) == []


def opened(config):
    config["provider"]["security_group"] = {"IpPermissions": [{"CidrIp": "0.0.0.0/0"}]}


def opened_to_version_6(config):
    config["provider"]["security_group"] = {"IpPermissions": [{"CidrIpv6": "::/0"}]}


def without_starts(config):
    del config["head_start_ray_commands"]


def replaced(old, new):
    def change(config):
        for name in ("head_start_ray_commands", "worker_start_ray_commands"):
            config[name] = [command.replace(old, new) for command in config[name]]

    return change


def with_key(config):
    config["setup_commands"].append("export RAY_AUTH_TOKEN=abc")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (opened, "who may connect"),
        (opened_to_version_6, "who may connect"),
        (without_starts, "how Ray is started"),
        (replaced("RAY_AUTH_MODE=token", ""), "who may run code"),
        (
            replaced("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=token; export RAY_AUTH_MODE=disabled"),
            "who may run code",
        ),
        (
            replaced("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=token; unset RAY_AUTH_MODE"),
            "who may run code",
        ),
        (
            replaced("export RAY_AUTH_MODE=token", "true # RAY_AUTH_MODE=token\nexport A=1"),
            "who may run code",
        ),
        (replaced("--dashboard-host=127.0.0.1", ""), "the dashboard"),
        (
            replaced(
                "--dashboard-host=127.0.0.1", "--dashboard-host=127.0.0.1 --dashboard-host=::"
            ),
            "the dashboard",
        ),
        (with_key, "secrets"),
    ],
)
def test_what_a_cluster_file_leaves_open_is_a_fault(change, rule, tmp_path, capsys):
    config = yaml.safe_load((CLUSTERS / "onprem.yaml").read_text())
    change(config)
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    assert [what for what, _ in troubles(cluster_findings(path))] == [rule]
    assert main(["doctor", str(path)]) == 2
    assert f"FAULT   {rule}: " in capsys.readouterr().out
    assert rule in [name for name, *_ in LAUNCHER_RULES]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "is no YAML"),
        ("a: 1", "has no provider"),
        ("- 1", "has no provider"),
        ("x" * 1_000_001, "at most 1,000,000 bytes"),
        ("!!python/name:os.getcwd", "is no YAML"),
        ("provider: !!bool foo", "is no YAML"),
        ("provider: {}\nprovider: {}", "is no YAML: line 1: 'provider' must be given once"),
        ('provider: "\\uD800"', "is no YAML"),
    ],
)
def test_what_is_no_cluster_file_is_one_line(text, told, tmp_path, capsys):
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    assert main(["doctor", str(path)]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert printed.count("\n") == 1


def test_a_key_whose_name_is_that_of_no_file_is_passed_over(tmp_path):
    config = yaml.safe_load((CLUSTERS / "onprem.yaml").read_text())
    config["auth"]["ssh_private_key"] = "a\0b"
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    assert troubles(cluster_findings(path)) == []


def test_a_study_may_be_called_as_a_cluster_file_is(tmp_path, capsys):
    made = stored_study.make(tmp_path / "results")
    study = made.rename(made.with_name("a.yaml"))
    assert main(["doctor", "--repair", str(study)]) == 0
    told = capsys.readouterr()
    assert "trials.json" in told.out
    assert told.err == ""


def test_what_aliases_stand_for_is_looked_at_once():
    shared = ["secret"]
    tree = [shared, {"again": shared, "itself": []}, shared]
    tree[1]["itself"].append(tree)
    assert sorted(texts_in(tree)) == ["again", "itself", "secret"]


def test_a_repair_is_of_a_study(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--repair"])
    assert "--repair must be given with a study's folder" in capsys.readouterr().err
