"""The processor that PyTorch computes on: whether it is here, and what decides about rounding."""

from __future__ import annotations

from typing import get_args

import torch

from lttune.config.machine import DeviceName
from lttune.errors import ResourceError, unknown

DEVICES = get_args(DeviceName)


def device_of(name: str) -> torch.device:
    """Returns the device of a name such as "cpu", "cuda" or "cuda:1".

    Raises:
        ConfigError: if it is of another kind.
        ResourceError: if it is absent.
    """
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise unknown("device", name, DEVICES)
    if kind == "cuda" and not torch.cuda.is_available():
        raise ResourceError(
            f"device must be cpu here: {name!r} was asked for, but torch "
            f"{torch.__version__} sees no CUDA device"
        )
    return torch.device(name)


def processor(device: torch.device) -> str:
    """Returns the CPU's vector instructions that PyTorch uses, or the GPU's name and architecture.

    Libraries choose their kernels by these: networks of two kinds of machine that share a store
    must not pass for one another.
    """
    if device.type == "cpu":
        return f"cpu-{torch.backends.cpu.get_cpu_capability()}"
    name = "-".join(torch.cuda.get_device_name(device).split())
    major, minor = torch.cuda.get_device_capability(device)
    return f"{device.type}-sm{major}{minor}-{name}"
