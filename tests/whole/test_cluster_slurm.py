"""The batch scripts do what they say, with stand-ins for Slurm, Ray and the study."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from lttune.study.settings import StudyConfig

OURS = Path(__file__).parents[2] / "studies" / "cluster"
SCRIPTS = ("slurm.sbatch", "slurm-array.sbatch", "slurm-shards.sbatch")

NOTES = 'echo "$(basename "$0") $*" >> "$NOTES"\n'
PYTHON = f"""#!/bin/sh
case "$1" in
  -c) cat "$NODES_FILE" ;;
  *) {NOTES.strip()}; exit 5 ;;
esac
"""
"""The study, which ends with an exit code of its own, and what counts nodes."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder like a checkout's, with stand-ins first in the path."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    # What srun and ray would run goes on until the job ends.
    scripts = {
        "srun": "#!/bin/sh\necho srun $* >> $NOTES\n",
        "sleep": "#!/bin/sh\n",
        "python": PYTHON,
        "getent": "#!/bin/sh\nprintf '127.0.1.1 STREAM node-a\\n10.0.0.5 STREAM\\n'\n",
    }
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return tmp_path


def run(
    place: Path, script: str, nodes: int = 1, there: str | None = None, **more: str
) -> tuple[int, list[str], str]:
    """Runs a script as Slurm does; returns its exit code, what was called, and what it printed.

    Args:
        place: where.
        script: its name.
        nodes: how many it asked for.
        there: how many come to be in Ray's cluster; None is all.
        more: variables of the environment.
    """
    notes = place / "notes"
    (place / "nodes").write_text(f"{there or nodes}\n")
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "NOTES": str(notes),
        "NODES_FILE": str(place / "nodes"),
        "SLURM_JOB_ID": "123456",
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_CPUS_PER_TASK": "16",
        "SLURMD_NODENAME": "node-a",
    }
    command = ["bash", str(OURS / script)]
    done = subprocess.run(
        command, cwd=place, env={**given, **more}, capture_output=True, text=True, timeout=30
    )
    return done.returncode, sorted(notes.read_text().splitlines()), done.stdout + done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_shell_and_slurms_lines_come_before_any_command(name):
    subprocess.run(["bash", "-n", str(OURS / name)], check=True)
    lines = (OURS / name).read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    last = max(n for n, line in enumerate(lines) if line.startswith("#SBATCH"))
    # Slurm reads none after the first command.
    assert all(not line or line.startswith("#") for line in lines[:last])
    asked = [line.split()[1] for line in lines if line.startswith("#SBATCH")]
    assert all(one.startswith("--") and "=" in one for one in asked)
    assert len({one.partition("=")[0] for one in asked}) == len(asked)
    assert {"--cpus-per-task=16", "--signal=B:TERM@300"} <= {*asked}


def flags(line: str) -> dict[str, str]:
    return {a: b for a, b in itertools.pairwise(line.split()) if a.startswith("--")}


def test_several_nodes_are_one_cluster_and_the_studys_end_is_the_jobs(place):
    code, called, said = run(place, "slurm.sbatch", nodes=3)
    assert code == 5, said
    study, head, workers = called
    address = "node-a:23456"
    assert study.startswith("python studies/lenet_sensitivity.py ")
    assert flags(study)["--address"] == address
    assert flags(study)["--out"] == f"{place}/results"
    assert flags(study)["--tracking-uri"] == f"sqlite:///{place}/results/mlflow.db"
    assert "--nodes=1 --ntasks=1 --nodelist=node-a bash -c " in head
    assert head.endswith(
        "/tmp/ray-123456 --num-cpus=16 --head --port=23456 --include-dashboard=false "
        "--node-ip-address=10.0.0.5"
    )
    assert "--nodes=2 --ntasks=2 --exclude=node-a bash -c " in workers
    assert workers.endswith(f"/tmp/ray-123456 --num-cpus=16 --address={address}")
    assert all("--cpus-per-task=16 --ntasks-per-node=1" in one for one in (head, workers))
    assert StudyConfig(name="x", address=address).address == address


def test_ray_lies_in_a_folder_of_the_users_alone(place):
    """Ray lets everybody write to the folder that it is given."""
    programs, scratch = place / ".venv" / "bin", place / "scratch"
    run_it = '#!/bin/bash\nwhile [[ "$1" == --* ]]; do shift; done\nexec "$@"\n'
    (programs / "srun").write_text(run_it)
    (programs / "ray").write_text(PYTHON)
    (programs / "ray").chmod(0o755)
    script = (OURS / "slurm.sbatch").read_text()
    (place / "own.sbatch").write_text(script.replace("/tmp/ray-$SLURM_JOB_ID", str(scratch)))
    _, called, _ = run(place, str(place / "own.sbatch"), nodes=3)
    starts = [one for one in called if one.startswith("ray start --block ")]
    assert [f"--temp-dir={scratch}/ray --num-cpus=16" in one for one in starts] == [True, True]
    assert scratch.stat().st_mode & 0o777 == 0o700
    # A stranger's trap, of which the mode is his: a link.
    scratch.rmdir()
    scratch.symlink_to(place)
    (place / "notes").unlink()
    _, called, said = run(place, str(place / "own.sbatch"), nodes=3)
    assert not [one for one in called if one.startswith("ray start")]
    assert f"lttune: {scratch} on " in said


def test_one_node_needs_no_cluster(place):
    code, called, said = run(place, "slurm.sbatch")
    assert code == 5, said
    (study,) = called
    assert "--address" not in study


def test_each_element_of_an_array_is_a_study_of_its_own(place):
    code, called, said = run(place, "slurm-array.sbatch", SLURM_ARRAY_TASK_ID="7")
    assert code == 5, said
    (study,) = called
    found = flags(study)
    assert (found["--seed"], found["--name"]) == ("7", "sensitivity-7")
    assert found["--tracking-uri"] == f"sqlite:///{place}/results/mlflow-7.db"
    assert StudyConfig(name=found["--name"]).name == "sensitivity-7"


def test_each_element_of_an_array_is_a_shard_of_one_study(place):
    # Alone, as one is given again that failed.
    sizes = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "1"}
    code, (study,), said = run(place, "slurm-shards.sbatch", **sizes)
    assert code == 5, said
    _, both, _ = run(place, "slurm.sbatch")
    (whole,) = set(both) - {study}
    found, last = flags(study), flags(whole)
    assert StudyConfig(name="x", shard=found.pop("--shard")).shard_numbers == (7, 16)
    # The study itself is given the same, and its MLflow.
    assert last.pop("--tracking-uri") == f"sqlite:///{place}/results/mlflow.db"
    assert found == last


def test_nodes_that_never_come_are_told_and_the_study_has_the_others(place):
    code, called, said = run(place, "slurm.sbatch", nodes=3, there="2")
    assert code == 5, said
    assert "lttune: fewer than 3 nodes after five minutes\n" in said
    assert len(called) == 3
