"""Batch scripts for Slurm."""

from __future__ import annotations

import re

from lttune.exchange.health.clusters.arrays import ARRAY_RULES
from lttune.exchange.health.clusters.file import (
    EVERYWHERE,
    OUT,
    STATISTICS,
    TOKEN_MODE,
    WHO_CONNECTS,
    ClusterFile,
    FileRule,
    named_store,
)
from lttune.exchange.health.clusters.shell import study_commands, with_values
from lttune.store.remote.url import is_mistyped, is_url

_CORES = re.compile(r"^#SBATCH\b.*\s(--cpus-per-task|--exclusive|-c)(?=[\s=\d]|$)", re.MULTILINE)
_NODES = re.compile(r"^#SBATCH\b.*\s(?:--nodes[=\s]|-N\s?)(\d+)(?:-(\d+))?", re.MULTILINE)
_OWN = re.compile(r"(/tmp|/var/tmp|/dev/shm|\$\{?TMPDIR)\b")
"""Folders that each node has for itself."""


def batch_file(text: str) -> ClusterFile:
    """Returns what is looked at of a batch script."""
    code = with_values(text)
    return ClusterFile(
        config={},
        texts=[code],
        raw=text,
        # With all that comes before it: what is exported once holds for all of them.
        starts=[code] if "ray start" in code else [],
        shared=[one for one in OUT.findall(code) if not _OWN.match(one)],
        study=code,
    )


def _without_cores(file: ClusterFile) -> str:
    if not _CORES.search(file.study):
        return "no #SBATCH line asks for cores: Slurm gives one"
    if file.starts and "--num-cpus" not in file.study:
        return "`ray start` is not told its cores: it takes all of the node's, not the job's"
    return ""


def _idle_nodes(file: ClusterFile) -> str:
    nodes = [int(most or least) for least, most in _NODES.findall(file.study)]
    commands = study_commands(file.study)
    is_joined = any("--address" in one or "--shard" in one for one in commands)
    if max(nodes, default=1) < 2 or not commands or is_joined:
        return ""
    return f"no command of the study has --address: on one of {max(nodes)} nodes it starts its own"


def _without_folder(file: ClusterFile) -> str:
    store, out = named_store(file), OUT.findall(file.study)
    if is_url(store):
        return ""
    if is_mistyped(store):
        return f"--store {store} is neither a folder nor s3://BUCKET/PREFIX"
    if not store and not out:
        return "the study has no --out: it would be in the folder that the job is sent from"
    flag, places = ("--store", [store]) if store else ("--out", out)
    alone = next((one for one in places if _OWN.match(one)), None)
    return f"{flag} {alone} is another folder on each node" if alone else ""


def _lost_results(file: ClusterFile) -> str:
    # Without a store beside it that is a fault already.
    alone = next((one for one in OUT.findall(file.study) if _OWN.match(one)), None)
    is_lost = alone is not None and bool(named_store(file))
    return f"--out {alone} is on a disk of one node's, and may end with the job" if is_lost else ""


BATCH_RULES: tuple[FileRule, ...] = (
    WHO_CONNECTS,
    TOKEN_MODE,
    STATISTICS,
    (
        "the study's Ray",
        _idle_nodes,
        "give the study --address HOST:PORT of the head, as studies/cluster/slurm.sbatch does",
    ),
    (
        "resources of nodes",
        _without_cores,
        "write #SBATCH --cpus-per-task=N, and `ray start --num-cpus=$SLURM_CPUS_PER_TASK`",
    ),
    (
        "the shared folder",
        _without_folder,
        "give --out a folder that all nodes see, or --store such a folder or s3://BUCKET/PREFIX",
    ),
    *ARRAY_RULES,
    *EVERYWHERE,
)
BATCH_CAUTIONS: tuple[FileRule, ...] = (
    (
        "the results",
        _lost_results,
        "give --out a folder that stays, where a job that goes on finds it, or copy it at the end",
    ),
)
"""What is no fault."""
