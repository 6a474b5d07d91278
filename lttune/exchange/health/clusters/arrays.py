"""Arrays of Slurm: a study, or a shard of one, for each element."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lttune.exchange.health.clusters.file import DATABASE, OUT, ClusterFile, FileRule
from lttune.exchange.health.clusters.shell import is_one_for_all, study_commands

_SPEC = re.compile(r"^#SBATCH\b.*\s(?:--array[=\s]|-a\s?)([\d,:-]+)(?:%(\d+))?", re.MULTILINE)
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_NAME = re.compile(r"""--name[= ](?:"([^"]*)"|'([^']*)'|(\S+))""")
_SHARD = re.compile(r"""--shard[= ]["']?([^/\s"']+)/([^\s"']+)""")
_SCRIPT = re.compile(r"""python[\d.]*["']?\s+(\S+)""")
_ELEMENT = re.compile(r"\$\{?SLURM_ARRAY_TASK_ID\}?")


@dataclass(frozen=True, kw_only=True)
class _Elements:
    """The elements of an array."""

    count: int
    first: int
    last: int
    is_queue: bool
    """Whether one runs at a time, as of a study that goes on from job to job."""


def _elements(file: ClusterFile) -> _Elements | None:
    """Returns what a script says of its array, None if it is none of several elements."""
    found = _SPEC.search(file.study)
    ranges = [
        range(int(first), int(last or first) + 1, int(step or 1) or 1)
        for first, last, step in _RANGE.findall(found[1] if found else "")
    ]
    ranges = [one for one in ranges if one]
    count = sum(map(len, ranges))
    if found is None or count < 2:
        return None
    return _Elements(
        count=count,
        first=min(one[0] for one in ranges),
        last=max(one[-1] for one in ranges),
        is_queue=found[2] == "1",
    )


def _one_database(file: ClusterFile) -> str:
    array = _elements(file)
    if array is None or array.is_queue:
        return ""
    for path in DATABASE.findall(file.study):
        if is_one_for_all(path, file.study):
            return f"{path} is one SQLite file for all {array.count} elements of --array"
    return ""


def _one_study(file: ClusterFile) -> str:
    array = _elements(file)
    if array is None or array.is_queue:
        return ""
    for command in study_commands(file.study):
        names = ["".join(one) for one in _NAME.findall(command)][-1:]
        what = names or _SCRIPT.findall(command)
        places = [*what, *OUT.findall(command)]
        if "--shard" not in command and all(is_one_for_all(one, file.study) for one in places):
            given = f"--name {names[0]} is one" if names else "a study without --name is one"
            return f"{given} for all {array.count} elements of --array"
    return ""


def _other_shards(file: ClusterFile) -> str:
    array = _elements(file)
    if array is None:
        return ""
    for number, shards in (
        pair for one in study_commands(file.study) for pair in _SHARD.findall(one)
    ):
        if is_one_for_all(number, file.study):
            return f"--shard {number}/{shards} is one for all {array.count} elements of --array"
        if not shards.isdecimal():
            continue
        if int(shards) != array.count:
            return f"--array has {array.count} elements, and --shard {shards} shards"
        if _ELEMENT.fullmatch(number) and (array.first, array.last) != (1, array.count):
            return f"--array is {array.first} to {array.last}, and shards are 1 to {shards}"
    return ""


ARRAY_RULES: tuple[FileRule, ...] = (
    (
        "the array's MLflow",
        _one_database,
        "give each its own, sqlite:///OUT/mlflow-$SLURM_ARRAY_TASK_ID.db, or a server: SQLite is "
        "written from one machine at a time",
    ),
    (
        "the array's studies",
        _one_study,
        'give each its own: --name "NAME-$SLURM_ARRAY_TASK_ID"',
    ),
    (
        "the array's shards",
        _other_shards,
        'write --array=1-N, and --shard "$SLURM_ARRAY_TASK_ID/N" of the same N',
    ),
)
"""Rules of a batch script that says #SBATCH --array."""
