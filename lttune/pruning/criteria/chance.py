"""The criterion without a reason."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lttune.pruning.criteria.evidence import Evidence


def random(evidence: Evidence) -> dict[str, Tensor]:
    """Uniform in [0, 1), drawn tensor by tensor from the stream: keeps the density, no signal."""
    return {
        name: torch.from_numpy(evidence.rng.random(keep.shape, dtype=np.float32))
        for name, keep in evidence.mask.items()
    }
