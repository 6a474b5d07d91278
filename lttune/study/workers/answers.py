"""A question to all nodes of a cluster at once, and their answers."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lttune.errors import legible, listed

ANSWER_S = 300.0
"""Seconds within which a node must answer. A worker process starts in 3 s, on a busy machine in 15;
the first kernels that it compiles take 20 s, and there a minute or two."""
TRIES = 3
"""Times that a node is asked whose worker died."""
RETRY_S = 1.0
"""Seconds before it is asked again."""
REMIND_S = 10.0
"""Seconds after which it is said who has not answered yet."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the cluster that trials can run on."""

    id: str
    name: str
    """Its address and its host's name, as a person knows it."""
    cores: float
    """That Ray has there."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What became of a question."""

    found: Mapping[Node, dict[str, Any]] = field(default_factory=dict)
    troubles: Sequence[str] = ()
    """A line for each node that is there and gave no answer."""


def nodes_for(device: str) -> list[Node]:
    """Returns the living nodes that have a core for a trial, and a GPU if it needs one."""
    living = [one for one in ray.nodes() if one["Alive"]]
    addresses = Counter(one["NodeManagerAddress"] for one in living)
    found = []
    for one in living:
        has = one["Resources"]
        if has.get("CPU", 0.0) >= 1 and (device == "cpu" or has.get("GPU", 0.0) > 0):
            address = one["NodeManagerAddress"]
            if addresses[address] > 1:  # Several on one machine, as in tests.
                address += f":{one['NodeManagerPort']}"
            host = legible(one.get("NodeManagerHostname", ""))
            name = f"node {address}" + (f" ({host})" if host and host != address else "")
            found.append(Node(id=one["NodeID"], name=name, cores=has["CPU"]))
    return found


class Asking:
    """A question to nodes, of which each answers when it can. One whose worker dies is asked again.

    Args:
        asked: what ``question`` takes.
    """

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self._asked, self._tries = dict(asked), Counter[Node]()
        self._waiting: dict[Any, Node] = {}

    @property
    def waiting(self) -> list[Node]:
        """Those that have not answered."""
        return [*self._waiting.values()]

    def ask(self, nodes: Iterable[Node]) -> None:
        """Asks some more."""
        remote = ray.remote(num_cpus=0, max_retries=0)(question())
        for node in nodes:
            self._tries[node] += 1
            place = NodeAffinitySchedulingStrategy(node.id, soft=False)
            reference = remote.options(scheduling_strategy=place).remote(dict(self._asked))
            self._waiting[reference] = node

    def answers(self, seconds: float) -> tuple[dict[Node, dict[str, Any]], dict[Node, str]]:
        """Returns the answers that are there, and why nodes could give none.

        Args:
            seconds: that it waits for the first; with 0 all that are there are returned.
        """
        found, failed = dict[Node, dict[str, Any]](), dict[Node, str]()
        if not self._waiting:
            return found, failed
        most = 1 if seconds else len(self._waiting)
        answered, _ = ray.wait([*self._waiting], num_returns=most, timeout=seconds)
        for one in answered:
            node = self._waiting.pop(one)
            try:
                found[node] = ray.get(one)
            except RayError as error:
                if node.id not in _living():
                    continue  # It is gone, and with it what it lacked.
                if self._tries[node] < TRIES:
                    if seconds:
                        time.sleep(RETRY_S)
                    self.ask([node])
                else:
                    failed[node] = _reason(error)
        return found, failed

    def cancel(self, nodes: Container[Node]) -> None:
        """Asks some no longer."""
        for reference in [one for one, node in self._waiting.items() if node in nodes]:
            del self._waiting[reference]
            ray.cancel(reference, force=True)


def silence(node: Node, seconds: float) -> str:
    """Returns what is wrong with a node that does not answer, and what to do about it."""
    what = f"has not answered for {seconds:.0f} s: it is busy, or starts no process"
    return f"{node.name} {what}; lessen its load, or end Ray there"


def failure(node: Node, reason: str) -> str:
    """Returns what is wrong with a node whose workers die, and what to do about it."""
    return f"{node.name} cannot run a worker ({reason}): see Ray's logs there, or end Ray there"


def ask_all(
    nodes: Sequence[Node], asked: Mapping[str, Any], answer_s: float | None = None
) -> Answers:
    """Asks all nodes at once. One whose worker dies is asked again; one that has gone is left out.

    Args:
        nodes: who is asked.
        asked: what ``question`` takes.
        answer_s: seconds within which they must answer; None is ``ANSWER_S``.
    """
    answer_s = ANSWER_S if answer_s is None else answer_s
    asking, found, failed = Asking(asked), dict[Node, dict[str, Any]](), dict[Node, str]()
    asking.ask(nodes)
    end = time.monotonic() + answer_s
    while asking.waiting and (left_s := end - time.monotonic()) > 0:
        some, none = asking.answers(min(left_s, REMIND_S))
        if not (some or none):
            names = listed([node.name for node in asking.waiting])
            _LOG.info("waiting for the answer of %s", names)
        found |= some
        failed |= none
    silent = {*asking.waiting}
    asking.cancel(silent)
    living = _living()
    troubles = []
    for node in nodes:
        if node.id not in living or node in found:
            continue
        if node in silent:
            troubles.append(f"{silence(node, answer_s)}, and run the same command again")
        else:
            troubles.append(failure(node, failed[node]))
    there = {node: answer for node, answer in found.items() if node.id in living}
    return Answers(found=there, troubles=troubles)


def _reason(error: RayError) -> str:
    """Returns the line of an error that says most: the last of a traceback, else the first."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return legible(lines[-1 if isinstance(error, RayTaskError) else 0])


def _living() -> set[str]:
    return {one["NodeID"] for one in ray.nodes() if one["Alive"]}


def question() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Returns what a node is to run. What it imports is the node's own.

    Made in a function, Ray sends it as code: by its name, a node of another lttune might have none.
    """

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        import platform

        import ray

        found: dict[str, Any] = {"python": platform.python_version(), "ray": ray.__version__}
        try:
            import lttune

            found["version"] = lttune.__version__
            from lttune.records import provenance

            found["sources"] = provenance.sources()
            if found["sources"] == asked["sources"]:
                from lttune.study.workers.look import look

                found |= look(asked["mark"], asked["engine"], asked["device"])
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")
            found["error"] = f"{type(error).__name__}: {first}"
        return found

    return answer
