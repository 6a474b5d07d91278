"""Has every optimizer winning tickets once each has a learning rate of its own?

Source: Frankle & Carbin (2019), Appendix G.2 and G.3 (Figures 26 to 28: learning rates of Adam, SGD
and momentum on LeNet-300-100). Here every optimizer gets the same number of learning rates, spread
evenly over the logarithm of a range of its own; the best by validation accuracy is trained again on
fresh replicates, with new weights in its masks and with random masks, and judged by test accuracy.

  tune     learning rates of each optimizer, one replicate
  confirm  the best of each, and the paper's setting, on replicates that nobody chose by

Cost on 2 cores: smoke under a minute (digits), quick about 20 minutes, paper a day. --plan says it
for this machine.

    python studies/optimizer_comparison.py --scale smoke
    python studies/optimizer_comparison.py --scale quick
"""

import sys
from pathlib import Path
from typing import Any

from analysis import write_report
from lttune.config.design import Factor, LogUniform, Point, fair_comparison
from lttune.config.presets import DIGITS, LENET_300_100, SHORTENED
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Scale, Study, StudyConfig, main

COMPARED = "train.optimizer"
RANGES = {"adam": (1e-4, 1e-2), "sgd": (0.02, 2.0), "momentum": (0.002, 0.2)}
"""Optimizer -> least and greatest learning rate: two decades each, around the paper's grids."""


def points(budget: int) -> list[Point]:
    """Returns the tuning points, ``budget`` of each optimizer."""
    nuisance = {
        optimizer: [Factor(path="train.lr", distribution=LogUniform(low=low, high=high))]
        for optimizer, (low, high) in RANGES.items()
    }
    return fair_comparison(COMPARED, nuisance, budget=budget)


def config(scale: Scale, density: float, replicates: int, **lottery: Any) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"optimizer-comparison-{scale}",
        scale=scale,
        phases=("tune", "confirm"),
        confirm_replicates=replicates,
        objective=ObjectiveConfig(density=density),
        lottery=LENET_300_100.override(lottery),
    )


STUDY = Study(
    question="Has every optimizer winning tickets once each has a learning rate of its own?",
    source="Frankle & Carbin (2019), Appendix G.2 and G.3, Figures 26 to 28",
    scales={
        "smoke": config("smoke", 0.55, 1, **DIGITS),
        "quick": config("quick", 0.05, 5, **SHORTENED),
        "paper": config("paper", 0.05, 10),
    },
    space={},
    file=Path(__file__),
    compared=COMPARED,
    points={
        "smoke": {"tune": points(2)},
        "quick": {"tune": points(16)},
        "paper": {"tune": points(16)},
    },
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
