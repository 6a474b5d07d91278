"""How much of a study's time is not training?

Source: none. The quick study of lenet_sensitivity.py at two thirds of its steps, of which only the
learning rate is searched: all trials then take equally long, so that what one core idles at the end
is the orchestration's doing, not the luck of the draw.

    python -m benchmarks.study --help
"""

import sys
from pathlib import Path

from optuna.distributions import FloatDistribution

from analysis import write_report
from lttune.config.presets import LENET_300_100
from lttune.records.objectives import ObjectiveConfig
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.settings import StudyConfig

RATES = FloatDistribution(5e-4, 2e-3, log=True)

STUDY = Study(
    question="How much of a study's time is not training?",
    source="benchmarks",
    scales={
        "quick": StudyConfig(
            name="benchmark",
            phases=("search",),
            trials=16,
            objective=ObjectiveConfig(density=0.05),
            lottery=LENET_300_100.override(
                {
                    "levels": 15,
                    "train.steps": 2_000,
                    "train.eval_test": False,
                    "train.eval_train": 2_000,
                }
            ),
        )
    },
    space={"train.lr": RATES},
    file=Path(__file__),
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, str(__doc__)))
