"""ResNet-20 on CIFAR-10, which the paper calls ResNet-18 (Frankle & Carbin 2019, section 4)."""

from __future__ import annotations

from lttune.config import LotteryConfig, ModelConfig
from lttune.config.presets.cifar import AUGMENTED, convolutions_only, section_4


def _resnet(lr: float, warmup_steps: int = 0) -> LotteryConfig:
    return LotteryConfig(
        levels=14,
        data=AUGMENTED,
        model=ModelConfig(name="resnet-20", init="glorot_normal"),
        train=section_4(128, 30_000, (20_000, 25_000), lr, warmup_steps),
        prune=convolutions_only("shortcut", "out"),
    )


RESNET_20 = _resnet(0.1)
"""Figure 2: batch 128, 30,000 steps, learning rate 0.1, a tenth at 20,000 and at 25,000 steps.

Figure 2 prints 274K weights, section 4 271K: 270,896 weights can be named (267,696 of the 3 x 3
convolutions, 2,560 of shortcuts, 640 of the output); biases, batch norm and its running moments
bring them to 274,042. At this learning rate the paper finds no winning tickets (Figure 8).
"""

RESNET_20_LOW = _resnet(0.01)
"""Figure 8 and appendix I.4: learning rate 0.01, with which there are winning tickets."""

RESNET_20_WARMUP = _resnet(0.03, warmup_steps=20_000)
"""Figure 8: learning rate 0.03 after a linear warm-up of 20,000 steps."""
