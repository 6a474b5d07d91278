"""Which hyperparameters decide whether LeNet-300-100 on MNIST has winning tickets?

Source: Frankle & Carbin (2019), Figures 2-4 and Appendix G. The anchor trains the paper's setting
with both controls, the ticket's mask with new weights and a random mask, over every level. The
search varies learning rate, batch size and the three layers' pruning fractions with Optuna.

Cost on 2 cores: smoke under a minute, quick 4 minutes (16 without numba), paper some hours. More
cores share the trials. A run that was stopped goes on when the same command is given again.

    python studies/lenet_sensitivity.py --scale smoke
    python studies/lenet_sensitivity.py --scale quick --name my-study --lottery.train.lr 0.002
"""

import sys
from pathlib import Path

from optuna.distributions import FloatDistribution, IntDistribution

from analysis import write_report
from lttune.objectives import ObjectiveConfig
from lttune.presets import LENET_300_100
from lttune.settings import Study, StudyConfig
from lttune.study import main

SPACE = {
    "train.lr": FloatDistribution(1e-4, 1e-2, log=True),
    "train.batch_size": IntDistribution(20, 200, log=True),
    "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
    "prune.fractions.fc2": FloatDistribution(0.2, 0.6),
    "prune.fractions.out": FloatDistribution(0.05, 0.4),
}

SCALES = {
    "smoke": StudyConfig(
        name="lenet-sensitivity-smoke",
        scale="smoke",
        trials=3,
        replicates=1,
        objective=ObjectiveConfig(density=0.55),
        lottery=LENET_300_100.override(
            {
                "levels": 3,
                "train.steps": 200,
                "train.eval_every": 25,
                "train.eval_test": False,
                "train.eval_train": 1_000,
            }
        ),
    ),
    "quick": StudyConfig(
        name="lenet-sensitivity-quick",
        scale="quick",
        trials=16,
        replicates=5,
        objective=ObjectiveConfig(density=0.05),
        lottery=LENET_300_100.override(
            {
                "levels": 15,
                "train.steps": 3_000,
                "train.eval_test": False,
                "train.eval_train": 2_000,
            }
        ),
    ),
    "paper": StudyConfig(
        name="lenet-sensitivity-paper",
        scale="paper",
        trials=64,
        replicates=5,
        objective=ObjectiveConfig(density=0.05),
        lottery=LENET_300_100,
    ),
}

STUDY = Study(
    question="Which hyperparameters decide whether LeNet-300-100 on MNIST has winning tickets?",
    source="Frankle & Carbin (2019), Figures 2-4 and Appendix G",
    scales=SCALES,
    space=SPACE,
    file=Path(__file__),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
