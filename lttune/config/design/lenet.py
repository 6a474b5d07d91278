"""What studies of LeNet-300-100 vary, and where the paper stands (Frankle & Carbin 2019)."""

from __future__ import annotations

from typing import Any

from lttune.config.design.distributions import Integer, LogUniform, Uniform
from lttune.config.design.factors import Factor

LENET_FACTORS = (
    Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-2)),
    Factor(path="train.batch_size", distribution=Integer(low=20, high=200, log=True)),
    Factor(path="prune.fractions.fc1", distribution=Uniform(low=0.2, high=0.6)),
    Factor(path="prune.fractions.fc2", distribution=Uniform(low=0.2, high=0.6)),
    Factor(path="prune.fractions.out", distribution=Uniform(low=0.05, high=0.4)),
)
"""Ranges around the grids of Appendix G, wide enough that some settings learn nothing."""

LENET_PAPER: dict[str, Any] = {
    "train.lr": 1.2e-3,
    "train.batch_size": 60,
    "prune.fractions.fc1": 0.2,
    "prune.fractions.fc2": 0.2,
    "prune.fractions.out": 0.1,
}
"""The setting of Figure 2."""
