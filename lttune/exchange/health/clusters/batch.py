"""Batch scripts for Slurm."""

from __future__ import annotations

import re

from lttune.exchange.health.clusters.file import (
    EVERYWHERE,
    TOKEN_MODE,
    WHO_CONNECTS,
    ClusterFile,
    FileRule,
)

_COMMENT = re.compile(r"^#(?!SBATCH\b).*$|\s#\s.*$", re.MULTILINE)
_VARIABLE = re.compile(r"^(\w+)=(\S+)", re.MULTILINE)
_USED = re.compile(r"\$\{?(\w+)\}?")
_OUT = re.compile(r"""--out[= ]["']?([^\s"')]+)""")
_OWN = re.compile(r"(/tmp|/var/tmp|/dev/shm|\$\{?TMPDIR)\b")
"""Folders that each node has for itself."""


def batch_file(text: str) -> ClusterFile:
    """Returns what is looked at of a batch script."""
    code = _COMMENT.sub("", text)
    known = {name: value.strip("\"'") for name, value in _VARIABLE.findall(code)}
    code = _USED.sub(lambda found: known.get(found[1], found[0]), code)
    return ClusterFile(
        config={},
        texts=[code],
        # With all that comes before it: what is exported once holds for all of them.
        starts=[code] if "ray start" in code else [],
        shared=[one for one in _OUT.findall(code) if not _OWN.match(one)],
        study=code,
    )


def _without_cores(file: ClusterFile) -> str:
    if not re.search(r"^#SBATCH\s+(--cpus-per-task|-c|--exclusive)\b", file.study, re.MULTILINE):
        return "no #SBATCH line asks for cores: Slurm gives one"
    if file.starts and "--num-cpus" not in file.study:
        return "`ray start` is not told its cores: it takes all of the node's, not the job's"
    return ""


def _without_folder(file: ClusterFile) -> str:
    out = _OUT.findall(file.study)
    if not out:
        return "the study has no --out: it would be in the folder that the job is sent from"
    alone = next((one for one in out if _OWN.match(one)), None)
    return f"--out {alone} is another folder on each node" if alone else ""


BATCH_RULES: tuple[FileRule, ...] = (
    WHO_CONNECTS,
    TOKEN_MODE,
    (
        "resources of nodes",
        _without_cores,
        "write #SBATCH --cpus-per-task=N, and `ray start --num-cpus=$SLURM_CPUS_PER_TASK`",
    ),
    ("the shared folder", _without_folder, "give --out a folder that all nodes see"),
    *EVERYWHERE,
)
