"""Files for Ray's cluster launcher, ``ray up``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lttune.exchange.health.clusters.file import (
    EVERYWHERE,
    STATISTICS,
    TOKEN_MODE,
    WHO_CONNECTS,
    ClusterFile,
    FileRule,
    as_list,
    at,
    texts_in,
    words_of,
)
from lttune.exchange.health.clusters.nodes import NODE_RULES, is_local, node_types
from lttune.exchange.health.clusters.schema import KNOWN_FIELDS
from lttune.exchange.health.exposure import secret_finding
from lttune.exchange.health.inspection import Inspection

PORTS = (("GCS", "--port", "6379"), ("Ray's client", "--ray-client-server-port", "10001"))
"""What listens on a head besides its dashboard, the flag that names its port, and that without."""

_SECRET = re.compile(r"token|key|secret|credential|password|\.pem$", re.IGNORECASE)
"""In the names of files that hold one."""
_GROUPS = frozenset(("SecurityGroupIds", "NetworkInterfaces"))
"""Fields of a node of AWS that name its security groups."""
_SETUPS = ("initialization_commands", "setup_commands")
"""Commands that every node runs."""
_TOKEN_FILE = re.compile(r"(^|/)\.ray/auth_token$")
_CLOSED = re.compile(r"0?[0-7]00|(?:u[=+-][rwx]*,)?(?:go|og)(?:=|-rwx)")
"""Modes of a file that none but its owner reads."""


def launcher_file(config: Mapping[str, Any], raw: str) -> ClusterFile:
    """Returns what is looked at of a file for ``ray up``: of what it says, and as it is written."""
    names = ("head_start_ray_commands", "worker_start_ray_commands")
    commands = {name: _commands(config, name) for name in (*names, *_SETUPS)}
    return ClusterFile(
        config=config,
        texts=[*texts_in(config)],
        raw=raw,
        starts=[text for name in names for text in commands[name] if "ray start" in text],
        shared=[folder for name in _SETUPS for text in commands[name] for folder in _mounted(text)],
    )


def _mounted(text: str) -> Iterator[str]:
    """Yields the folders that a line of commands mounts, or looks whether they are."""
    for words in words_of(text):
        if words[0] == "mountpoint" or "mount" in words:
            yield from (folder for folder in words[-1:] if folder.startswith("/"))


def _commands(config: Mapping[str, Any], name: str) -> list[str]:
    return [one for one in as_list(config.get(name)) if isinstance(one, str)]


def launcher_findings(file: ClusterFile) -> Iterator[Inspection]:
    """Yields what the file opens, and whether others here can read the secrets that nodes get."""
    head = " ".join(command for command in file.starts if "--head" in command)
    given = {flag: re.findall(rf"{flag}[= ](\d+)", head) for _, flag, _ in PORTS}
    # Of several the last one counts.
    opened = ", ".join(f"{(given[flag] or [usual])[-1]} ({what})" for what, flag, usual in PORTS)
    text = f"open to its nodes (docs/security.md): {opened}, and any port above 1024"
    yield Inspection(what=text)
    key, mounts = at(file.config, "auth", "ssh_private_key"), at(file.config, "file_mounts")
    sources = mounts.values() if isinstance(mounts, Mapping) else ()
    named = [one for one in sources if isinstance(one, str) and _SECRET.search(Path(one).name)]
    files: list[str] = [*([key] if isinstance(key, str) else []), *named]
    for name in sorted(set(files)):
        yield from secret_finding("given to nodes:", name)


def _default_starts(file: ClusterFile) -> str:
    found = len(file.starts) >= 2
    text = "no `ray start` of its own for head and workers: Ray's defaults open the dashboard"
    return "" if found else text


def _open_dashboard(file: ClusterFile) -> str:
    heads = [command for command in file.starts if "--head" in command]
    hosts = [re.findall(r"--dashboard-host[= ](\S+)", text) for text in heads]
    closed = all(found and {*found} == {"127.0.0.1"} for found in hosts)
    return "" if closed else "the head does not bind it to its own machine"


def _open_group(file: ClusterFile) -> str:
    if at(file.config, "provider", "type") != "aws":
        return ""
    about = [at(node, "node_config") for node in node_types(file).values()]
    own = [isinstance(one, dict) and not _GROUPS.isdisjoint(one) for one in about]
    closed = at(file.config, "provider", "security_group") or (own and all(own))
    return "" if closed else "the security group that Ray makes on AWS opens ssh to everybody"


def _open_network(file: ClusterFile) -> str:
    if at(file.config, "provider", "type") != "gcp":
        return ""
    nodes = node_types(file).values()
    own = [bool(at(node, "node_config", "networkInterfaces")) for node in nodes]
    text = "the project's default network, which Ray takes, opens ssh to everybody"
    return "" if own and all(own) else text


def _without_resources(file: ClusterFile) -> str:
    kind, types = at(file.config, "provider", "type"), node_types(file)
    if is_local(file):
        return ""
    head = at(file.config, "head_node_type")
    if not isinstance(head, str) or head not in types:
        return f"available_node_types has no head: head_node_type is {head!r}"
    for name, node in types.items():
        resources = at(node, "resources")
        if not isinstance(resources, dict):
            return f"node type {name!r} has none"
        if kind != "aws" and not resources.get("CPU"):
            return f"node type {name!r} has no CPU, and Ray knows those of AWS alone"
    return ""


def _without_folder(file: ClusterFile) -> str:
    return "" if file.shared else "no node mounts one: a study would be refused"


def _without_file(file: ClusterFile) -> str:
    mounts = at(file.config, "file_mounts")
    names = [one for one in mounts if isinstance(one, str)] if isinstance(mounts, Mapping) else []
    return "" if any(map(_TOKEN_FILE.search, names)) else "no node gets one, so that no Ray starts"


def _open_file(file: ClusterFile) -> str:
    # `no node gets one` has a line of its own.
    commands = [text for name in _SETUPS for text in _commands(file.config, name)]
    closed = any(map(_closes, (words for text in commands for words in words_of(text))))
    return "" if closed or _without_file(file) else "no setup command closes it to other users"


def _closes(words: Sequence[str]) -> bool:
    if "chmod" not in words:
        return False
    _, *given = words[words.index("chmod") :]
    is_closed = any(map(_CLOSED.fullmatch, given))
    return is_closed and any(map(_TOKEN_FILE.search, given))


LAUNCHER_RULES: tuple[FileRule, ...] = (
    WHO_CONNECTS,
    ("how Ray is started", _default_starts, "take the commands of studies/cluster/onprem.yaml"),
    TOKEN_MODE,
    STATISTICS,
    (
        "the token's file",
        _without_file,
        "write `~/.ray/auth_token: ~/.ray/auth_token` below file_mounts",
    ),
    (
        "the mode of the token's file",
        _open_file,
        "write `chmod 700 ~/.ray && chmod 600 ~/.ray/auth_token` below setup_commands",
    ),
    (
        "the dashboard",
        _open_dashboard,
        "give --dashboard-host=127.0.0.1, and look at it through `ray dashboard`",
    ),
    (
        "who may log in",
        _open_group,
        "give each node type SecurityGroupIds, of a group that opens ssh to your address alone",
    ),
    (
        "who may log in (Google)",
        _open_network,
        "give each node type networkInterfaces, of a network that opens ssh to your address alone",
    ),
    (
        "resources of nodes",
        _without_resources,
        "give the head and each other node type `resources: {CPU: N}`; on AWS {} will do",
    ),
    (
        "the shared folder",
        _without_folder,
        "mount one in setup_commands, write `mountpoint -q FOLDER` there if it is mounted, or give "
        "studies --store s3://BUCKET/PREFIX",
    ),
    *NODE_RULES,
    KNOWN_FIELDS,
    *EVERYWHERE,
)
