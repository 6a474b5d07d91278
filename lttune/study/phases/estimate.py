"""What a study is going to train, and about how long that takes, before it starts."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from lttune.config import LotteryConfig
from lttune.config.phase import PHASES
from lttune.config.seeding import stream
from lttune.data import Dataset
from lttune.data.dataset import validation_size
from lttune.data.epochs import in_steps
from lttune.models.masks import apply
from lttune.pruning.densities import planned_densities
from lttune.store.store import Store
from lttune.study.console.table import clock
from lttune.study.declared import Study
from lttune.study.phases.planned import phase_config, planned_trials, trajectory_counts
from lttune.study.phases.shard import phases_run
from lttune.study.settings import StudyConfig
from lttune.training.engines import make, warm
from lttune.training.schedule import evaluation_steps
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.task import Task, Ticket
from lttune.trajectory.trial import networks as trained

PACE_DENSITIES = (1.0, 0.3, 0.1, 0.03)
"""Where the pace is measured; between them it is linear in density."""
PACE_STEPS = 40
"""Steps of each measurement."""
PACE_ROUNDS = 3
AROUND_S = 30.0
"""What Ray's start, MLflow and the report take, about, whatever is trained: 13 to 40 seconds were
measured on two cores, of studies of 1 to 26 trials on a machine that was idle or busy."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long the base configuration takes on this machine, by density, rising."""

    densities: tuple[float, ...]
    step_s: tuple[float, ...]
    evaluation_s: tuple[float, ...]

    def seconds(self, density: float, steps: int, evaluations: int) -> float:
        """Returns the seconds of one network."""
        step = np.interp(density, self.densities, self.step_s)
        evaluation = np.interp(density, self.densities, self.evaluation_s)
        return float(steps * step + evaluations * evaluation)


@dataclass(frozen=True, kw_only=True)
class PhaseCost:
    """What one phase of a study costs."""

    phase: str
    trials: int
    networks: int
    steps: int
    """Optimizer steps of all its networks."""
    seconds: float
    """Core seconds, if no network is shared and none is there yet."""


@dataclass(frozen=True, kw_only=True)
class LevelCost:
    """What one level of a trajectory costs, with its controls."""

    networks: int
    steps: int
    seconds: float


def measured(
    lottery: LotteryConfig,
    datasets: Mapping[str, Dataset],
    engine: str,
    device: str,
    patience_s: float = math.inf,
) -> Pace:
    """Trains the base network for some steps at some densities and returns its pace.

    Args:
        lottery: the base configuration.
        datasets: by name.
        engine: which one trains.
        device: where.
        patience_s: seconds after which nothing more is begun. A density that was not measured by
            then has the pace of the one above.
    """
    began = time.monotonic()
    warm(engine)
    train = dataclasses.replace(
        lottery.train,
        steps=PACE_STEPS,
        epochs=None,
        eval_every=PACE_STEPS,
        warmup_steps=0,
        milestones=(),
        schedule="milestones",  # One's own may divide by what is left out.
    )
    brief = lottery.trained_by(train)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(datasets, make(engine, device), Store(Path(folder)), device=device)
        # The best of some: the first also loads what stays loaded, and machines have other work.
        found: dict[float, list[tuple[float, float]]] = {density: [] for density in PACE_DENSITIES}
        for number in range(PACE_ROUNDS):
            for density, times in found.items():
                if time.monotonic() - began < patience_s or not found[PACE_DENSITIES[0]]:
                    times.append(_brief(brief, lab, density, number))
    best: list[tuple[float, ...]] = []
    for times in found.values():
        best.append(tuple(map(min, zip(*times, strict=True))) if times else best[-1])
    steps, evaluations = zip(*reversed(best), strict=True)
    return Pace(densities=PACE_DENSITIES[::-1], step_s=steps, evaluation_s=evaluations)


def relative_pace(base: LotteryConfig, dataset: Dataset) -> Pace:
    """Returns a pace that compares trials and is no machine's: a step of the base is a second."""
    pictures = validation_size(dataset, base.data.validation) + len(dataset.test_y)
    # Forwards takes a third of forwards and backwards.
    evaluation = pictures / base.train.batch_size / 3
    return Pace(densities=(1.0,), step_s=(1.0,), evaluation_s=(evaluation,))


