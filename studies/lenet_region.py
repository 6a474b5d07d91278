"""Which hyperparameters matter for LeNet-300-100's tickets among settings that learn?

Source: Frankle & Carbin (2019), Appendix G. The wide design of ``lenet_sensitivity.py`` mixes two
questions: whether a network learns at all, and what its tickets are like. This is the same design
inside the region in which networks learn. The region was peeled from the committed results of that
study (``analysis.tables.design.region.sane_region``): of its points, 97 % have a dense network
within a point of validation accuracy of the paper's.

Cost on 2 cores: smoke under a minute, quick about 20 minutes, paper days. --plan says it for this
machine.

    python studies/lenet_region.py --scale smoke
    python studies/lenet_region.py --scale quick
"""

import sys
from pathlib import Path
from typing import Any

from analysis import write_report
from lttune.config.design import LENET_FACTORS, LENET_PAPER, Point, nested, reaching, space_filling
from lttune.config.presets import DIGITS, LENET_300_100, SHORTENED
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Scale, Study, StudyConfig, main

REGION = {"train.lr": (1.4e-4, 3.7e-3), "train.batch_size": (36, 200)}
"""Where they learn, to two digits of the learning rate."""
FACTORS = nested(LENET_FACTORS, REGION)
FLOOR = 0.018
"""Density to which its points are pruned."""
SIZES: dict[Scale, tuple[int, int]] = {"smoke": (4, 1), "quick": (64, 16), "paper": (128, 16)}
"""Scale -> points, and how many of them have three replicates."""


def config(scale: Scale, density: float, **lottery: Any) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"lenet-region-{scale}",
        scale=scale,
        phases=("design",),
        objective=ObjectiveConfig(density=density),
        lottery=LENET_300_100.override(lottery),
    )


def design(scale: Scale) -> list[Point]:
    """Returns the design of a scale; but for smoke all its points end at the same density."""
    points, repeats = SIZES[scale]
    found = space_filling(FACTORS, points=points, seed=0, paper=LENET_PAPER, repeats=repeats)
    return found if scale == "smoke" else reaching(found, FLOOR)


STUDY = Study(
    question="Which hyperparameters matter for LeNet-300-100's tickets among settings that learn?",
    source="Frankle & Carbin (2019), Appendix G",
    scales={
        "smoke": config("smoke", 0.55, **DIGITS),
        "quick": config("quick", 0.05, **SHORTENED),
        "paper": config("paper", 0.05),
    },
    space={},
    factors=FACTORS,
    file=Path(__file__),
    points={scale: {"design": design(scale)} for scale in SIZES},
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
