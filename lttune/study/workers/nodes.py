"""The nodes of a cluster that is joined: all of them must be able to run a study's trials.

They are asked before the first trial, all at once. What keeps one from it is told for each; where
nodes differ in the engine that they can use, all use the one that all have.
"""

from __future__ import annotations

import logging
import math
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import ray

import lttune
from lttune.errors import JointError, LttuneError, ResourceError, StorageError, listed
from lttune.records import provenance
from lttune.records.capacity import capacity
from lttune.store.disk import Room, shortage
from lttune.store.remote.places import marked, remarks
from lttune.store.remote.url import is_url
from lttune.study.phases.room import NEEDING, OTHER_CACHE
from lttune.study.settings import StudyConfig
from lttune.study.workers.answers import Answers, Node, ask_all, nodes_for
from lttune.study.workers.cores import Cores, kept_free, usable
from lttune.training.engines import FALLBACK, make

NOTHING = Room(size=0, files=0)

_LOG = logging.getLogger(__name__)

Answer = Mapping[str, Any]
"""What a node says of itself: see ``answers.question`` and ``look.look``."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the nodes of a cluster have in common."""

    engine: str
    """That all of them can use."""
    reason: str = ""
    """Why it is not the one that the driver chose; empty if it is."""
    cores: float
    """That trials may use, of all nodes."""
    lines: tuple[str, ...] = ()
    """What a person should know."""
    nodes: frozenset[str] | None = None
    """Those that were asked, and the driver's; None if no other can join."""
    each: Mapping[str, float] = field(default_factory=dict)
    """Of those with cores for trials: how many these may use."""
    kinds: Mapping[str, Answer] = field(default_factory=dict)
    """Name of each node -> its answer, as of ``kinds_told``."""
    needed: Room = NOTHING
    """By the networks that are missing."""


def agreed(
    config: StudyConfig,
    engine: str,
    resources: Mapping[str, float],
    is_begun: bool,
    needed: Room = NOTHING,
) -> Agreement:
    """Asks all nodes of a cluster that is joined, and returns what they have in common.

    Args:
        config: the settings.
        engine: that the driver chose.
        resources: of the cluster.
        is_begun: whether networks of the study were trained already, by that engine.
        needed: what the networks that are missing need; of a store behind a URL, each node keeps
            about as many of them as it has of the cores.

    Raises:
        LttuneError: with a line for each node that cannot run the trials, and what to do about it:
            StorageError if it cannot use the cell store, ResourceError if it does not answer, is
            unlike the driver, or lacks the engine where no other may take its place.
    """
    if config.has_own_ray:
        cores = resources.get("CPU", 1.0)
        return Agreement(engine=engine, cores=cores, lines=remarks(config.cells))
    nodes, here = nodes_for(config.device), _here()
    sources = provenance.sources()
    # The driver's own has done all that is asked. But a URL's server and credentials, and the
    # place of its copy, are those of the environment, and workers have that of `ray start`.
    asked = nodes if is_url(config.cells) else [node for node in nodes if node.id != here]
    answers = _answers(config, engine, asked, sources)
    errors: list[LttuneError] = [ResourceError(text) for text in answers.troubles]
    begins = () if config.store is None else ("store must be one",)
    troubles = (trouble(n.name, one, sources, *begins) for n, one in answers.found.items())
    errors += filter(None, troubles)
    whole = cores_of(answers.found)
    shares = ((n, one, n.cores / whole) for n, one in answers.found.items())
    errors += filter(None, (lack_of_room(n.name, one, needed, part) for n, one, part in shares))
    if errors:
        raise _joint(errors)
    found = {node.name: answer for node, answer in answers.found.items()}
    chosen, reason = _engine(config, engine, found, is_begun)
    counts = {node: Cores.of(answer) for node, answer in answers.found.items()}
    counts |= {node: Cores.here(capacity()) for node in nodes if node.id == here}
    each = {node.id: usable(node, mine) for node, mine in counts.items()}
    _, lines = kept_free(counts)
    lines += remarks(config.cells)
    kinds: dict[str, Answer] = {}
    if config.device == "cpu":
        numerics = {chosen: make(chosen, config.device).numerics}
        mine = {"numerics": numerics, "cpu": provenance.cpu_model()}
        is_one = any(node.id == here for node in nodes if node not in answers.found)
        kinds = {**({"the driver's node": mine} if is_one else {}), **found}
        lines += kinds_told(chosen, kinds)
    return Agreement(
        engine=chosen,
        reason=reason,
        cores=sum(each.values()),
        lines=tuple(lines),
        nodes=frozenset({here, *(node.id for node in answers.found)}),
        each=each,
        kinds=kinds,
        needed=needed,
    )


def _here() -> str:
    """Returns the node of this process."""
    return ray.get_runtime_context().get_node_id()


