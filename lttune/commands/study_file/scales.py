"""How much the scales of a written study train, by what a network costs on this machine."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from lttune.commands.study_file.fitting import FittedSettings
from lttune.config.rules import MOST_LEVELS
from lttune.data.dataset import validation_size
from lttune.data.transforms import shape_and_classes, training_size
from lttune.models import Network
from lttune.pruning.densities import planned_densities

QUICK_CORES = 2
QUICK_S = 75.0
"""Wall seconds of training, on so many cores, that a quick scale is to stay below; Ray's start, the
report and the rest take half a minute more."""
EVALUATIONS, FEW_STEPS, FEW_EVALUATIONS = 8, 100, 2
"""Times that a training is evaluated, and one of fewer steps than those."""
COMPARED_WITH = ("reinit", "random")
"""What the ticket is compared with: its mask with new weights, and another mask."""
TIMED_S = 1.5
"""Seconds after which timing ends, with what was timed by then."""


def evaluations(steps: int) -> int:
    """Returns how often a training of so many steps is evaluated after its first one."""
    return EVALUATIONS if steps >= FEW_STEPS else FEW_EVALUATIONS


@dataclass(frozen=True, kw_only=True)
class FittedScale:
    """What one scale trains."""

    steps: int
    """Of each training."""
    levels: int
    """At most, of the point that prunes slowest."""
    density: float
    """Where every trajectory ends, and which the objective reads."""
    points: int
    repeats: int
    trials: int
    replicates: int
    seconds: float = 0.0
    """Core seconds of all its trainings, about."""

    @property
    def eval_every(self) -> int:
        """Steps between evaluations."""
        return math.ceil(self.steps / evaluations(self.steps))

    @property
    def trajectories(self) -> int:
        """How many there are, but the anchor's; a point that is repeated has three."""
        return self.points + 2 * self.repeats + self.trials


@dataclass(frozen=True, kw_only=True)
class NetworkCost:
    """What training a network takes on one core."""

    step_s: float
    picture_s: float
    """Of evaluating a picture."""
    validation: int
    test: int

    def seconds(self, steps: int) -> float:
        """Returns the seconds of one training."""
        # Before the first step too; test pictures at the early-stopping step and at the end.
        pictures = (evaluations(steps) + 1) * self.validation + 2 * self.test
        return steps * self.step_s + pictures * self.picture_s


SMALLER = (
    (3, 200, 8, 1, 4),
    (3, 100, 8, 1, 4),
    (3, 50, 4, 1, 2),
    (3, 20, 4, 1, 2),
    (2, 20, 4, 0, 1),
)
"""Times to prune, steps, points, repeated points and trials of the search that a quick scale may
have."""


def quick_scale(settings: FittedSettings) -> FittedScale:
    """Returns the largest of ``SMALLER`` that ends in a minute or two, else the smallest."""
    cost = network_cost(settings)
    found = [
        _fitted(settings, cost, d, steps=steps, points=points, repeats=repeats, trials=trials)
        for d, steps, points, repeats, trials in SMALLER
    ]
    fitting = (one for one in found if one.seconds <= QUICK_CORES * QUICK_S)
    return next(fitting, found[-1])


def paper_scale(settings: FittedSettings) -> FittedScale:
    """Returns the scale of the numbers: five epochs a training, at least 1,000 steps."""
    lottery = settings.lottery
    epoch = math.ceil(training_size(settings.dataset, lottery.data) / lottery.train.batch_size)
    return _fitted(
        settings,
        None,
        12,
        steps=min(max(5 * epoch, 1_000), 5_000),
        points=64,
        repeats=16,
        trials=16,
        replicates=5,
    )


def _fitted(
    settings: FittedSettings,
    cost: NetworkCost | None,
    depth: int,
    *,
    steps: int,
    points: int,
    repeats: int,
    trials: int,
    replicates: int = 2,
) -> FittedScale:
    """Returns a scale whose base configuration prunes ``depth`` times.

    All others go down to the same density, in as many levels as that takes them.
    """
    reached = planned_densities(settings.lottery.override({"levels": depth}), settings.network)
    density = min(math.ceil(1000 * reached[-1]) / 1000, 0.999)
    lowest = {
        factor.path: getattr(factor.distribution, "low")  # noqa: B009
        for factor in settings.factors
        if factor.path.startswith("prune.")
    }
    slowest = settings.lottery.override({**lowest, "levels": MOST_LEVELS, "min_density": density})
    scale = FittedScale(
        steps=steps,
        levels=len(planned_densities(slowest, settings.network)) - 1,
        density=density,
        points=points,
        repeats=repeats,
        trials=trials,
        replicates=replicates,
    )
    if cost is None:
        return scale
    anchor = replicates * (depth + 1 + len(COMPARED_WITH) * depth)
    networks = anchor + scale.trajectories * (depth + 1)
    return dataclasses.replace(scale, seconds=networks * cost.seconds(steps))


def network_cost(settings: FittedSettings) -> NetworkCost:
    """Returns what the dense network takes here on one core; only a few batches are timed."""
    network, lottery = settings.network, settings.lottery
    shape, _ = shape_and_classes(settings.dataset, lottery.data)
    batch = lottery.train.batch_size
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # As each trial has a core of its own.
    try:
        step_s, look_s = _timed(network, torch.randn(batch, *shape))
    finally:
        torch.set_num_threads(threads)
    return NetworkCost(
        step_s=step_s,
        picture_s=look_s / batch,
        validation=validation_size(settings.dataset, lottery.data.validation),
        test=len(settings.dataset.test_y),
    )


def _timed(network: Network, pictures: torch.Tensor) -> tuple[float, float]:
    """Returns the seconds of a step and of a pass forwards of a batch."""
    module = network.make()
    labels = torch.zeros(len(pictures), dtype=torch.long)

    def step() -> None:
        module.train().zero_grad()
        functional.cross_entropy(module(pictures), labels).backward()

    def look() -> None:
        with torch.no_grad():
            module.eval()(pictures)

    return _best(step), _best(look)


def _best(run: Callable[[], None]) -> float:
    """Returns the seconds of the fastest of some runs: the first also loads what stays loaded."""
    began, best = time.monotonic(), math.inf
    for _ in range(5):
        before = time.monotonic()
        run()
        best = min(best, time.monotonic() - before)
        if time.monotonic() - began > TIMED_S:
            break
    return best
