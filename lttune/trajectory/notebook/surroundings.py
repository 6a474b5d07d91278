"""What PyTorch holds for the whole process, which somebody's notebook has set for itself."""

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
    """Puts threads, default type, gradients and ``ENGINE_FLAGS`` back as they were before."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    gradients = torch.is_grad_enabled()
    flags = [(module, name, getattr(module, name)) for module, name in ENGINE_FLAGS]
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        for module, name, value in flags:
            setattr(module, name, value)


@contextlib.contextmanager
def worker_settings() -> Iterator[None]:
    """Has PyTorch compute inside as in a study's worker, and be as it was before afterwards.

    Another number of threads, say, would give other last bits.
    """
    # A default device is a mode that slows every call: it is overridden only where there is one.
    plain = torch.get_default_device().type == "cpu"
    device = contextlib.nullcontext() if plain else torch.device("cpu")
    with settings_kept(), torch.inference_mode(False), torch.enable_grad(), device:
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float32)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        yield