def _brief(config: LotteryConfig, lab: Lab, density: float, number: int) -> tuple[float, float]:
    """Returns the seconds of a step and of an evaluation under a random mask."""
    network, rng = lab.network(config), stream(0, 0, "pace")
    initial = network.initial_weights(rng)
    mask = {
        name: torch.from_numpy(rng.random(initial[name].shape) < density)
        for name in network.prunable
    }
    task = Task(
        identity={"pace": [density, number]},
        config=config,
        network=network,
        replicate=0,
        level=1,
        ticket=Ticket(mask=mask, start=apply(initial, mask)),
        train=config.train,
        first_step=0,
        keep=False,
    )
    times = lab.train([task])[0].cell.times
    # Validation and test before the first step and after the last, some of it again at the end;
    # but measurements of one's own twice.
    evaluation = times["eval_time_s"] / (2 if config.train.measure else 3)
    return (times["train_time_s"] - times["eval_time_s"]) / PACE_STEPS, evaluation


def plan(
    config: StudyConfig, study: Study, datasets: Mapping[str, Dataset], pace: Pace
) -> list[PhaseCost]:
    """Returns what each phase of a study trains; a point that is yet to come counts as the base."""
    costs = []
    for name in phases_run(config):
        cut = phase_config(name, config.lottery, config.objective)
        planned = planned_trials(PHASES[name], config, study)
        total = [0.0, 0.0, 0.0]
        for trial, count in trajectory_counts(planned):
            levels = level_costs(
                cut.override(trial.hparams),
                config.lottery,
                datasets,
                pace,
                trial.controls,
                config.control_densities,
            )
            for one in levels:
                costs_of_one = (one.networks, one.steps, one.seconds)
                total = [t + count * more for t, more in zip(total, costs_of_one, strict=True)]
        networks, steps, seconds = total
        cost = PhaseCost(
            phase=name,
            trials=len(planned),
            networks=int(networks),
            steps=int(steps),
            seconds=seconds,
        )
        costs.append(cost)
    return costs


def level_costs(
    config: LotteryConfig,
    base: LotteryConfig,
    datasets: Mapping[str, Dataset],
    pace: Pace,
    controls: Sequence[str],
    control_densities: Sequence[float],
) -> list[LevelCost]:
    """Returns what each level of one trajectory costs, with its controls.

    Args:
        config: of the trajectory.
        base: the configuration that the pace is of.
        datasets: by name.
        pace: of the base.
        controls: trained beside each ticket.
        control_densities: where they are; empty is at every level.

    Raises:
        ConfigError: if the configuration does not fit its network.
    """
    config = in_steps(config, datasets)
    network = network_of(config, datasets[config.data.name])
    other = network_of(base, datasets[base.data.name])
    size, base_size = (sum(map(math.prod, n.shapes.values())) for n in (network, other))
    scale = config.train.batch_size / base.train.batch_size * size / base_size
    costs: list[LevelCost] = []
    planned = planned_densities(config, network)
    counts = trained(planned, controls, control_densities)
    for level, (density, count) in enumerate(zip(planned, counts, strict=True)):
        first = config.rewind_step if level else 0
        own_steps = config.train.steps - first
        evaluations = len(evaluation_steps(config.train, first))
        seconds = count * pace.seconds(density, round(own_steps * scale), evaluations)
        costs.append(LevelCost(networks=count, steps=count * own_steps, seconds=seconds))
    return costs


def cost_table(costs: Sequence[PhaseCost], concurrent: int) -> Table:
    """Returns the plan as a table to read."""
    whole = clock(AROUND_S + _wall(costs, concurrent))
    around = f"{clock(AROUND_S)} of it Ray's start and the report"
    shown = Table(title=f"plan: about {whole} on {concurrent} cores, {around}")
    shown.add_column("phase")
    for heading in ("trials", "networks", "steps", "core time, at most"):
        shown.add_column(heading, justify="right")
    for cost in costs:
        numbers = (f"{cost.trials:,}", f"{cost.networks:,}", f"{cost.steps:,}")
        shown.add_row(cost.phase, *numbers, clock(cost.seconds))
    return shown


def _wall(costs: Sequence[PhaseCost], concurrent: int) -> float:
    return sum(cost.seconds for cost in costs) / concurrent
