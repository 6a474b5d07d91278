"""What a Ray worker runs, in the test's own process: a small trial, and all its reports."""

from __future__ import annotations

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.data import load
from lttune.records.objectives import ObjectiveConfig
from lttune.study.workers.trainable import LotteryTrainable

TINY = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-40-20"),
    train=TrainConfig(lr=5e-3, steps=20, eval_every=10, eval_train=0),
)
CONFIG = {
    "lottery": TINY.nested(),
    "hparams": {},
    "replicates": [0],
    "controls": [],
    "control_densities": [],
}


OBJECTIVE = ObjectiveConfig(density=0.6)


def worker(
    folder,
    *,
    stops,
    config=CONFIG,
    device="cpu",
    codes=(),
    objective=OBJECTIVE,
    engine="torch",
    falls_back=False,
):
    made = LotteryTrainable.__new__(LotteryTrainable)
    made.setup(
        config,
        datasets={"digits": load("digits")},
        store=str(folder),
        seed=0,
        device=device,
        engine=engine,
        objective=objective,
        stops=stops,
        codes=codes,
        falls_back=falls_back,
    )
    return made


def reports(made):
    found = [made.step()]
    while not found[-1]["done"]:
        found.append(made.step())
    return found
