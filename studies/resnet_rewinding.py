"""Where must a ResNet's weights return to, and at which learning rate are there winning tickets?

Source: Frankle & Carbin (2019), section 4 and Figure 8 (learning rate and warm-up decide); Frankle
et al. (2020), Figure 4 (rewinding to step k instead of initialisation); Renda et al. (2020), Figure
2 (rewind weights, rewind the learning rate only, or fine-tune). ``sibling`` trains each ticket with
another data order and measures the error barrier between the two (Frankle et al. 2020, Figure 3).

Cost on 2 cores: smoke under 2 minutes (digits). quick and paper are for a GPU (CIFAR-10, ``--device
cuda``); their time was not measured.

    python studies/resnet_rewinding.py --scale smoke
    python studies/resnet_rewinding.py --scale quick --device cuda
"""

import sys
from pathlib import Path
from typing import Any

from analysis import write_report
from lttune.config.design import Point
from lttune.config.presets import RESNET_20
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main


def points(replicates: int, steps: int, warmup: int) -> list[Point]:
    """Returns the rewinding steps, the ways to go on, and the learning rates of Figure 8."""
    late = max(1, round(0.02 * steps))
    variants: dict[str, dict[str, Any]] = {
        "rewind=0": {"rewind_step": 0},
        f"rewind={late}": {"rewind_step": late},
        f"rewind={5 * late}": {"rewind_step": 5 * late},
        "lr_rewind": {"kept": "lr_rewind"},
        "fine_tune": {"kept": "continue"},
        "lr=0.01": {"train.lr": 0.01},
        "lr=0.03 with warm-up": {"train.lr": 0.03, "train.warmup_steps": warmup},
    }
    return [
        Point(
            hparams=hparams,
            replicates=tuple(range(replicates)),
            role="paper" if label == "rewind=0" else "sweep",
            label=label,
        )
        for label, hparams in variants.items()
    ]


def config(scale: str, replicates: int, density: float, **hparams: object) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"resnet-rewinding-{scale}",
        scale=scale,
        phases=("anchor", "sweep"),
        replicates=replicates,
        controls=("reinit", "random", "sibling"),
        objective=ObjectiveConfig(density=density),
        lottery=RESNET_20.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "data.validation": None,
    "data.augment": "none",
    "model.name": "resnet-20-8",
    "levels": 2,
    "train.steps": 60,
    "train.batch_size": 32,
    "train.eval_every": 20,
    "train.milestones": (40, 50),
    "train.eval_test": False,
    "train.eval_train": 0,
}
MEDIUM = {
    "levels": 10,
    "train.steps": 10_000,
    "train.milestones": (6_667, 8_333),
    "train.eval_every": 200,
    "train.eval_test": False,
    "train.eval_train": 2_000,
}

STUDY = Study(
    question="Where must a ResNet's weights return to, and at which learning rate?",
    source="Frankle & Carbin (2019), section 4; Frankle et al. (2020); Renda et al. (2020)",
    scales={
        "smoke": config("smoke", 1, 0.7, **SMALL),
        "quick": config("quick", 3, 0.15, **MEDIUM),
        "paper": config("paper", 5, 0.1),
    },
    space={},
    file=Path(__file__),
    points={
        "smoke": {"sweep": points(1, 60, 40)},
        "quick": {"sweep": points(3, 10_000, 6_667)},
        "paper": {"sweep": points(5, 30_000, 20_000)},
    },
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
