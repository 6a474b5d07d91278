"""Which hyperparameters matter for LeNet-300-100's tickets among settings that learn?

Source: Frankle & Carbin (2019), Appendix G. The wide design of ``lenet_sensitivity.py`` mixes two
questions: whether a network learns at all, and what its tickets are like. This is the same design
inside the region in which networks learn. The region was peeled from the committed results of that
study (``analysis.region.sane_region``): of its points, 97 % have a dense network within a point of
validation accuracy of the paper's.

Cost on 2 cores: smoke under a minute, quick about 20 minutes, paper days. --plan says it for this
machine.

    python studies/lenet_region.py --scale smoke
    python studies/lenet_region.py --scale quick
"""

import sys
from pathlib import Path
from typing import Any

from analysis import write_report
from lttune.design import Factor, Integer, LogUniform, Uniform, nested, space_filling
from lttune.objectives import ObjectiveConfig
from lttune.presets import LENET_300_100
from lttune.settings import Scale, Study, StudyConfig
from lttune.study import main

WIDE = (
    Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-2)),
    Factor(path="train.batch_size", distribution=Integer(low=20, high=200, log=True)),
    Factor(path="prune.fractions.fc1", distribution=Uniform(low=0.2, high=0.6)),
    Factor(path="prune.fractions.fc2", distribution=Uniform(low=0.2, high=0.6)),
    Factor(path="prune.fractions.out", distribution=Uniform(low=0.05, high=0.4)),
)
"""The factors of ``lenet_sensitivity.py``."""
REGION = {"train.lr": (1.4e-4, 3.7e-3), "train.batch_size": (36, 200)}
"""Where they learn, to two digits of the learning rate."""
FACTORS = nested(WIDE, REGION)
PAPER = {
    "train.lr": 1.2e-3,
    "train.batch_size": 60,
    "prune.fractions.fc1": 0.2,
    "prune.fractions.fc2": 0.2,
    "prune.fractions.out": 0.1,
}
SIZES = {"smoke": (4, 1), "quick": (64, 16), "paper": (128, 16)}
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


SMALL = {
    "data.name": "digits",
    "data.validation": None,
    "levels": 3,
    "train.steps": 200,
    "train.eval_every": 50,
    "train.eval_test": False,
    "train.eval_train": 0,
}
MEDIUM = {
    "levels": 15,
    "train.steps": 3_000,
    "train.eval_test": False,
    "train.eval_train": 2_000,
}

STUDY = Study(
    question="Which hyperparameters matter for LeNet-300-100's tickets among settings that learn?",
    source="Frankle & Carbin (2019), Appendix G",
    scales={
        "smoke": config("smoke", 0.55, **SMALL),
        "quick": config("quick", 0.05, **MEDIUM),
        "paper": config("paper", 0.05),
    },
    space={},
    factors=FACTORS,
    file=Path(__file__),
    points={
        scale: {
            "design": space_filling(FACTORS, points=points, seed=0, paper=PAPER, repeats=repeats)
        }
        for scale, (points, repeats) in SIZES.items()
    },
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
