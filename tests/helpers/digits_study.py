"""Which knob decides whether a tiny network has winning tickets on digits?

A study of seconds, for the tests: every network takes a fraction of a second.
"""

import sys
from pathlib import Path

from optuna.distributions import CategoricalDistribution, FloatDistribution

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.settings import StudyConfig

LOTTERY = LotteryConfig(
    levels=2,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=0.01, steps=40, eval_every=20, eval_test=False, eval_train=100),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
)

SPACE = {
    "train.lr": CategoricalDistribution([0.01, 0.003]),
    "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
}

SMOKE = StudyConfig(
    name="digits",
    scale="smoke",
    trials=4,
    replicates=2,
    objective=ObjectiveConfig(density=0.5),
    lottery=LOTTERY,
)

STUDY = Study(
    question="Which knob decides?",
    source="Frankle & Carbin (2019)",
    scales={"smoke": SMOKE, "paper": SMOKE},
    space=SPACE,
    file=Path(__file__),
)


def report(folder: Path) -> Path:
    """Writes a report that takes no time."""
    page = folder / "report.html"
    page.write_text(f"<h1>{folder.name}</h1>\n")
    return page


if __name__ == "__main__":
    sys.exit(main(STUDY, report, __doc__))
