"""What a file for Ray's cluster launcher leaves open.

Whoever reaches a cluster's ports may run code there (Ray's documentation, "Security"): the token
and the addresses that it listens on are all that stands between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lttune.errors import ConfigError
from lttune.exchange.health.exposure import secret_finding
from lttune.exchange.health.inspection import Inspection
from lttune.store.files import reason_of
from lttune.store.sealed import read_bytes

MOST_BYTES = 1_000_000
"""A cluster file is some kilobytes."""

_KEY = re.compile(r"-----BEGIN|\b(AKIA|ASIA)[0-9A-Z]{16}\b|RAY_AUTH_TOKEN\s*=", re.IGNORECASE)

_SECRET = re.compile(r"token|key|secret|credential|password|\.pem$", re.IGNORECASE)
"""In the names of files that hold one."""

PORTS = (("GCS", "--port", "6379"), ("Ray's client", "--ray-client-server-port", "10001"))
"""What listens on a head besides its dashboard, the flag that names its port, and that without."""

_ANYWHERE = re.compile(r"0\.0\.0\.0|(?<![\w:])::/0")
"""All addresses, of version 4 or 6."""

_GROUPS = frozenset(("SecurityGroupIds", "NetworkInterfaces"))
"""Fields of a node of AWS that name its security groups."""


def cluster_findings(path: Path) -> list[Inspection]:
    """Returns what there is to say of a cluster file.

    Raises:
        ConfigError: if it is none.
        StorageError: if it cannot be read.
    """
    config = _parsed(path)
    starts = [
        command
        for name in ("head_start_ray_commands", "worker_start_ray_commands")
        for command in _listed(config.get(name))
        if isinstance(command, str) and "ray start" in command
    ]
    found = [
        Inspection(what=rule, trouble=trouble, mend=mend, exit_code=ConfigError.exit_code)
        if is_broken(config, starts)
        else Inspection(what=rule)
        for rule, is_broken, trouble, mend in EXPOSURES
    ]
    about = f"open to its nodes (docs/security.md): {_opened(starts)}, and any port above 1024"
    return [*found, Inspection(what=about), *_secret_files(config)]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is neither a study's folder nor a cluster file") from None
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{path} must have at most {MOST_BYTES:,} bytes, got {len(data):,}")
    try:
        config = yaml.safe_load(data)
    except (yaml.YAMLError, ArithmeticError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no YAML: {reason_of(error)[:200]}") from None
    if not isinstance(config, dict) or "provider" not in config:
        raise ConfigError(f"{path} must be a file for `ray up`: it has no provider")
    return config


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _opened(starts: list[str]) -> str:
    """Returns the ports that a head opens and what for; the last that is given counts."""
    head = " ".join(command for command in starts if "--head" in command)
    given = {flag: re.findall(rf"{flag}[= ](\d+)", head) for _, flag, _ in PORTS}
    return ", ".join(f"{(given[flag] or [usual])[-1]} ({what})" for what, flag, usual in PORTS)


def _secret_files(config: Mapping[str, Any]) -> Iterator[Inspection]:
    """Yields whether others can read the secrets of this machine that the nodes get."""
    auth, mounts = config.get("auth"), config.get("file_mounts")
    key = auth.get("ssh_private_key") if isinstance(auth, dict) else None
    sources = mounts.values() if isinstance(mounts, dict) else ()
    named = [one for one in sources if isinstance(one, str) and _SECRET.search(Path(one).name)]
    files: list[str] = [*([key] if isinstance(key, str) else []), *named]
    for name in sorted(set(files)):
        yield from secret_finding("given to nodes:", name)


def _texts(tree: Any) -> Iterator[str]:
    # What an alias stands for is looked at once: it may be itself, or thousands of others.
    waiting, seen = [tree], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping | list) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value, *value.values()] if isinstance(value, Mapping) else value


def _anywhere(config: Mapping[str, Any], starts: list[str]) -> bool:
    return any(_ANYWHERE.search(text) for text in _texts(config))


def _default_starts(config: Mapping[str, Any], starts: list[str]) -> bool:
    return len(starts) < 2


def _without_token(config: Mapping[str, Any], starts: list[str]) -> bool:
    before = [command.partition("ray start")[0] for command in starts]
    return not all(re.search(r"\bRAY_AUTH_MODE=token\b", text) for text in before)


def _open_dashboard(config: Mapping[str, Any], starts: list[str]) -> bool:
    heads = [command for command in starts if "--head" in command]
    # Of several the last one counts.
    hosts = [re.findall(r"--dashboard-host[= ](\S+)", text) for text in heads]
    return not all(found and {*found} == {"127.0.0.1"} for found in hosts)


def _open_group(config: Mapping[str, Any], starts: list[str]) -> bool:
    provider, types = config["provider"], config.get("available_node_types")
    if not isinstance(provider, dict) or provider.get("type") != "aws":
        return False
    nodes = types.values() if isinstance(types, dict) else ()
    about = [node.get("node_config") if isinstance(node, dict) else None for node in nodes]
    own = [isinstance(one, dict) and not _GROUPS.isdisjoint(one) for one in about]
    return not provider.get("security_group") and not (own and all(own))


def _with_key(config: Mapping[str, Any], starts: list[str]) -> bool:
    return any(_KEY.search(text) for text in _texts(config))


Broken = Callable[[Mapping[str, Any], list[str]], bool]

EXPOSURES: tuple[tuple[str, Broken, str, str], ...] = (
    (
        "who may connect",
        _anywhere,
        "0.0.0.0 opens a port or a security group to everybody",
        "name the addresses that need it, and use an ssh tunnel",
    ),
    (
        "how Ray is started",
        _default_starts,
        "no `ray start` of its own for head and workers: Ray's defaults open the dashboard",
        "take the commands of studies/cluster/onprem.yaml",
    ),
    (
        "who may run code",
        _without_token,
        "Ray is started without a token",
        "write `export RAY_AUTH_MODE=token;` before each `ray start`",
    ),
    (
        "the dashboard",
        _open_dashboard,
        "the head does not bind it to its own machine",
        "give --dashboard-host=127.0.0.1, and look at it through `ray dashboard`",
    ),
    (
        "who may log in",
        _open_group,
        "the security group that Ray makes on AWS opens ssh to everybody",
        "give each node type SecurityGroupIds, of a group that opens ssh to your address alone",
    ),
    (
        "secrets",
        _with_key,
        "a key or token is written in the file",
        "copy it by file_mounts from a file that only you can read",
    ),
)
"""Rule, whether a file breaks it, what that means, and the mend."""
