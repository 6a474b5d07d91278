"""What every schedule of the learning rate must do: those of the table and one's own."""

from __future__ import annotations

import math

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.records.own import use_named
from lttune.testing.expected import expect, global_draws_untouched
from lttune.testing.trained import reports_of
from lttune.training.schedule import SCHEDULE, rate

LENGTHS = (1, 2, 97, 1000)
"""Steps of the trainings that a schedule is asked about."""


def check_schedule(name: str) -> None:
    """Checks everything that is asked of a schedule.

    Args:
        name: as ``train.schedule``: of the table, FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, raises an error, or gives no rate.
    """
    use_named(SCHEDULE, name)
    for steps in LENGTHS:
        for lr in (1e-3, 0.4):
            check_rates(TrainConfig(schedule=name, lr=lr, steps=steps, eval_every=1))
    check_schedule_trains(name)


def check_rates(config: TrainConfig) -> None:
    """Checks that each step has a rate, the same whenever and after whatever it is asked for."""
    name, steps = config.schedule, range(config.steps)
    with global_draws_untouched(name):
        rates = [rate(config, step) for step in steps]
        again = [rate(config, step) for step in reversed(steps)]
    expect(
        all(0 <= one < math.inf for one in rates),
        f"{name} must give finite rates >= 0 to a training of {config.steps} steps",
    )
    expect(
        rates == again[::-1],
        f"{name} must give a step the same rate whenever it is asked: a training can begin in the "
        "middle, and several are trained at once",
    )
    expect(max(rates) > 0, f"{name} must not be 0 at every step of {config.steps}")


def check_schedule_trains(name: str) -> None:
    """Checks that a trajectory runs from end to end, and is the same when it is run again.

    Its levels enter the schedule at the step that they are rewound to.
    """
    config = LotteryConfig(
        levels=1,
        rewind_step=5,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-12"),
        train=TrainConfig(
            schedule=name, lr=5e-3, batch_size=50, steps=20, eval_every=10, eval_train=0
        ),
    )
    found: list[list[tuple[str, float | None]]] = []
    for _ in range(2):
        rows = [row for report in reports_of(config) for row in report["rows"]]
        expect(not any(row["diverged"] for row in rows), f"{name} must leave digits trainable")
        found.append([(row["cell"], row["val_loss"]) for row in rows])
    expect(found[0] == found[1], f"{name} must give the same networks when a study is run again")
