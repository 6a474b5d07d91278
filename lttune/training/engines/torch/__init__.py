"""The reference engine: autograd, any network, any device."""

from __future__ import annotations

from lttune.training.engines.needs import Needs
from lttune.training.engines.torch.engine import TorchEngine
from lttune.training.protocol import Engine

__all__ = ["TorchEngine", "lack", "make", "warm"]


def lack(needs: Needs) -> str:
    """Returns "": it is the reference, and trains whatever can be asked for."""
    return ""


def make(device: str) -> Engine:
    """Returns the engine on a device, on one thread.

    Raises:
        ConfigError: if there is no such device.
        ResourceError: if the device is absent.
    """
    return TorchEngine(device=device)


def warm() -> None:
    """Does nothing: there is nothing to compile."""
