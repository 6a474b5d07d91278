"""Files that start a cluster: ours are well, and each thing that is planted in one is a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bounded import bounded
from cluster_faults import PLANTED

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
        (("slurm.sbatch", "slurm-array.sbatch", "slurm-shards.sbatch"), batch.BATCH_RULES),
    )
    for name in names
}


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
    for rules in (launcher.LAUNCHER_RULES, kuberay.RAYJOB_RULES, batch.BATCH_RULES):
        assert {what for what, *_ in rules} == {what for of, what in broken if of is rules}


def test_a_comment_may_say_what_is_forbidden(tmp_path):
    path = tmp_path / "aws.yaml"
    path.write_text(f"{(OURS / path.name).read_text()}\n# Never 0.0.0.0.\n")
    assert [one for one in cluster_findings(path) if one.trouble] == []


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


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("kuberay-rayjob.yaml", "--out /shared/results", "--out /shared/"),
        ("kuberay-rayjob.yaml", "--out /shared/results", "--out /shared"),
        ("slurm.sbatch", "#SBATCH --cpus-per-task=", "#SBATCH --mem=4G -c "),
        ("slurm.sbatch", "#SBATCH --cpus-per-task=", "#SBATCH -c"),
    ],
)
def test_what_says_the_same_in_other_words_is_well(name, old, new, tmp_path):
    text = (OURS / name).read_text()
    assert old in text
    path = tmp_path / name
    path.write_text(text.replace(old, new))
    assert [one.what for one in cluster_findings(path) if one.trouble] == []


URL = "--store s3://bucket/lttune"
ON_THE_HEAD = ("        template: *pod\n", "        template: {spec: {containers: [*ray]}}\n")


@pytest.mark.parametrize(
    "edits",
    [
        [("--out /shared/results", f"--out /shared/results {URL}")],
        [("--out /shared/results", f"--out /shared/results {URL}"), ON_THE_HEAD],
        [("--out /shared/results", "--out /shared/results --store gs://b"), ON_THE_HEAD],
    ],
)
def test_results_beside_a_store_behind_a_url_are_the_heads_alone(edits, tmp_path):
    """The workers of the last two mount nothing that outlives them."""
    text = (OURS / "kuberay-rayjob.yaml").read_text()
    text = text.replace("            - name: ray", "            - &ray\n              name: ray")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    assert faults_of(tmp_path / "job.yaml", text) == []
    without = faults_of(tmp_path / "job.yaml", text.replace(" --store ", " --name "))
    assert without == (["the shared folder"] if ON_THE_HEAD in edits else [])


@pytest.mark.parametrize("out", ["/tmp/results", "$TMPDIR/results"])
def test_results_on_a_nodes_disk_beside_a_store_behind_a_url_are_a_warning(out, tmp_path, capsys):
    text = (OURS / "slurm.sbatch").read_text().replace("out=$PWD/results", f"out={out}")
    path = tmp_path / "job.sbatch"
    assert faults_of(path, text) == ["the shared folder"]
    assert faults_of(path, text.replace('--out "$out"', f'--out "$out" {URL}')) == []
    assert main(["doctor", str(path)]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "warning" in one]
    assert f"the results: --out {out} is on a disk of one node's, and may end with the job" in line


def test_with_a_store_behind_a_url_results_go_where_the_job_is_sent_from(tmp_path):
    text = (OURS / "slurm.sbatch").read_text().replace('--out "$out"', URL)
    assert "the shared folder" not in faults_of(tmp_path / "job.sbatch", text)


def test_a_store_that_is_a_mistyped_url_is_a_fault(tmp_path, capsys):
    text = (OURS / "slurm.sbatch").read_text().replace('--out "$out"', "--store s3:/bucket/nets")
    (path := tmp_path / "job.sbatch").write_text(text)
    assert main(["doctor", str(path)]) == 2
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "--store" in one]
    assert line.startswith("FAULT   ")
    assert "--store s3:/bucket/nets is neither a folder nor s3://BUCKET/PREFIX" in line


def faults_of(path: Path, text: str) -> list[str]:
    path.write_text(text)
    return [one.what for one in cluster_findings(path) if one.trouble and one.exit_code]
