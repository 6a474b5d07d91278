"""Nodes that join a cluster while trials run: they must be like those that were asked before.

A worker on such a node looks at it before its first trial, and dies where that cannot run there:
nothing is trained or written. Of a death Ray (2.60) says no more. The driver then asks the nodes
that are new, tells what is wrong with one, and keeps all trials from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

from lttune.errors import LttuneError, ResourceError
from lttune.records import provenance
from lttune.store.disk import Room
from lttune.store.remote.places import marked
from lttune.store.remote.url import is_url
from lttune.study.settings import StudyConfig
from lttune.study.workers.answers import (
    ANSWER_S,
    Asking,
    Node,
    failure,
    nodes_for,
    question,
    silence,
)
from lttune.study.workers.cores import NODE_ID, Cores, kept_free
from lttune.study.workers.nodes import (
    NOTHING,
    Agreement,
    arithmetic_of,
    cores_of,
    kinds_told,
    lack_of_room,
    trouble,
)

LISTENS_S = 1.0
"""Seconds between two looks at whether nodes that joined have answered."""
SETTLES_S = 60.0
"""Seconds for which a worker that never was may be one of a node that trials are kept from."""
TAKEN_S = 5.0
"""Seconds within which the cores of such a node are taken."""
TOUCHED_S = 60.0
"""Seconds between two looks at which nodes there are, and at which the mark is touched: what is old
is taken to be left."""


@dataclass(frozen=True, kw_only=True)
class JoiningTerms:
    """What a node that joins is asked, and on what terms it gets trials."""

    asked: Mapping[str, Any]
    """As of ``question``."""
    nodes: frozenset[str]
    """Those that were asked before the first trial."""
    begins: tuple[str, ...]
    """How an error begins that is about the cell store, as of ``trouble``; empty is the usual."""
    falls_back: bool
    """Whether the reference engine trains where the engine cannot be used."""
    needed: Room = NOTHING
    """By the networks that were missing then: each node keeps its part, as of ``lack_of_room``."""

    def require(self) -> None:
        """Checks that trials can run on the node of this process, unless it was asked before.

        Raises:
            LttuneError: saying what it lacks.
        """
        if (here := ray.get_runtime_context().get_node_id()) in self.nodes:
            return
        nodes = nodes_for(self.asked["device"])
        mine = cores_of(node for node in nodes if node.id == here)
        share = mine / max(cores_of(nodes), mine, 1.0)
        if error := self.trouble("this node", question()(dict(self.asked)), share):
            raise error

    def trouble(self, name: str, answer: Mapping[str, Any], share: float) -> LttuneError | None:
        """Returns what keeps a node that answered from running trials, None if nothing.

        Args:
            name: the node's.
            answer: what it says of itself.
            share: its own of all cores that there are now.
        """
        error = trouble(name, answer, self.asked["sources"], *self.begins)
        error = error or lack_of_room(name, answer, self.needed, share)
        if error or self.falls_back:
            return error
        engine = self.asked["engine"]
        lack = answer["lacks"][engine]
        text = f"{name} cannot use the engine {engine}: {lack}; mend that, or end Ray there"
        return ResourceError(text) if lack else None


@contextmanager
def terms_for(
    config: StudyConfig, engine: str, nodes: Iterable[str], needed: Room = NOTHING
) -> Iterator[JoiningTerms]:
    """Yields the terms for nodes that join meanwhile.

    Args:
        config: the settings.
        engine: that all nodes agreed on.
        nodes: those that were asked.
        needed: by the networks that are missing.
    """
    with marked(config.cells) as mark:
        yield JoiningTerms(
            asked={
                "mark": mark,
                "engine": engine,
                "device": config.device,
                "sources": provenance.sources(),
            },
            nodes=frozenset(nodes),
            begins=() if config.store is None else ("store must be one",),
            falls_back=config.engine == "auto",
            needed=needed,
        )


class JoinedNodes:
    """The nodes that joined, as the driver knows them.

    Args:
        terms: on which they get trials.
        tell: tells a person a line.
        widen: is told how many cores trials may use, of all nodes that live.
        agreed: by the nodes of the start.
    """

    def __init__(
        self,
        terms: JoiningTerms,
        tell: Callable[[str], None],
        widen: Callable[[float], None],
        agreed: Agreement,
    ) -> None:
        self._terms, self._tell, self._widen, self._kinds = terms, tell, widen, dict(agreed.kinds)
        self._known = {*terms.nodes}
        self._found_at, self._looked_at = -math.inf, time.monotonic()
        self._taken: dict[str, list[PlacementGroup]] = {}
        self._cores = dict(agreed.each)
        self._asking, self._since = Asking(terms.asked), dict[Node, float]()

    def has_unfit(self) -> bool:
        """Asks those that are new; returns whether one that died may have been of an unfit one.

        That is one that cannot run trials, found of late, or one that has not answered yet. What is
        unfit is told, and trials are kept from it for as long as it lives.
        """
        self._ask(self._nodes())
        return self._is_open or time.monotonic() - self._found_at < SETTLES_S

    @property
    def _is_open(self) -> bool:
        """Whether one has not answered that trials are not kept from."""
        return any(node.id not in self._taken for node in self._asking.waiting)

    def look_after(self) -> None:
        """Asks those that are new, and forgets those that have ended, every now and then.

        What was reserved on these is given up: where machines can be added, they would be for that.
        The mark that nodes look for is kept from looking as if somebody had left it.
        """
        mark, now = self._terms.asked["mark"], time.monotonic()
        if now - self._looked_at <= (LISTENS_S if self._is_open else TOUCHED_S):
            return
        self._looked_at = now
        if not is_url(mark):
            with suppress(OSError):
                Path(mark).touch()
        nodes = self._nodes()
        there = {node.id for node in nodes}
        for gone in self._taken.keys() - there:
            self._give_up(gone)
        self._ask(nodes)
        # A machine that goes and comes back is another node.
        self._widen(sum(cores for name, cores in self._cores.items() if name in there))

    def _ask(self, nodes: Sequence[Node]) -> None:
        """Asks those that are new and takes the answers that are there: nobody waits for one."""
        there = {node.id for node in nodes}
        self._asking.cancel({node for node in self._asking.waiting if node.id not in there})
        if new := [node for node in nodes if node.id not in self._known]:
            self._asking.ask(new)
            self._known |= {node.id for node in new}
            self._since |= dict.fromkeys(new, time.monotonic())
        found, failed = self._asking.answers(0.0)
        fit: dict[str, Mapping[str, Any]] = {}
        for node, answer in found.items():
            if node.id not in there:  # It died as soon as it had answered.
                continue
            if error := self._terms.trouble(node.name, answer, node.cores / cores_of(nodes)):
                self._keep_from(node, f"{error}; until then trials run elsewhere")
                continue
            self._give_up(node.id)
            kept, lines = kept_free({node: Cores.of(answer)})
            self._cores[node.id] = node.cores - kept
            self._tell(f"{node.name} joined: {node.cores - kept:g} cores more for trials")
            for line in lines:
                self._tell(line)
            fit[node.name] = answer
        self._tell_kinds(fit)
        for node, reason in failed.items():
            self._keep_from(node, failure(node, reason))
        for node in self._asking.waiting:
            lasted = time.monotonic() - self._since[node]
            if lasted > ANSWER_S and node.id not in self._taken:
                text = f"{silence(node, lasted)}; until it answers trials run elsewhere"
                self._keep_from(node, text)

    def _keep_from(self, node: Node, why: str) -> None:
        """Keeps trials from a node, and tells why."""
        self._tell(why)
        if node.id not in self._taken:
            self._taken[node.id] = _take_all_cores(node)
        self._found_at = time.monotonic()

    def _give_up(self, node: str) -> None:
        """Gives up what was reserved on a node."""
        for group in self._taken.pop(node, []):
            remove_placement_group(group)

    def _tell_kinds(self, new: Mapping[str, Mapping[str, Any]]) -> None:
        """Tells what of the start's nodes is told there, once for each kind that was not known."""
        if self._terms.asked["device"] != "cpu":
            return
        engine, before = self._terms.asked["engine"], self._kinds
        known = {arithmetic_of(engine, answer) for answer in before.values()}
        self._kinds = {**before, **new}
        if any(arithmetic_of(engine, answer) not in known for answer in new.values()):
            for line in kinds_told(engine, self._kinds):
                self._tell(line)

    def _nodes(self) -> list[Node]:
        return nodes_for(self._terms.asked["device"])


def _take_all_cores(node: Node) -> list[PlacementGroup]:
    """Keeps trials from a node: what is reserved there is never used, and ends with the driver.

    One by one: all at once they would be had only when no other trial waits for one.
    """
    selector, deadline = [{NODE_ID: node.id}], time.monotonic() + TAKEN_S
    groups = [
        placement_group([{"CPU": 1}], bundle_label_selector=selector)
        for _ in range(int(node.cores))
    ]
    for group in groups:
        group.wait(max(deadline - time.monotonic(), 0.0))
    return groups
