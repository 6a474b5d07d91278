"""CIFAR-10 as the paper splits it, and the training that its two deep networks share."""

from __future__ import annotations

from lttune.config import DataConfig, PruneConfig, TrainConfig

UNAUGMENTED = DataConfig(name="cifar10", validation=5_000)
"""45,000 training and 5,000 validation examples, as they are (section 3)."""

AUGMENTED = DataConfig(name="cifar10", validation=5_000, augment="flip-crop")
"""The same, flipped and cropped at random (section 4)."""


def section_4(
    batch_size: int, steps: int, milestones: tuple[int, int], lr: float = 0.1, warmup_steps: int = 0
) -> TrainConfig:
    """Returns section 4's SGD with momentum 0.9 and weight decay 1e-4.

    The learning rate falls to a tenth at each milestone. The networks are measured every 1,000
    steps: the paper reads their accuracy at a few steps and no early stop (section 4).
    """
    return TrainConfig(
        optimizer="momentum",
        lr=lr,
        momentum=0.9,
        weight_decay=1e-4,
        warmup_steps=warmup_steps,
        milestones=milestones,
        decay=0.1,
        batch_size=batch_size,
        steps=steps,
        eval_every=1_000,
    )


def convolutions_only(*whole: str) -> PruneConfig:
    """Returns section 4's pruning: 20 % of all convolutions' weights a level, as one group.

    Args:
        whole: kinds that keep all their weights. They count in the density nevertheless, because
            that is how the paper's labels count (64.4 % where ResNet-20's 3 x 3 convolutions are
            at 64 %); ``prune.exclude`` would leave them out.
    """
    return PruneConfig(scope="kind", fraction=0.2, fractions=dict.fromkeys(whole, 0.0))
