"""The processor that PyTorch computes on, by what decides about its kernels and so its rounding."""

from __future__ import annotations

import torch


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
