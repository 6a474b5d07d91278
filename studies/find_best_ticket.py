"""What is the smallest winning ticket that a search can find?

Source: the lottery ticket hypothesis asks for commensurate accuracy with far fewer weights (Frankle
& Carbin 2019, section 1). The search minimises the density at which a trajectory still matches its
own dense network, over learning rate, batch size, every layer's pruning fraction and the criterion.
The anchor shows what the paper's own setting reaches.

Cost on 2 cores: smoke under 2 minutes (digits); quick (MNIST) and paper were not measured.

    python studies/find_best_ticket.py --scale smoke
    python studies/find_best_ticket.py --scale quick --sampler gp --trials 48
"""

import sys
from pathlib import Path

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis import write_report
from lttune.config.presets import LENET_300_100
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main

SPACE = {
    "train.lr": FloatDistribution(3e-4, 1e-2, log=True),
    "train.batch_size": IntDistribution(20, 200, log=True),
    "prune.fractions.fc1": FloatDistribution(0.15, 0.6),
    "prune.fractions.fc2": FloatDistribution(0.1, 0.5),
    "prune.fractions.out": FloatDistribution(0.05, 0.3),
    "prune.criterion": CategoricalDistribution(["magnitude", "magnitude_increase", "movement"]),
}


def config(scale: str, trials: int, replicates: int, **hparams: object) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"find-best-ticket-{scale}",
        scale=scale,
        trials=trials,
        replicates=replicates,
        search_replicates=1 if scale == "smoke" else 2,
        controls=("reinit",),
        objective=ObjectiveConfig(name="ticket_density", margin=0.002 if trials > 9 else 0.02),
        lottery=LENET_300_100.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "model.name": "lenet-40-20",
    "levels": 5,
    "train.steps": 150,
    "train.eval_every": 50,
    "train.eval_test": False,
    "train.eval_train": 0,
    "prune.fractions.fc1": 0.4,
    "prune.fractions.fc2": 0.4,
}
MEDIUM = {"levels": 20, "train.steps": 3_000, "train.eval_test": False, "train.eval_train": 0}

STUDY = Study(
    question="What is the smallest winning ticket that a search can find?",
    source="Frankle & Carbin (2019), section 1",
    scales={
        "smoke": config("smoke", 6, 1, **SMALL),
        "quick": config("quick", 24, 3, **MEDIUM),
        "paper": config("paper", 128, 5),
    },
    space=SPACE,
    file=Path(__file__),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
