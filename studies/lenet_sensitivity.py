"""Which hyperparameters decide whether LeNet-300-100 on MNIST has winning tickets?

Source: Frankle & Carbin (2019), Figures 2-4 and Appendix G. Six phases, each of its own use:

  anchor   the paper's setting with two controls, the ticket's mask with new weights and a random
           mask: is there a winning ticket at all?
  sweep    the paper's learning rates and pruning rates, one at a time
  design   a scrambled Sobol' sequence over learning rate, batch size and the layers' pruning
           fractions: how much does each matter, at each density?
  search   Optuna, from what the design found: what is the best setting?
  random   as many settings drawn blindly: what did the search gain?
  confirm  the winners and the paper's setting on replicates that nobody chose by

Cost on 2 cores: smoke a minute, quick half an hour, paper days. --plan prints what would be
trained and how long it takes here; --phases chooses. More cores share the trials. A run that was
stopped goes on when the same command is given again.

    python studies/lenet_sensitivity.py --plan
    python studies/lenet_sensitivity.py --scale smoke
    python studies/lenet_sensitivity.py --scale quick --name my-study --lottery.train.lr 0.002
"""

import sys
from pathlib import Path
from typing import Any

from analysis import lock_claims, write_report
from lttune.config.design import LENET_FACTORS, LENET_PAPER, SWEEPS, Point, reaching, space_filling
from lttune.config.presets import LENET_300_100, SHORTENED
from lttune.records.objectives import ObjectiveConfig
from lttune.study import PhaseName, Scale, Study, StudyConfig, main
from lttune.study.search.space import space_of


def sweep(replicates: int, density: float, *, beyond: bool = False) -> list[Point]:
    """Returns the paper's sweeps of learning rate and pruning rate, down to a density."""
    points = [
        point
        for name in ("adam-lr", "rate")
        for point in SWEEPS[name].points(replicates=replicates, beyond=beyond)
    ]
    return reaching(points, density)


def design(points: int, repeats: int) -> list[Point]:
    """Returns the Sobol' design, some of its points with three replicates, and the paper's."""
    return space_filling(LENET_FACTORS, points=points, seed=0, paper=LENET_PAPER, repeats=repeats)


def config(scale: Scale, density: float, settings: dict[str, Any], **lottery: Any) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"lenet-sensitivity-{scale}",
        scale=scale,
        phases=("anchor", "sweep", "design", "search", "random", "confirm"),
        objective=ObjectiveConfig(density=density),
        lottery=LENET_300_100.override(lottery),
        **settings,
    )


BRIEF = {
    "levels": 3,
    "train.steps": 200,
    "train.eval_every": 25,
    "train.eval_test": False,
    "train.eval_train": 1_000,
}
FLOOR = 0.018
"""Density to which all points of the design are pruned: those that stopped at a level would end at
densities of their own, and which ones lack a low density would depend on the fractions."""
ENDS = ("adam-lr=0.0002", "rate=0.4")
POINTS: dict[str, dict[PhaseName, list[Point]]] = {
    "smoke": {
        "sweep": [point for point in sweep(1, 0.55) if point.label in ENDS],
        "design": design(4, 1),
    },
    "quick": {"sweep": sweep(5, 0.05), "design": reaching(design(64, 16), FLOOR)},
    "paper": {"sweep": sweep(10, 0.019, beyond=True), "design": reaching(design(128, 16), FLOOR)},
}

STUDY = Study(
    question="Which hyperparameters decide whether LeNet-300-100 on MNIST has winning tickets?",
    source="Frankle & Carbin (2019), Figures 2-4 and Appendix G",
    scales={
        "smoke": config(
            "smoke", 0.55, {"trials": 3, "replicates": 1, "confirm_replicates": 1}, **BRIEF
        ),
        "quick": config(
            "quick", 0.05, {"trials": 16, "replicates": 5, "confirm_replicates": 5}, **SHORTENED
        ),
        "paper": config("paper", 0.05, {"trials": 64, "replicates": 10, "confirm_replicates": 10}),
    },
    space=space_of(LENET_FACTORS),
    factors=LENET_FACTORS,
    file=Path(__file__),
    points=POINTS,
    prepare=lock_claims,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
