"""Is a ticket found on one dataset a ticket on another?

Source: Morcos et al. (2019), Figures 3 and 4; Mehta (2019). The anchor finds tickets on MNIST;
``transfer`` trains each of them on Fashion-MNIST, beside the ticket's mask with new weights and a
random mask of the same densities there. ``lttune transfer`` takes a ticket that is there already
elsewhere, to another optimizer or learning rate too.

Cost on 2 cores: smoke under 2 minutes (digits); quick (MNIST) and paper were not measured.

    python studies/ticket_transfer.py --scale smoke
    python studies/ticket_transfer.py --scale quick --lottery.target.optimizer momentum
"""

import sys
from pathlib import Path

from analysis import write_report
from lttune.config.presets import LENET_300_100
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main


def config(scale: str, replicates: int, density: float, **hparams: object) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"ticket-transfer-{scale}",
        scale=scale,
        phases=("anchor",),
        replicates=replicates,
        controls=("reinit", "random", "transfer", "transfer_reinit", "transfer_random"),
        objective=ObjectiveConfig(density=density),
        lottery=LENET_300_100.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "model.name": "lenet-40-20",
    "target.optimizer": "momentum",
    "target.lr": 0.05,
    "levels": 4,
    "train.steps": 150,
    "train.eval_every": 50,
    "train.eval_test": False,
    "train.eval_train": 0,
    "prune.fractions.fc1": 0.4,
    "prune.fractions.fc2": 0.4,
}
MEDIUM = {"levels": 15, "train.steps": 3_000, "train.eval_test": False, "train.eval_train": 2_000}
FASHION = {"target.data": "fashion-mnist"}

STUDY = Study(
    question="Is a ticket found on one dataset a ticket on another?",
    source="Morcos et al. (2019), Figures 3 and 4; Mehta (2019)",
    scales={
        "smoke": config("smoke", 2, 0.2, **SMALL),
        "quick": config("quick", 5, 0.05, **MEDIUM, **FASHION),
        "paper": config("paper", 5, 0.05, **FASHION),
    },
    space={},
    file=Path(__file__),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