def _answers(config: StudyConfig, engine: str, nodes: list[Node], sources: str) -> Answers:
    if not nodes:
        return Answers()
    _LOG.info("asking %s of the cluster", f"{len(nodes)} nodes" if len(nodes) > 1 else "a node")
    with marked(config.cells) as mark:
        asked = {"mark": mark, "engine": engine, "device": config.device, "sources": sources}
        return ask_all(nodes, asked)


def trouble(
    name: str, answer: Answer, sources: str, store: str = "out must be a folder"
) -> LttuneError | None:
    """Returns what keeps a node that answered from running the driver's trials, None if nothing.

    Args:
        name: the node's.
        answer: what it says of itself.
        sources: digest of the driver's own.
        store: how an error begins that is about the cell store.
    """
    mine = {"Python": _minor(platform.python_version()), "Ray": ray.__version__}
    there = {"Python": _minor(answer["python"]), "Ray": answer["ray"]}
    for what, version in mine.items():
        if there[what] != version:
            text = f"{name} has {what} {there[what]}, the driver {version}"
            return ResourceError(f"{text}: give all nodes the driver's")
    if "version" in answer and answer["version"] != lttune.__version__:
        text = f"{name} has lttune {answer['version']}, the driver {lttune.__version__}"
        return ResourceError(f"{text}: install the driver's there")
    if "sources" in answer and answer["sources"] != sources:
        text = f"{name} has other sources of lttune {lttune.__version__} than the driver"
        return ResourceError(f"{text}: copy the driver's there")
    if "error" in answer:
        text = f"{name} cannot run lttune ({answer['error']})"
        return ResourceError(f"{text}: install it for the Python that Ray runs with there")
    if answer["disk"]:
        return StorageError(f"{store} that every node reaches: {name} {answer['disk']}")
    return None


def cores_of(nodes: Iterable[Node]) -> float:
    """Returns how many cores nodes have together."""
    return sum(node.cores for node in nodes)


def lack_of_room(name: str, answer: Answer, needed: Room, share: float) -> StorageError | None:
    """Returns the error of a node whose copy of a store behind a URL has no room for its part.

    Args:
        name: the node's.
        answer: what it says of itself.
        needed: what the networks that are missing need.
        share: its own of all cores.
    """
    if answer.get("free") is None:
        return None
    size, files = answer["free"]
    part = Room(size=math.ceil(needed.size * share), files=math.ceil((needed.files or 0) * share))
    if not (lack := shortage(part, Room(size=size, files=files))):
        return None
    text = f"the copy of the store on {name} {lack.format(NEEDING)}{OTHER_CACHE}"
    return StorageError(f"{text} where Ray starts")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _joint(errors: list[LttuneError]) -> LttuneError:
    """Returns one error of all that nodes cannot do: what is about a disk first."""
    errors = sorted(errors, key=lambda error: not isinstance(error, StorageError))
    return JointError(errors) if len(errors) > 1 else errors[0]


def _engine(
    config: StudyConfig, engine: str, found: Mapping[str, Answer], is_begun: bool
) -> tuple[str, str]:
    """Returns the engine that all nodes can use, and why it is not the driver's."""
    lacks = {name: lack for name, one in found.items() if (lack := one["lacks"][engine])}
    if not lacks:
        return engine, ""
    if config.engine != "auto" or is_begun:
        why = "trained what the study has" if config.engine == "auto" else "was asked for"
        head, mend = f"the engine {engine} {why}, but", "mend that, or end Ray there"
        raise _joint([ResourceError(f"{head} {n}: {lack}; {mend}") for n, lack in lacks.items()])
    by_lack: defaultdict[str, list[str]] = defaultdict(list)
    for name, lack in lacks.items():
        by_lack[lack].append(name)
    return FALLBACK, "; ".join(f"{listed(names)}: {lack}" for lack, names in by_lack.items())


def arithmetic_of(engine: str, answer: Answer) -> tuple[str, str]:
    """Returns what computes networks on a node, and its CPU."""
    numerics = answer["numerics"]
    return numerics[engine if engine in numerics else FALLBACK], answer["cpu"]


def kinds_told(engine: str, found: Mapping[str, Answer]) -> list[str]:
    """Returns what to say where networks are not computed alike on all nodes.

    Args:
        engine: that trains them, but on a node that joined and has the reference engine alone.
        found: name of each node -> its answer.
    """
    kinds: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, one in found.items():
        numerics, cpu = arithmetic_of(engine, one)
        kinds[numerics][cpu].append(name)
    lines = []
    if len(kinds) > 1:
        text = "networks are kept apart by what computes them"
        whose = {what: [*chain.from_iterable(cpus.values())] for what, cpus in kinds.items()}
        lines.append(f"{text}: {_shared(whose)}")
    # The sparse engine's numerics name the very CPU that its kernels are compiled for.
    for cpus in kinds.values() if engine != "sparse" else ():
        if len(cpus) > 1:
            text = "CPUs that PyTorch takes for one kind may differ in last bits"
            lines.append(f"{text}: {_shared(cpus)}")
    return lines


def _shared(whose: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{what} on {listed(names)}" for what, names in whose.items())
