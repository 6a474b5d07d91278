"""LeNet-300-100 on MNIST (Frankle & Carbin 2019, Figure 2 and section 2)."""

from __future__ import annotations

from lttune.config import LotteryConfig, ModelConfig, PruneConfig, TrainConfig

LENET_300_100 = LotteryConfig(
    levels=24,
    model=ModelConfig(name="lenet-300-100", init="glorot_normal"),
    train=TrainConfig(optimizer="adam", lr=1.2e-3, batch_size=60, steps=50_000, eval_every=100),
    prune=PruneConfig(scope="layer", fraction=0.2, fractions={"fc1": 0.2, "fc2": 0.2, "out": 0.1}),
)
"""LeNet-300-100 on MNIST: Adam 1.2e-3, batch 60, 50,000 steps, 20 % a level, output 10 %."""
