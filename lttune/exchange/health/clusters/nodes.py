"""Which nodes a file for ``ray up`` starts: machines, numbers of workers, and who starts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lttune.exchange.health.clusters.file import ClusterFile, FileRule, as_list, at

USUAL_WORKERS = 2
"""Ray's max_workers where a file says nothing, on AWS, Azure and Google Cloud."""

_OF_RAY = re.compile(r"\bray start [^;|&]*--autoscaling-config\b")
_KEEPER = re.compile(r"\bkeep_workers\.py\s[^;|&]*--autoscaling-config\b")


def node_types(file: ClusterFile) -> Mapping[str, Any]:
    """Returns the types of nodes that a file names, empty if it names none."""
    types = at(file.config, "available_node_types")
    return types if isinstance(types, Mapping) else {}


def is_local(file: ClusterFile) -> bool:
    """Returns whether the nodes are machines that are there already."""
    return at(file.config, "provider", "type") == "local"


def _workers(file: ClusterFile) -> dict[str, Any]:
    head = at(file.config, "head_node_type")
    return {str(name): node for name, node in node_types(file).items() if name != head}


def _same_machine(file: ClusterFile) -> str:
    head, workers = (at(file.config, "provider", name) for name in ("head_ip", "worker_ips"))
    addresses = [one for one in as_list(workers) if isinstance(one, str)]
    if not is_local(file):
        return ""
    if head in addresses:
        return f"worker_ips has {head}, which is head_ip"
    twice = next((one for one, times in Counter(addresses).items() if times > 1), None)
    return f"worker_ips has {twice} twice" if twice else ""


def _number(tree: Any, name: str, usual: int) -> int:
    value = at(tree, name)
    return value if type(value) is int else usual  # Ray's schema says what is no number.


def _numbers(file: ClusterFile) -> str:
    workers = _workers(file)
    if is_local(file) or not workers:
        return ""
    most, least = _number(file.config, "max_workers", USUAL_WORKERS), 0
    for name, node in workers.items():
        low, high = _number(node, "min_workers", 0), _number(node, "max_workers", most)
        if low > high:
            return f"node type {name!r} has min_workers {low}, above max_workers {high}"
        least += low
    if least > most:
        return f"max_workers is {most}, below the {least} of min_workers of all node types"
    if most == 0 or not any(_number(node, "max_workers", most) for node in workers.values()):
        return "max_workers is 0, so that no worker starts"
    return ""


def _heads(file: ClusterFile) -> list[str]:
    has_workers = at(file.config, "provider", "worker_ips") if is_local(file) else _workers(file)
    heads = [" ".join(one.split()) for one in file.starts if "--head" in one]
    return heads if has_workers else []


def _nobody_starts(file: ClusterFile) -> str:
    ways = (_OF_RAY, _KEEPER) if is_local(file) else (_OF_RAY,)
    found = all(any(way.search(head) for way in ways) for head in _heads(file))
    return "" if found else "no command of the head has --autoscaling-config: it starts none"


def _without_keeper(file: ClusterFile) -> str:
    found = is_local(file) and any(map(_OF_RAY.search, _heads(file)))
    text = "Ray's autoscaler leaves a machine alone for good once a start of it has failed"
    return text if found else ""


NODE_RULES: tuple[FileRule, ...] = (
    ("the machines", _same_machine, "give each machine once, the head's as head_ip alone"),
    (
        "the number of workers",
        _numbers,
        "give each node type min_workers up to its max_workers, and the file max_workers for all",
    ),
    (
        "who starts workers",
        _nobody_starts,
        "give --autoscaling-config=~/ray_bootstrap_config.yaml to the head's `ray start`, or "
        "on-prem to keep_workers.py as in studies/cluster/onprem.yaml",
    ),
)
NODE_CAUTIONS: tuple[FileRule, ...] = (
    (
        "workers that come back",
        _without_keeper,
        "start them by keep_workers.py, as in studies/cluster/onprem.yaml",
    ),
)
"""What is no fault."""
