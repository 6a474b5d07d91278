"""What PyTorch holds for the whole process, which somebody's notebook has set for itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from lttune.trajectory.measurements.settings import settings_kept


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
