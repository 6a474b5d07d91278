"""Nodes that join a cluster while trials run, as the driver is told of them."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from lttune.errors import LttuneError, ResourceError
from lttune.study.workers import joined
from lttune.study.workers.answers import Node
from lttune.study.workers.nodes import Agreement

JOINED = "node b joined: 2 cores more for trials"
KIND = {"numerics": {"torch": "t"}, "cpu": "one"}
AGREED = Agreement(engine="torch", cores=2.0, each={"old": 2.0}, kinds={"the driver's node": KIND})


class Nodes:
    """The nodes of a cluster, and what they answer."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.living = [Node(id=name, name=f"node {name}", cores=2.0) for name in ("old", "a", "b")]
        self.asked, self.taken = Counter[str](), list[Any]()
        mine = {"python": "3.11.1", "ray": "", "counted": 8, "cores": 2, "cores_by": "affinity"}
        mine |= KIND
        self.answers = {"a": mine | {"error": "ImportError: x"}, "b": mine}
        patch.setattr(joined, "nodes_for", lambda device: self.living)
        patch.setattr(joined, "Asking", self.asking)
        patch.setattr(joined, "placement_group", self.take)
        patch.setattr("lttune.study.workers.cores.placement_group", self.take)
        patch.setattr(joined, "trouble", self.trouble)

    def asking(self, asked: Any) -> Any:
        made = SimpleNamespace(waiting=[])

        def ask(nodes: list[Node]) -> None:
            self.asked.update(node.id for node in nodes)
            made.waiting += nodes

        def answers(seconds: float) -> tuple[dict[Node, Any], dict[Node, str]]:
            assert seconds == 0  # All trials wait for the driver.
            there = [node for node in made.waiting if node.id in self.answers]
            made.waiting = [node for node in made.waiting if node not in there]
            found = {node: self.answers[node.id] for node in there}
            failed = {node: one for node, one in found.items() if isinstance(one, str)}
            return {node: one for node, one in found.items() if node not in failed}, failed

        def cancel(nodes: set[Node]) -> None:
            made.waiting = [node for node in made.waiting if node not in nodes]

        vars(made).update(ask=ask, answers=answers, cancel=cancel)
        return made

    def trouble(self, name: str, answer: Any, *_: Any) -> LttuneError | None:
        return ResourceError(f"{name} cannot run lttune") if "error" in answer else None

    def take(self, bundles: Any, bundle_label_selector: Any) -> Any:
        self.taken.append((bundles, bundle_label_selector))
        return Mock()
