"""Which engine trains a study's networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import torch

from lttune.config import LotteryConfig
from lttune.data import Dataset
from lttune.errors import ResourceError
from lttune.models import Network
from lttune.training.engines import plain, sparse, stacked
from lttune.training.engines.torch import TorchEngine
from lttune.training.protocol import Engine

ENGINES = ("torch", "sparse", "stacked")
GANGS = {"cpu": 8, "cuda": 64}
"""Slots of the stacked engine's gangs. Only one trial's replicates and controls share a gang; slots
that they leave empty are computed too, which on a GPU costs little."""


def choose(
    name: str,
    device: str,
    networks: Collection[Network],
    configs: Sequence[LotteryConfig],
    datasets: Collection[Dataset] = (),
    holds: bool = False,
) -> tuple[str, str]:
    """Returns the engine for a study, and why it is not the fast one ("" if it is).

    Args:
        name: auto, or the engine that the user asked for.
        device: cpu or cuda.
        networks: the architectures that the study can come to.
        configs: the configurations that the study can come to, the base first.
        datasets: the examples that they come to.
        holds: whether a control of the study holds pruned weights at a value.

    Raises:
        ResourceError: if the engine that was asked for cannot train the study here.
    """
    if name == "torch":
        return name, ""
    engine = "stacked" if name == "stacked" else "sparse"
    lack = _lack(engine, device, networks, configs, datasets, holds)
    missing = "" if lack or engine == "stacked" else sparse.obstacle()
    if name == "auto":
        reason = f"the sparse engine {lack}" if lack else missing
        return ("torch", reason) if reason else ("sparse", "")
    if reason := f"it {lack}" if lack else missing:
        raise ResourceError(f"engine must be torch here: {name} was asked for, but {reason}")
    return name, ""


def _lack(
    engine: str,
    device: str,
    networks: Collection[Network],
    configs: Sequence[LotteryConfig],
    datasets: Collection[Dataset],
    holds: bool,
) -> str:
    """Returns what the sparse or the stacked engine lacks for a study, as a predicate, or ""."""
    if engine == "sparse" and device != "cpu":
        return "computes on the CPU only"
    supports = sparse.supports if engine == "sparse" else stacked.supports
    if not all(map(supports, networks)):
        return plain.NETWORKS
    if engine == "sparse" and not all(isinstance(dataset.mean, float) for dataset in datasets):
        return "scales all pixels alike"
    for config in configs:
        rule = config.target.optimizer or config.train.optimizer
        transferred = dataclasses.replace(config.train, optimizer=rule)
        if lack := plain.beyond(config.train) or plain.beyond(transferred):
            return lack
        if config.data.augment != "none":
            return "does not augment pictures"
        if config.pruned != "zero" or holds:
            return "holds pruned weights at zero only"
        if config.method != "prune":
            return "learns no supermasks"
    return ""


def make(name: str, device: str) -> Engine:
    """Returns an engine of ``ENGINES``, on one thread.

    Raises:
        ResourceError: if the device is absent.
    """
    if name == "sparse":
        # Compiled kernels: only a study that uses them should wait for numba.
        from lttune.training.engines.sparse.engine import SparseEngine

        return SparseEngine()
    if name == "stacked":
        return stacked.StackedEngine(device=device, gang=GANGS[torch.device(device).type])
    return TorchEngine(device=device)


def warm(name: str) -> None:
    """Compiles what an engine needs, so that no network's training time holds it."""
    if name == "sparse":
        from lttune.training.engines.sparse.engine import warm as compile_kernels

        compile_kernels()
