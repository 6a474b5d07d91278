"""Which hyperparameters decide whether a small convolutional network has winning tickets?

Source: Frankle & Carbin (2019), Figures 5 and 6 and Appendix H. The anchor is Conv-2 in the paper's
setting with both controls; the sweeps are the paper's learning rates for Adam (H.2, Figure 32) and
pruning fractions of the convolutions (H.4, Figure 35); the search varies both, the hidden layers'
fraction and the batch size.

Cost on 2 cores: smoke under 2 minutes (digits). quick and paper are for a GPU (CIFAR-10, ``--device
cuda``); their time was not measured. Your own pictures: ``--lottery.data.name PATH.npz``.

    python studies/conv_sensitivity.py --scale smoke
    python studies/conv_sensitivity.py --scale quick --lottery.data.name ./cifar10-12k.npz
"""

import sys
from pathlib import Path

from optuna.distributions import FloatDistribution, IntDistribution

from analysis import write_report
from lttune.config.design import Point
from lttune.config.presets import CONV_2
from lttune.records.objectives import ObjectiveConfig
from lttune.study import Study, StudyConfig, main

SPACE = {
    "train.lr": FloatDistribution(5e-5, 2e-3, log=True),
    "train.batch_size": IntDistribution(20, 200, log=True),
    "prune.fractions.conv": FloatDistribution(0.05, 0.4),
    "prune.fractions.fc": FloatDistribution(0.1, 0.5),
}
LEARNING_RATES = (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4)
FRACTIONS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


def sweep(path: str, values: tuple[float, ...], replicates: int) -> list[Point]:
    """Returns a point for each value of one hyperparameter."""
    name = path.rpartition(".")[2]
    return [
        Point(
            hparams={path: value},
            replicates=tuple(range(replicates)),
            role="sweep",
            label=f"{name}={value:g}",
        )
        for value in values
    ]


def points(replicates: int, every: int = 1) -> list[Point]:
    """Returns both sweeps, of which smoke takes some values only."""
    return [
        *sweep("train.lr", LEARNING_RATES[::every], replicates),
        *sweep("prune.fractions.conv", FRACTIONS[::every], replicates),
    ]


def config(
    scale: str, trials: int, replicates: int, density: float, **hparams: object
) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"conv-sensitivity-{scale}",
        scale=scale,
        phases=("anchor", "sweep", "search"),
        trials=trials,
        replicates=replicates,
        objective=ObjectiveConfig(density=density),
        lottery=CONV_2.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "data.validation": None,
    "levels": 2,
    "train.steps": 60,
    "train.eval_every": 20,
    "train.eval_test": False,
    "train.eval_train": 0,
}
MEDIUM = {"levels": 12, "train.steps": 4_000, "train.eval_test": False, "train.eval_train": 2_000}

STUDY = Study(
    question="Which hyperparameters decide whether Conv-2 has winning tickets?",
    source="Frankle & Carbin (2019), Figures 5 and 6 and Appendix H",
    scales={
        "smoke": config("smoke", 2, 1, 0.7, **SMALL),
        "quick": config("quick", 16, 3, 0.1, **MEDIUM),
        "paper": config("paper", 64, 5, 0.05),
    },
    space=SPACE,
    file=Path(__file__),
    points={
        "smoke": {"sweep": points(1, every=4)},
        "quick": {"sweep": points(3)},
        "paper": {"sweep": points(5)},
    },
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))
