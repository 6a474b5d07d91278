"""What is looked at of a file that starts a cluster, and the rules that every kind of it has."""

from __future__ import annotations

import importlib.metadata
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lttune.exchange.health.clusters.credentials import secret_in


@dataclass(frozen=True, kw_only=True)
class ClusterFile:
    """A file that starts a cluster."""

    config: Mapping[str, Any]
    """What a YAML file says; empty of others."""
    texts: Sequence[str]
    """Every text in it; a comment is none."""
    raw: str
    """The file as it is written, comments too."""
    starts: Sequence[str] = ()
    """Commands that start Ray on a node."""
    shared: Sequence[str] = ()
    """Folders that all nodes see."""
    kept: Sequence[str] = ()
    """Folders that outlive the node of the driver, where they are known besides."""
    study: str = ""
    """What runs a study, empty if the file runs none."""
    claims: Sequence[str] = ()
    """Names of the claims of volumes that the file makes itself."""


FileRule = tuple[str, Callable[[ClusterFile], str], str]
"""What is looked at, what is wrong with it in a file (empty if nothing is), and the mend."""

_ANYWHERE = re.compile(r"0\.0\.0\.0|(?<![\w:])::/0")
"""All addresses, of version 4 or 6."""
_VERSION = re.compile(r"\bray(?:\[[\w,]*\])?==([\w.]+)|\brayproject/ray:(\d+(?:\.\d+)+)")
DATABASE = re.compile(r"""\bsqlite(?:\+pysqlite)?:///([^\s"'?;]+)""")
"""The path of an SQLite file that a URI names."""
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_ENDS = re.compile(r"[;&|\n]+")
OUT = re.compile(r"""--out[= ]["']?([^\s"')]+)""")
"""The folder of results that a command names."""
STORE = re.compile(r"""--store[= ]["']?([^\s"')]+)""")
"""The store of networks that a command names, a folder or a URL."""
_NAMES_DATABASE = re.compile(r"--tracking-uri\b|\bMLFLOW_TRACKING_URI\b")


def at(tree: Any, *path: str) -> Any:
    """Returns what a tree of mappings holds at a path, None if there is nothing."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def as_list(value: Any) -> list[Any]:
    """Returns a list as it is, and an empty one for everything else."""
    return value if isinstance(value, list) else []


def texts_in(tree: Any) -> Iterator[str]:
    """Yields every text of a tree, names as well."""
    # What an alias stands for is looked at once: it may be itself, or thousands of others.
    waiting, seen = [tree], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping | list) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value, *value.values()] if isinstance(value, Mapping) else value


def words_of(text: str) -> Iterator[list[str]]:
    """Yields the words of each command of a line or a script, in time that follows its length."""
    yield from (words for command in _ENDS.split(text) if (words := command.split()))


def lies_in(path: str, folders: Sequence[str]) -> bool:
    """Returns whether a path is one of the folders or inside of one, both as texts."""
    place = PurePosixPath(posixpath.normpath(path))
    return any(place.is_relative_to(posixpath.normpath(one)) for one in folders)


def named_store(file: ClusterFile) -> str:
    """Returns the store that a file's study names beside --out, empty if it names none."""
    return next(reversed(STORE.findall(file.study)), "")


def other_ray(version: str) -> str:
    """Returns what is wrong with a version of Ray that a file names."""
    mine = importlib.metadata.version("ray")
    return "" if version == mine else f"it names {version}, and the environment here has {mine}"


def _anywhere(file: ClusterFile) -> str:
    found = any(_ANYWHERE.search(text) for text in file.texts)
    return "0.0.0.0 opens a port or a security group to everybody" if found else ""


def _with_key(file: ClusterFile) -> str:
    return secret_in(file.config, file.texts, file.raw)


def _version(file: ClusterFile) -> str:
    named = [one for text in file.texts for pair in _VERSION.findall(text) for one in pair if one]
    return next(filter(None, map(other_ray, named)), "")


def _without_token(file: ClusterFile) -> str:
    found = all(_set_before(text, "RAY_AUTH_MODE") == "token" for text in file.starts)
    return "" if found else "Ray is started without a token"


def _with_statistics(file: ClusterFile) -> str:
    for command in file.starts:
        value = _set_before(command, "RAY_USAGE_STATS_ENABLED")
        if value != "0" and "--disable-usage-stats" not in command:
            return f"Ray sends them to its makers: RAY_USAGE_STATS_ENABLED is {value or 'not set'}"
    return ""


def _set_before(command: str, name: str) -> str:
    """Returns the last value of a variable before ``ray start``, empty if it has none."""
    given, value = re.compile(rf"\b{name}=[\"']?(\w*)"), ""
    for words in words_of(_COMMENT.sub("", command).partition("ray start")[0]):
        if words[0] in ("unset", "env") and name in words:
            value = ""
        for word in words:
            value = next(iter(given.findall(word)), value)
    return value


def _lost_store(file: ClusterFile) -> str:
    # Only the driver's node needs it. That there is no such folder has a line of its own.
    is_apart = named_store(file) and file.kept
    folders, what = (file.kept, "outlives it") if is_apart else (file.shared, "all nodes see")
    for path in (path for text in file.texts for path in DATABASE.findall(text)):
        if folders and not lies_in(path, folders):
            return f"{path} is in no folder that {what}: it ends with its machine"
    if "--address" in file.study and not _NAMES_DATABASE.search(file.study):
        return "the study names none, so that it ends with the machine that drives the study"
    return ""


WHO_CONNECTS: FileRule = (
    "who may connect",
    _anywhere,
    "name the addresses that need it, and use an ssh tunnel",
)
TOKEN_MODE: FileRule = (
    "who may run code",
    _without_token,
    "write `export RAY_AUTH_MODE=token;` before each `ray start`",
)
STATISTICS: FileRule = (
    "usage statistics",
    _with_statistics,
    "write `export RAY_USAGE_STATS_ENABLED=0;` before each `ray start`",
)
EVERYWHERE: tuple[FileRule, ...] = (
    (
        "Ray's version",
        _version,
        "name the version that is installed here (pip show ray), the same on every node",
    ),
    (
        "MLflow's store",
        _lost_store,
        "give --tracking-uri sqlite:///OUT/mlflow.db, beside the results, or a server",
    ),
    (
        "secrets",
        _with_key,
        "copy it from a file that only you can read, or give it as a Secret",
    ),
)
"""Rules of every kind of file."""
