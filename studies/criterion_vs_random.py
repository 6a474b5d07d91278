"""Which weights make a winning ticket: those that end large, or any?

Source: Zhou et al. (2019), section 3 and Figure 3, on the network of Frankle & Carbin (2019). Every
point prunes LeNet-300-100 by another criterion, all else as in the paper; random is the control.
The anchor's own controls, new weights and a random mask, tell how much the mask alone is worth.

Cost on 2 cores: smoke under 2 minutes (digits); quick (MNIST) and paper were not measured.

    python studies/criterion_vs_random.py --scale smoke
"""

import sys
from pathlib import Path

from analysis import write_report
from lttune.config.design import Point
from lttune.config.presets import LENET_300_100, SHORTENED
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main

CRITERIA = (
    "large_final",
    "magnitude_increase",
    "movement",
    "large_init_large_final",
    "large_init",
    "small_final",
    "snip",
    "synflow",
    "random",
)


def points(replicates: int) -> list[Point]:
    """Returns a point for each criterion."""
    # SynFlow's authors score a hundred times on the way. They rank all layers together; here every
    # criterion has the same layer densities, so that only the choice within a layer differs.
    iterated = {"synflow": {"prune.rounds": 100}}
    return [
        Point(
            hparams={"prune.criterion": criterion, **iterated.get(criterion, {})},
            replicates=tuple(range(replicates)),
            role="paper" if criterion == "large_final" else "sweep",
            label=f"criterion={criterion}",
        )
        for criterion in CRITERIA
    ]


def config(scale: str, replicates: int, density: float, **hparams: object) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"criterion-vs-random-{scale}",
        scale=scale,
        phases=("anchor", "sweep"),
        replicates=replicates,
        controls=("reinit", "random", "shuffle"),
        objective=ObjectiveConfig(density=density),
        lottery=LENET_300_100.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "model.name": "lenet-40-20",
    "levels": 4,
    "train.steps": 150,
    "train.eval_every": 50,
    "train.eval_test": False,
    "train.eval_train": 0,
    "prune.fraction": 0.4,
    "prune.fractions.fc1": 0.4,
    "prune.fractions.fc2": 0.4,
    "prune.fractions.out": 0.2,
}

STUDY = Study(
    question="Which weights make a winning ticket: those that end large, or any?",
    source="Zhou et al. (2019), section 3; Frankle & Carbin (2019), Figure 2",
    scales={
        "smoke": config("smoke", 1, 0.2, **SMALL),
        "quick": config("quick", 3, 0.05, **SHORTENED),
        "paper": config("paper", 5, 0.05),
    },
    space={},
    file=Path(__file__),
    points={
        "smoke": {"sweep": points(1)},
        "quick": {"sweep": points(3)},
        "paper": {"sweep": points(5)},
    },
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
