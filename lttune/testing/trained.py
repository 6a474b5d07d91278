"""A small trajectory on digits, trained from end to end."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.data import load
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

SMALL_TRAJECTORY = LotteryConfig(
    levels=2,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=30, eval_every=15, eval_train=100),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
)
"""What is trained in a second."""


def reports_of(config: LotteryConfig, controls: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Returns the reports of a replicate by level, trained on digits in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab({"digits": load("digits")}, TorchEngine(), Store(Path(folder)))
        return list(run_trial(config, [0], controls, lab))
