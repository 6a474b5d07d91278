"""What PyTorch holds for the whole process, which somebody's code may set for itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

ENGINE_FLAGS: tuple[tuple[Any, str], ...] = (
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cuda.matmul, "allow_tf32"),
)
"""Flags of PyTorch that an engine sets: their module and name."""


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Puts what PyTorch holds back as it was before.

    That is threads, default type and device, gradients, the precision of products, what becomes of
    numbers below float32's normal ones, and ``ENGINE_FLAGS``.
    """
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    gradients, device = torch.is_grad_enabled(), torch.get_default_device()
    precision, flushes = torch.get_float32_matmul_precision(), _flushes()
    flags = [(module, name, getattr(module, name)) for module, name in ENGINE_FLAGS]
    try:
        yield
    finally:
        if torch.get_default_device() != device:
            # A default device is a mode that slows every call: the CPU is one without.
            torch.set_default_device(None if device.type == "cpu" else device)
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        torch.set_float32_matmul_precision(precision)
        torch.set_flush_denormal(flushes)
        for module, name, value in flags:
            setattr(module, name, value)


def _flushes() -> bool:
    """Returns whether this thread takes numbers below float32's normal ones for 0."""
    return torch.tensor(1e-40, dtype=torch.float32, device="cpu").mul(1).item() == 0
