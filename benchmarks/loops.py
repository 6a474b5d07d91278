"""The loops by name, each imported when it is made: none should weigh on another's memory."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch

from benchmarks.trajectory import Loop, Workload
from lttune.data import load

LoopName = Literal["sparse", "torch", "eager", "dataloader"]

TITLES: dict[LoopName, str] = {
    "sparse": "sparse engine",
    "torch": "torch engine",
    "eager": "plain eager loop",
    "dataloader": "DataLoader loop",
}


def make(name: LoopName, workload: Workload) -> Loop:
    """Returns a loop over the examples of a workload."""
    match name:
        case "eager":
            from benchmarks.baselines import Eager

            return Eager(workload)
        case "dataloader":
            from benchmarks.dataloader import Tutorial

            return Tutorial(workload)
        case engine:
            from benchmarks.ours import Ours

            return Ours(workload, engine)


@cache
def workload() -> Workload:
    """Returns this process's examples, MNIST; it computes on one thread from now on."""
    torch.set_num_threads(1)
    return Workload(load("mnist"))


@cache
def loop(name: LoopName) -> Loop:
    """Returns this process's loop of a name, which is made once."""
    return make(name, workload())
