"""What a criterion may look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lttune.models import Network
from lttune.models.masks import Mask, Weights


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The weights of one network before and after training, under its mask, with examples."""

    initial: Weights
    """Dense weights at initialisation."""
    trained: Weights
    """Weights at the end of the training under ``mask``, or at ``prune.step`` of it."""
    mask: Mask
    """Which of them are still alive."""
    network: Network
    inputs: Tensor
    """Training examples as the network sees them, float32, [B, ...]; B may be 0 where the criterion
    reads none."""
    labels: Tensor
    """Their classes, int64, [B]."""
    rng: np.random.Generator
    """Stream of the criterion's own draws."""


def evidence_of(trained: Weights, mask: Mask, network: Network) -> Evidence:
    """Returns the evidence of trained weights alone, for criteria that read nothing else."""
    return Evidence(
        initial=trained,
        trained=trained,
        mask=mask,
        network=network,
        inputs=torch.empty(0),
        labels=torch.empty(0, dtype=torch.int64),
        rng=np.random.default_rng(0),
    )
