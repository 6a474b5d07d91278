"""Secrets in cluster files are told and not shown; what only looks like a mistake is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster_mistakes import PASSWORD, SECRETS, STATISTICS, VARIABLE

from lttune.__main__ import main
from lttune.exchange.health.cluster import cluster_findings

OURS = Path(__file__).parents[3] / "studies" / "cluster"


def edited(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text = (OURS / name).read_text()
    assert old in text
    path = tmp_path / name
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(("name", "old", "new"), [one[:3] for one in SECRETS])
def test_a_secret_is_told_and_not_shown(name, old, new, tmp_path, capsys):
    assert main(["doctor", str(edited(tmp_path, name, old, new))]) == 2
    shown = capsys.readouterr()
    assert "is written in the file" in shown.out
    assert PASSWORD not in shown.out + shown.err


@pytest.mark.parametrize("name", ["onprem.yaml", "slurm.sbatch", "kuberay-rayjob.yaml"])
@pytest.mark.parametrize(
    "text",
    [
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "RAY_AUTH_TOKEN=x",
        "token: " + "0f" * 32,
        "123e4567-e89b-12d3-a456-426614174000",
    ],
)
def test_a_secret_in_a_comment_is_published_too(name, text, tmp_path):
    path = tmp_path / name
    path.write_text(f"{(OURS / name).read_text()}\n# {text}\n")
    assert [one.what for one in cluster_findings(path) if one.trouble] == ["secrets"]


SOURCE = "valueFrom: {secretKeyRef: {name: lttune, key: token}}"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("aws.yaml", STATISTICS, f'{STATISTICS} RAY_AUTH_TOKEN="$(cat ~/token)"'),
        ("aws.yaml", STATISTICS, f"{STATISTICS} MLFLOW_TRACKING_PASSWORD=$PW A_TOKEN=${{B}}"),
        ("aws.yaml", STATISTICS, f"{STATISTICS} RAY_AUTH_TOKEN_PATH=/home/me/token"),
        ("slurm.sbatch", '"sqlite:///$out/mlflow.db"', '"https://anna:$PW@mlflow.example.org"'),
        ("slurm.sbatch", '"sqlite:///$out/mlflow.db"', "https://mlflow.example.org:8443/a@b"),
        (
            "kuberay-rayjob.yaml",
            VARIABLE,
            f"{VARIABLE}\n                - {{name: A_TOKEN, {SOURCE}}}",
        ),
        ("kuberay-rayjob.yaml", "lttune:0.1.0", f"lttune@sha256:{'0f' * 32}"),
        (
            "kuberay-rayjob.yaml",
            "apiVersion: ray.io/v1",
            "kind: PersistentVolumeClaim\nmetadata: {name: lttune}\n---\napiVersion: ray.io/v1",
        ),
        # One after the other, as a study that goes on from job to job.
        ("slurm-array.sbatch", "--array=0-3", "--array=0-3%1"),
        # What a command prints, or is read, is not known.
        ("slurm-array.sbatch", "seed=$SLURM_ARRAY_TASK_ID", 'seed=$(sed -n "$A p" seeds)'),
        ("slurm-array.sbatch", "seed=$SLURM_ARRAY_TASK_ID", 'read -r seed < "seed.$A"'),
        ("slurm-array.sbatch", "$seed.db", "${SLURM_ARRAY_TASK_ID:-0}.db"),
        ("slurm-shards.sbatch", "/$shards", "/$SLURM_ARRAY_TASK_COUNT"),
        ("onprem.yaml", "chmod 600", "sudo chmod u=rw,go="),
        ("onprem.yaml", "cluster_name: lttune\n", "cluster_name: lttune\nmin_workers: 2\n"),
    ],
)
def test_what_only_looks_like_a_mistake_is_none(name, old, new, tmp_path):
    path = edited(tmp_path, name, old, new)
    assert [(one.what, one.trouble) for one in cluster_findings(path) if one.trouble] == []


def test_workers_that_rays_autoscaler_starts_are_a_warning(tmp_path, capsys):
    flag = " --autoscaling-config=~/ray_bootstrap_config.yaml"
    path = edited(tmp_path, "onprem.yaml", "ray start --head", f"ray start{flag} --head")
    assert main(["doctor", str(path)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "warning" in one]
    assert "workers that come back: Ray's autoscaler leaves a machine alone for good" in line


def test_a_file_of_several_rayjobs_is_one_line(tmp_path, capsys):
    text = (OURS / "kuberay-rayjob.yaml").read_text()
    path = tmp_path / "jobs.yaml"
    path.write_text(f"{text}\n---\n{text}")
    assert main(["doctor", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    path.write_text("---\na: 1\n" * 101)
    assert main(["doctor", str(path)]) == 2
    assert "at most 100 documents, got 101" in capsys.readouterr().err
