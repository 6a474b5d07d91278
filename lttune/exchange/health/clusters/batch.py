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
    named_store,
)
from lttune.store.remote.url import is_mistyped, is_url

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
