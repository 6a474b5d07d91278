"""Files that start a cluster: ours are well, and each thing that is planted in one is a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bounded import bounded

from lttune.__main__ import main
from lttune.exchange.health.cluster import cluster_findings
from lttune.exchange.health.clusters import batch, kuberay, launcher

OURS = Path(__file__).parents[3] / "studies" / "cluster"
FILES = [path.name for path in sorted(OURS.iterdir()) if path.suffix in (".yaml", ".sbatch")]
RULES = {
    name: rules
    for names, rules in (
        (("aws.yaml", "gcp.yaml", "onprem.yaml"), launcher.LAUNCHER_RULES),
        (("kuberay-rayjob.yaml",), kuberay.RAYJOB_RULES),
        (("slurm.sbatch", "slurm-array.sbatch"), batch.BATCH_RULES),
    )
    for name in names
}

PLANTED = [
    ("aws.yaml", "==2.60.0' boto3\n", "==2.59.1' boto3\n", "Ray's version", "2.59.1"),
    ("gcp.yaml", "==2.60.0'\n", "==2.9'\n", "Ray's version", "2.9"),
    ("kuberay-rayjob.yaml", "rayVersion: 2.60.0", "rayVersion: 2.59.0", "rayVersion", "2.59.0"),
    ("kuberay-rayjob.yaml", "    rayVersion: 2.60.0", "    #", "rayVersion", "missing"),
    (
        "kuberay-rayjob.yaml",
        "registry.example.org/lttune:0.1.0",
        "rayproject/ray:2.58.0-py312",
        "Ray's version",
        "2.58.0",
    ),
    (
        "slurm.sbatch",
        ". .venv/bin/activate",
        "pip install 'ray[tune]==2.58.0'",
        "Ray's version",
        "2.58.0",
    ),
    (
        "gcp.yaml",
        "    resources: {CPU: 8}  ",
        "    resources: {}  ",
        "resources of nodes",
        "'head'",
    ),
    ("aws.yaml", "    resources: {}  ", "    #", "resources of nodes", "'head' has none"),
    ("aws.yaml", "head_node_type: head", "head_node_type: chief", "resources of nodes", "'chief'"),
    (
        "kuberay-rayjob.yaml",
        'limits: {cpu: "4", memory: 8Gi}',
        'limits: {cpu: "4"}',
        "resources of nodes",
        "the head has no limit of memory",
    ),
    ("slurm.sbatch", ' --num-cpus="$SLURM_CPUS_PER_TASK"', "", "resources of nodes", "its cores"),
    (
        "slurm-array.sbatch",
        "#SBATCH --cpus-per-task=16\n",
        "",
        "resources of nodes",
        "Slurm gives one",
    ),
    ("onprem.yaml", "  - mountpoint", "  - true  #", "the shared folder", "no node mounts one"),
    ("gcp.yaml", "  - mountpoint", "  - true  #", "the shared folder", "no node mounts one"),
    (
        "kuberay-rayjob.yaml",
        "persistentVolumeClaim: {claimName: lttune}",
        "emptyDir: {}",
        "the shared folder",
        "--out /shared/results is in no volume that head and workers share",
    ),
    (
        "kuberay-rayjob.yaml",
        "--out /shared/results ",
        "",
        "the shared folder",
        "the study has no --out",
    ),
    (
        "slurm.sbatch",
        "out=$PWD/results",
        "out=/tmp/results",
        "the shared folder",
        "/tmp/results is",
    ),
    ("slurm-array.sbatch", "out=$PWD/results", "out=$TMPDIR", "the shared folder", "on each node"),
    ("slurm.sbatch", ' --out "$out"', "", "the shared folder", "has no --out"),
    (
        "gcp.yaml",
        "dashboard-host=127.0.0.1",
        "dashboard-host=0.0.0.0",
        "who may connect",
        "0.0.0.0",
    ),
    (
        "slurm.sbatch",
        "--include-dashboard=false",
        "--dashboard-host 0.0.0.0",
        "who may connect",
        "",
    ),
    (
        "kuberay-rayjob.yaml",
        "      rayStartParams: {}\n      template: &pod",
        "      rayStartParams: {dashboard-host: 0.0.0.0}\n      template: &pod",
        "who may connect",
        "0.0.0.0",
    ),
    ("gcp.yaml", "      networkInterfaces:", "      tags:", "who may log in (Google)", "default"),
    ("kuberay-rayjob.yaml", "ClusterIP\n", "LoadBalancer\n", "what is opened", "LoadBalancer"),
    (
        "kuberay-rayjob.yaml",
        "      rayStartParams: {}\n      template: &pod",
        "      enableIngress: true\n      template: &pod",
        "what is opened",
        "enableIngress",
    ),
    (
        "kuberay-rayjob.yaml",
        "          containers:\n",
        "          hostNetwork: true\n          containers:\n",
        "what is opened",
        "the head listens",
    ),
    (
        "kuberay-rayjob.yaml",
        "              volumeMounts:\n",
        "              ports: [{containerPort: 8265, hostPort: 80}]\n              volumeMounts:\n",
        "what is opened",
        "the head listens",
    ),
    ("aws.yaml", "  ~/.ray/auth_token: ~", "  ~/.netrc: ~", "the token's file", "no node gets one"),
    ("kuberay-rayjob.yaml", "mode: token", "mode: disabled", "who may run code", "without a token"),
    ("slurm.sbatch", "RAY_AUTH_MODE=token", "A=b", "who may run code", "without a token"),
    (
        "onprem.yaml",
        "export RAY_AUTH_MODE=token' >>",
        "export MLFLOW_TRACKING_URI=sqlite:////home/me/m.db' >>",
        "MLflow's store",
        "/home/me/m.db is in no folder that all nodes see",
    ),
    (
        "kuberay-rayjob.yaml",
        "sqlite:////shared/results/mlflow.db",
        "sqlite:////home/ray/mlflow.db",
        "MLflow's store",
        "/home/ray/mlflow.db is in no",
    ),
    (
        "kuberay-rayjob.yaml",
        " --tracking-uri sqlite:////shared/results/mlflow.db",
        "",
        "MLflow's store",
        "names none",
    ),
    (
        "slurm.sbatch",
        "sqlite:///$out/mlflow.db",
        "sqlite:///$HOME/mlflow.db",
        "MLflow's store",
        "$HOME/mlflow.db is in no",
    ),
    (
        "slurm-array.sbatch",
        "sqlite:///$out/mlflow-$seed.db",
        "sqlite:///$out/../mlflow.db",
        "MLflow's store",
        "is in no folder",
    ),
    (
        "kuberay-rayjob.yaml",
        'value: "0"}',
        'value: "RAY_AUTH_TOKEN=abc"}',
        "secrets",
        "is written in the file",
    ),
    (
        "slurm.sbatch",
        "export RAY_AUTH_MODE",
        "export RAY_AUTH_TOKEN=abc RAY_AUTH_MODE",
        "secrets",
        "is written in the file",
    ),
]


@pytest.mark.parametrize("name", FILES)
def test_ours_are_well(name, capsys):
    assert main(["doctor", str(OURS / name)]) == 0
    assert "FAULT" not in capsys.readouterr().out
    assert name in RULES


@pytest.mark.parametrize(("name", "old", "new", "what", "told"), PLANTED)
def test_what_is_planted_is_one_line_with_its_mend(name, old, new, what, told, tmp_path, capsys):
    text = (OURS / name).read_text()
    assert old in text
    path = tmp_path / name
    path.write_text(text.replace(old, new))
    faults = [one for one in cluster_findings(path) if one.trouble]
    assert what in [one.what for one in faults]
    (fault,) = [one for one in faults if one.what == what]
    assert told in fault.trouble
    assert main(["doctor", str(path)]) == 2
    (line,) = [one for one in capsys.readouterr().out.splitlines() if f"FAULT   {what}: " in one]
    assert line.endswith(f": {fault.mend}")
    assert fault.mend


def test_every_rule_of_a_kind_is_broken_by_something():
    broken = {(RULES[name], what) for name, *_, what, _ in PLANTED}
    # Those of the launcher that were there before have tests of their own.
    older = {"how Ray is started", "who may run code", "the dashboard", "who may log in", "secrets"}
    for rules in (launcher.LAUNCHER_RULES, kuberay.RAYJOB_RULES, batch.BATCH_RULES):
        known = older if rules is launcher.LAUNCHER_RULES else set()
        unbroken = {what for what, *_ in rules} - {what for of, what in broken if of is rules}
        assert unbroken <= known


def test_a_folder_that_is_mounted_already_is_only_looked_at(tmp_path):
    text = (OURS / "onprem.yaml").read_text()
    line = next(one for one in text.splitlines() if "mountpoint" in one)
    path = tmp_path / "onprem.yaml"
    path.write_text(text.replace(line, "  - mountpoint -q /shared"))
    assert [one for one in cluster_findings(path) if one.trouble] == []


@pytest.mark.parametrize("value", [5, "x", [1], {"a": 1}, None, [None]])
@pytest.mark.parametrize("field", ["spec", "rayClusterSpec", "headGroupSpec", "workerGroupSpecs"])
def test_a_rayjob_of_other_kinds_of_values_is_no_traceback(field, value, tmp_path):
    cluster = {"headGroupSpec": {"template": {"spec": {"containers": value}}}}
    spec = {"entrypoint": value, "rayClusterSpec": cluster}
    config = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": spec}
    for part in (config, spec, cluster):
        if field in part or (part is cluster and field == "workerGroupSpecs"):
            part[field] = value
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["doctor", str(path)]) == 2


@pytest.mark.parametrize("value", [5, "x", [1], [["x"]], {"a": 1}, None, [None]])
@pytest.mark.parametrize("name", ["onprem.yaml", "aws.yaml", "gcp.yaml"])
def test_a_launcher_file_of_other_kinds_of_values_is_no_traceback(name, value, tmp_path):
    path = tmp_path / "cluster.yaml"
    config = yaml.safe_load((OURS / name).read_text())
    for field in config:
        path.write_text(yaml.safe_dump({**config, field: value}))
        code = main(["doctor", str(path)])
        assert code in (0, 2, 5)
        assert code or field != "head_start_ray_commands"


def test_room_and_time_follow_the_bytes_of_a_script(tmp_path, capsys):
    path = tmp_path / "job.sbatch"
    path.write_text(f"A={'x' * 20_000}\n" + 2_000 * "echo $A\n" + "unset " * 20_000)
    with bounded():
        assert main(["doctor", str(path)]) == 2
    config = yaml.safe_load((OURS / "onprem.yaml").read_text())
    config["setup_commands"] = ["mount " * 20_000]
    config["head_start_ray_commands"] = ["unset " * 20_000 + "; ray start --head"]
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(config))
    with bounded():
        assert main(["doctor", str(path)]) == 2
    assert "started without a token" in capsys.readouterr().out


def test_a_script_that_is_no_text_is_one_line(tmp_path, capsys):
    path = tmp_path / "job.sbatch"
    path.write_bytes(b"\xff\xfe")
    assert main(["doctor", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
