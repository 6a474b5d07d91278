"""Which engine trains a study's networks."""

from __future__ import annotations

from typing import Protocol

from lttune.config import LotteryConfig
from lttune.errors import ResourceError, unknown
from lttune.training.engines import sparse, stacked, torch
from lttune.training.engines.needs import Needs
from lttune.training.protocol import Engine


class Offer(Protocol):
    """What the folder of an engine offers; none of it imports numba before it needs it."""

    def lack(self, needs: Needs) -> str:
        """Returns why the engine cannot train what is needed, "" if it can.

        A reason that begins with "it" is about the engine, any other about this machine.
        """
        ...

    def make(self, device: str) -> Engine:
        """Returns the engine on a device, on one thread."""
        ...

    def warm(self) -> None:
        """Compiles what the engine needs, so that no network's training time holds it."""


ENGINES: dict[str, Offer] = {"sparse": sparse, "torch": torch, "stacked": stacked}
"""Name of an engine -> what its folder offers."""

FAST, FALLBACK = "sparse", "torch"
"""What "auto" takes where it can, and where it cannot. (The stacked engine is worth its while only
where a GPU has many members at once.)"""


def choose(name: str, needs: Needs) -> tuple[str, str]:
    """Returns the engine for a study, and why it is not the fast one ("" if it is).

    Args:
        name: auto, or the engine that the user asked for.
        needs: what it will train.

    Raises:
        ConfigError: if there is no such engine.
        ResourceError: if the engine that was asked for cannot train the study here.
    """
    engine = FAST if name == "auto" else name
    lack = _offer(engine).lack(needs)
    if not lack:
        return engine, ""
    if name != "auto":
        raise ResourceError(f"engine must be {FALLBACK} here: {name} was asked for, but {lack}")
    subject, _, predicate = lack.partition(" ")
    return FALLBACK, f"the {engine} engine {predicate}" if subject == "it" else lack


def lack_here(name: str, device: str) -> str:
    """Returns why an engine cannot be used in this process, whatever it trains, "" if it can.

    Raises:
        ConfigError: if there is no such engine.
    """
    return _offer(name).lack(Needs(device=device, networks=(), configs=(LotteryConfig(),)))


def working_here(name: str, device: str) -> str:
    """Returns an engine, or the reference engine where that one cannot be used in this process."""
    return FALLBACK if lack_here(name, device) else name


def make(name: str, device: str) -> Engine:
    """Returns an engine of ``ENGINES``, on one thread.

    Raises:
        ConfigError: if there is no such engine or device.
        ResourceError: if the device is absent.
    """
    return _offer(name).make(device)


def warm(name: str) -> None:
    """Compiles what an engine needs, so that no network's training time holds it.

    Raises:
        ConfigError: if there is no such engine.
    """
    _offer(name).warm()


def _offer(name: str) -> Offer:
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    return ENGINES[name]
