"""Which engine trains a study's networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from lttune.config import LotteryConfig
from lttune.data import Dataset
from lttune.engines import sparse, stacked
from lttune.engines.torch import TorchEngine
from lttune.errors import ResourceError
from lttune.models import Network
from lttune.training import Engine

ENGINES = ("torch", "sparse", "stacked")
GANGS = {"cpu": 8, "cuda": 64}
"""Slots of the stacked engine's gangs. Only one trial's replicates and controls share a gang; slots
that they leave empty are computed too, which on a GPU costs little."""

COMPILED_RULES = ("sgd", "momentum", "adam", "adamw")
"""Update rules of the sparse and the stacked engine."""


def choose(
    name: str,
    device: str,
    network: Network,
    configs: Sequence[LotteryConfig],
    datasets: Collection[Dataset] = (),
    holds: bool = False,
) -> tuple[str, str]:
    """Returns the engine for a study, and why it is not the fast one ("" if it is).

    Args:
        name: auto, or the engine that the user asked for.
        device: cpu or cuda.
        network: the base architecture.
        configs: the configurations that the study can come to, the base first.
        datasets: the examples that they come to.
        holds: whether a control of the study holds pruned weights at a value.

    Raises:
        ResourceError: if the engine that was asked for cannot train this network here.
    """
    plain = _beyond_plain(configs, holds)
    reason = plain
    if device != "cpu":
        reason = "it computes on the CPU only"
    elif not sparse.supports(network):
        reason = "it trains fully connected networks only, without dropout, all layers prunable"
    elif not all(isinstance(dataset.mean, float) for dataset in datasets):
        reason = "it scales all pixels alike"
    if not reason and name in ("auto", "sparse"):
        reason = sparse.obstacle()
    if name == "auto":
        return ("torch", reason) if reason else ("sparse", "")
    if name == "sparse" and reason:
        raise ResourceError(f"engine must be torch here: sparse was asked for, but {reason}")
    if name == "stacked" and not stacked.supports(network):
        raise ResourceError(
            "engine must be torch here: stacked was asked for, but it trains fully connected "
            "networks only"
        )
    if name == "stacked" and plain:
        raise ResourceError(f"engine must be torch here: stacked was asked for, but {plain}")
    return name, ""


def _beyond_plain(configs: Sequence[LotteryConfig], holds: bool) -> str:
    """Returns what of the configurations only the reference engine can do, "" if nothing."""
    for config in configs:
        train = config.train
        for rule in (train.optimizer, config.target.optimizer or train.optimizer):
            if rule not in COMPILED_RULES:
                return f"it has no {rule}"
        if train.precision != "float32":
            return f"it computes in float32 only, not in {train.precision}"
        if train.frozen:
            return "it trains every kind of parameter"
        if config.data.augment != "none":
            return "it does not augment pictures"
        if config.pruned != "zero" or holds:
            return "it holds pruned weights at zero only"
        if config.method != "prune":
            return "it learns no supermasks"
    return ""


def make(name: str, device: str) -> Engine:
    """Returns an engine of ``ENGINES``, on one thread.

    Raises:
        ResourceError: if the device is absent.
    """
    if name == "sparse":
        # Compiled kernels: only a study that uses them should wait for numba.
        from lttune.engines.sparse.engine import SparseEngine

        return SparseEngine()
    if name == "stacked":
        return stacked.StackedEngine(device=device, gang=GANGS[torch.device(device).type])
    return TorchEngine(device=device)


def warm(name: str) -> None:
    """Compiles what an engine needs, so that no network's training time holds it."""
    if name == "sparse":
        from lttune.engines.sparse.engine import warm as compile_kernels

        compile_kernels()
