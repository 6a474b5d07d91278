"""The stacked engine: many small fully connected networks trained as one, for a GPU.

One LeNet leaves a GPU idle. Here the parameters of a gang of K networks lie in one stack, a product
of a layer is one batched product, and one masked update serves all (Shen et al., MLSys 2021, call
it horizontal fusion). Every member keeps its own weights, mask, learning rate, weight decay, data
order and way through the protocol; only the clock is common.
"""

from __future__ import annotations

from lttune.training.engines import plain
from lttune.training.engines.needs import Needs
from lttune.training.engines.processor import device_of
from lttune.training.engines.stacked.engine import StackedEngine
from lttune.training.protocol import Engine

__all__ = ["GANGS", "StackedEngine", "lack", "make", "warm"]

GANGS = {"cpu": 8, "cuda": 64}
"""Slots of its gangs. Only one trial's replicates and controls share a gang; slots that they leave
empty are computed too, which on a GPU costs little."""


def lack(needs: Needs) -> str:
    """Returns why the engine cannot train what is needed, "" if it can."""
    reason = plain.lack(needs, plain.beyond_linear)
    if not reason and any(config.data.augment != "none" for config in needs.configs):
        reason = "does not augment pictures"
    return f"it {reason}" if reason else ""


def make(device: str) -> Engine:
    """Returns the engine on a device, on one thread.

    Raises:
        ConfigError: if there is no such device.
        ResourceError: if the device is absent.
    """
    return StackedEngine(device=device, gang=GANGS[device_of(device).type])


def warm() -> None:
    """Does nothing: updates are compiled where the engine is made, which is before any training."""
