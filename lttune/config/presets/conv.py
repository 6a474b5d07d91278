"""Conv-2, Conv-4 and Conv-6 on CIFAR-10 (Frankle & Carbin 2019, Figure 2 and section 3).

Adam, batch 60, no augmentation and no weight decay; each layer loses its fraction a level. The
paper states neither padding nor activation: 'same' and ReLU give its counts for Conv-2 and Conv-4.
"""

from __future__ import annotations

from lttune.config import LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.presets.cifar import UNAUGMENTED


def _conv(
    depth: int, lr: float, steps: int, fraction: float, levels: int, dropout: float = 0.0
) -> LotteryConfig:
    return LotteryConfig(
        levels=levels,
        data=UNAUGMENTED,
        model=ModelConfig(name=f"conv-{depth}", init="glorot_normal", dropout=dropout),
        train=TrainConfig(optimizer="adam", lr=lr, batch_size=60, steps=steps, eval_every=100),
        prune=PruneConfig(
            scope="layer", fraction=0.2, fractions={"conv": fraction, "fc": 0.2, "out": 0.1}
        ),
    )


CONV_2 = _conv(2, lr=2e-4, steps=20_000, fraction=0.1, levels=18)
"""Figure 2: Adam 2e-4, 20,000 steps, convolutions 10 %, hidden layers 20 %, output 10 % a level."""

CONV_4 = _conv(4, lr=3e-4, steps=25_000, fraction=0.1, levels=18)
"""Figure 2: Adam 3e-4, 25,000 steps, convolutions 10 %, hidden layers 20 %, output 10 % a level."""

CONV_6 = _conv(6, lr=3e-4, steps=30_000, fraction=0.15, levels=18)
"""Figure 2: Adam 3e-4, 30,000 steps, convolutions 15 %, hidden layers 20 %, output 10 % a level.

Figure 2 prints 1.7M weights; these layers have 2,261,184, and the densities that the paper prints
fit neither exactly. Compare by density.
"""

CONV_2_DROPOUT = _conv(2, lr=3e-4, steps=60_000, fraction=0.1, levels=18, dropout=0.5)
"""Section 3 (Figure 6) and appendix H.5: dropout 0.5, three times the steps, Adam 3e-4."""

CONV_4_DROPOUT = _conv(4, lr=2e-4, steps=75_000, fraction=0.1, levels=18, dropout=0.5)
"""Section 3 (Figure 6) and appendix H.5: dropout 0.5, three times the steps, Adam 2e-4."""

CONV_6_DROPOUT = _conv(6, lr=2e-4, steps=90_000, fraction=0.15, levels=18, dropout=0.5)
"""Section 3 (Figure 6) and appendix H.5: dropout 0.5, three times the steps, Adam 2e-4."""
