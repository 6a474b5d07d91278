"""PyTorch's optimizers over one flat parameter vector, by name."""

from __future__ import annotations

import torch
from torch import Tensor

from lttune.config import TrainConfig
from lttune.errors import unknown

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop")
"""Values of ``train.optimizer``."""


def optimizer(config: TrainConfig, flat: Tensor) -> torch.optim.Optimizer:
    """Returns the optimizer of a training; its learning rate is set anew before each step.

    On CUDA the learning rate is a tensor, so that a captured graph reads it from memory.

    Raises:
        ConfigError: if there is no such optimizer.
    """
    name, decay = config.optimizer, config.weight_decay
    if name not in OPTIMIZERS:
        raise unknown("train.optimizer", name, OPTIMIZERS)
    captured = flat.is_cuda
    lr = torch.tensor(config.lr, device=flat.device) if captured else config.lr
    if name == "adam":
        return torch.optim.Adam([flat], lr, weight_decay=decay, fused=True, capturable=captured)
    if name == "adamw":
        return torch.optim.AdamW([flat], lr, weight_decay=decay, fused=True, capturable=captured)
    if name == "rmsprop":
        return torch.optim.RMSprop([flat], lr, weight_decay=decay, capturable=captured)
    momentum = config.momentum if name in ("momentum", "nesterov") else 0.0
    nesterov = name == "nesterov" and momentum > 0
    return torch.optim.SGD(
        [flat], lr, momentum=momentum, weight_decay=decay, nesterov=nesterov, fused=True
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step."""
    group = optimizer.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
