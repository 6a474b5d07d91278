"""VGG-19 with batch norm on CIFAR-10 (Frankle & Carbin 2019, section 4)."""

from __future__ import annotations

from lttune.config import LotteryConfig, ModelConfig
from lttune.config.presets.cifar import AUGMENTED, convolutions_only, section_4

EPOCH = 704
"""Steps of an epoch: 45,000 examples in batches of 64, the last with 8."""


def _vgg(lr: float, warmup_steps: int = 0) -> LotteryConfig:
    return LotteryConfig(
        levels=24,
        data=AUGMENTED,
        model=ModelConfig(name="vgg-19", init="glorot_normal"),
        train=section_4(64, 112_000, (80 * EPOCH, 120 * EPOCH), lr, warmup_steps),
        prune=convolutions_only("out"),
    )


VGG_19 = _vgg(0.1)
"""Figure 2: batch 64, 112,000 steps, learning rate 0.1, a tenth after 80 and 120 epochs.

At this learning rate the paper finds no winning tickets (Figure 7). Figure 2 prints 20.0M weights:
20,018,880 of the convolutions, and 5,120 of the output.
"""

VGG_19_LOW = _vgg(0.01)
"""Figure 7 and appendix I.4: learning rate 0.01, with which there are winning tickets."""

VGG_19_WARMUP = _vgg(0.1, warmup_steps=10_000)
"""Figure 7: learning rate 0.1 after a linear warm-up of 10,000 steps.

The legend of Figure 38 says "rate 0.03, warmup 10K" where the text says 0.1.
"""
