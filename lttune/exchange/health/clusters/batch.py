"""Batch scripts for Slurm."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lttune.exchange.health.clusters.file import (
    EVERYWHERE,
    OUT,
    TOKEN_MODE,
    WHO_CONNECTS,
    ClusterFile,
    FileRule,
)

_COMMENT = re.compile(r"^#(?!SBATCH\b).*$|\s#\s.*$", re.MULTILINE)
_VARIABLE = re.compile(r"^(\w+)=(\S+)", re.MULTILINE)
_CORES = re.compile(r"^#SBATCH\b.*\s(--cpus-per-task|--exclusive|-c)(?=[\s=\d]|$)", re.MULTILINE)
_USED = re.compile(r"\$\{?(\w+)\}?")
_OWN = re.compile(r"(/tmp|/var/tmp|/dev/shm|\$\{?TMPDIR)\b")
"""Folders that each node has for itself."""
LEAST_EXPANDED = 100_000
"""Characters that the values of variables may have in a short script."""


def batch_file(text: str) -> ClusterFile:
    """Returns what is looked at of a batch script."""
    code = _COMMENT.sub("", text)
    known = {name: value.strip("\"'") for name, value in _VARIABLE.findall(code)}
    code = _with_values(code, known)
    return ClusterFile(
        config={},
        texts=[code],
        # With all that comes before it: what is exported once holds for all of them.
        starts=[code] if "ray start" in code else [],
        shared=[one for one in OUT.findall(code) if not _OWN.match(one)],
        study=code,
    )


def _with_values(code: str, known: Mapping[str, str]) -> str:
    """Returns a script with the values of its variables, as far as it grows to twice its length."""
    room = max(len(code), LEAST_EXPANDED)

    def value(found: re.Match[str]) -> str:
        nonlocal room
        text = known.get(found[1], found[0])
        room -= len(text)
        return text if room >= 0 else found[0]

    return _USED.sub(value, code)


def _without_cores(file: ClusterFile) -> str:
    if not _CORES.search(file.study):
        return "no #SBATCH line asks for cores: Slurm gives one"
    if file.starts and "--num-cpus" not in file.study:
        return "`ray start` is not told its cores: it takes all of the node's, not the job's"
    return ""


def _without_folder(file: ClusterFile) -> str:
    out = OUT.findall(file.study)
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
