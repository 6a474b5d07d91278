"""Cores of a cluster's nodes that trials must not use, because a scheduler gave the job fewer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray._private import utils
from ray.util.placement_group import placement_group

from lttune.records.capacity import Capacity
from lttune.study.workers.answers import Node

NODE_ID = "ray.io/node-id"
"""Label of each node that Ray sets itself."""


_PARTS = 10_000
"""Of a resource that Ray tells apart."""


@dataclass(frozen=True, kw_only=True)
class Cores:
    """Cores of a node, by those who count them."""

    counted: int
    """By Ray, where nobody says how many: not by affinity, the job's control group or Slurm."""
    allowed: int
    """That the job may use."""
    allowed_by: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Cores:
        """Returns those of a node that answered."""
        return cls(
            counted=answer["counted"], allowed=answer["cores"], allowed_by=answer["cores_by"]
        )

    @classmethod
    def here(cls, mine: Capacity) -> Cores:
        """Returns those of the driver's node."""
        counted = int(utils.get_num_cpus(override_docker_cpu_warning=True))
        return cls(counted=counted, allowed=mine.cores, allowed_by=mine.cores_by)


def usable(node: Node, cores: Cores) -> float:
    """Returns how many cores of a node trials may use: those that Ray was told, or the job's."""
    return min(node.cores, cores.allowed) if node.cores == cores.counted else node.cores


def gpu_share(gpus: float, concurrent: int) -> float:
    """Returns the part of a GPU that a trial takes, so that so many have room; none takes two.

    As many share each GPU: a part that does not divide it would leave what is left of each unused.
    Ray counts in ten thousandths, and rounds: six parts of .1667 are more than a GPU.
    """
    return math.floor(_PARTS / math.ceil(concurrent / gpus)) / _PARTS if gpus else 0.0


def kept_free(nodes: Mapping[Node, Cores]) -> tuple[float, list[str]]:
    """Keeps from all trials of this driver the cores that Ray counts and the job may not use.

    Where somebody told Ray a number of cores, as files of ``studies/cluster`` do, that holds. What
    is kept is a reservation of Ray's, without a process, that ends with the driver.

    Returns:
        How many cores are kept, and a line for each node that has some.
    """
    kept, lines = 0.0, []
    for node, cores in nodes.items():
        if (surplus := node.cores - usable(node, cores)) > 0:
            placement_group([{"CPU": surplus}], bundle_label_selector=[{NODE_ID: node.id}])
            kept += surplus
            lines.append(
                f"{node.name}: trials take {cores.allowed} of the {node.cores:.0f} cores that Ray "
                f"counts there: its job may use no more ({cores.allowed_by})"
            )
    return kept, lines
