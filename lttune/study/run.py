"""A study from its settings to its outcome: everything is checked before anything starts.

Running a study again goes on where it stopped; running a finished study again trains nothing.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Collection, Hashable, Iterable, Mapping

import torch
from filelock import FileLock, Timeout
from rich.console import Console

from lttune.config import LotteryConfig
from lttune.config.design import Point
from lttune.data import Dataset, load
from lttune.data.transforms import outline
from lttune.errors import LockedError, ResourceError
from lttune.models import Network
from lttune.store.store import probe
from lttune.study.checks import (
    check_address,
    check_controls,
    check_objective,
    check_points,
    check_space,
)
from lttune.study.conductor import Chosen, Conductor, Report
from lttune.study.console.outcome import Outcome
from lttune.study.declared import Space, Study
from lttune.study.manifest import refuse_other, sheet
from lttune.study.phases.estimate import measured, plan, table
from lttune.study.search.space import widened
from lttune.study.settings import StudyConfig
from lttune.training.engines import Needs, choose, make
from lttune.trajectory.branches import HOLDING
from lttune.trajectory.lab import network_of


def run_study(
    config: StudyConfig, study: Study, report: Report, began: float | None = None
) -> Outcome:
    """Runs what is missing of a study and writes its report.

    Args:
        config: the settings.
        study: what the study file declares.
        report: writes the report of a study's folder.
        began: monotonic time at which the command began; None is now.

    Raises:
        LttuneError: before anything starts, if the study cannot be run as asked.
    """
    began = time.monotonic() if began is None else began
    if config.device == "cuda" and config.address is None and not torch.cuda.is_available():
        raise ResourceError("device must be cpu here: PyTorch sees no CUDA")
    check_address(config.address)
    if config.search_over:
        space = widened(study.space, config.search_over, config.lottery)
        study = dataclasses.replace(study, space=space)
    space = study.space_of(config)
    points = [point for found in study.points_of(config).values() for point in found]
    datasets = {name: load(name) for name in _dataset_names(config.lottery, space, points)}
    corners = check_space(space, config.lottery, datasets)
    corners += check_points(points, config.lottery, datasets)
    check_controls(config.controls, config.lottery)
    for point in points:
        check_controls(point.controls, config.lottery.override(point.hparams))
    dataset = datasets[config.lottery.data.name]
    network = network_of(config.lottery, dataset)
    check_objective(config.objective, config.lottery, network)
    if config.device == "cpu" and any(corner.train.precision == "tf32" for corner in corners):
        raise ResourceError("train.precision must be float32 or bfloat16 on a CPU, got 'tf32'")
    controls = {*config.controls, *(name for point in points for name in point.controls)}
    holds = not HOLDING.isdisjoint(controls)
    networks = _networks(corners, datasets)
    needs = Needs(
        device=config.device,
        networks=networks,
        configs=corners,
        datasets=datasets.values(),
        holds=holds,
    )
    engine, reason = choose(config.engine, needs)
    chosen = Chosen(engine=engine, reason=reason, began=began)
    if config.plan:
        return _planned(config, study, datasets, chosen)
    # A driver without a GPU may steer workers that have one: then the name stands for the class.
    local = config.device == "cpu" or torch.cuda.is_available()
    numerics = make(engine, config.device).numerics if local else f"{engine}/{config.device}"
    refuse_other(config.folder, sheet(config, study, dataset, numerics))
    probe(config.store)
    probe(config.folder)
    lock = FileLock(config.folder / "lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"another driver is running the study {config.folder}") from None
    with held:
        if study.prepare is not None:
            study.prepare(config.folder, config.replicates)
        # Made after what was prepared: its date is when the study began.
        values = sheet(config, study, dataset, numerics)
        return Conductor(config, study, datasets, network, values, report, chosen).run()


def _planned(
    config: StudyConfig, study: Study, datasets: Mapping[str, Dataset], chosen: Chosen
) -> Outcome:
    """Prints what the study would train, and by which engine; nothing is written."""
    console = Console()
    chosen.show(console)
    pace = measured(config.lottery, datasets, chosen.engine, config.device)
    cores = config.max_concurrent or os.cpu_count() or 1
    console.print(table(plan(config, study, datasets, pace), cores))
    return Outcome(exit_code=0, report=config.folder / "report.html", tracking="", not_tracked="")


def _networks(
    configs: Iterable[LotteryConfig], datasets: Mapping[str, Dataset]
) -> Collection[Network]:
    """Returns the different architectures of the configurations."""
    found: dict[Hashable, Network] = {}
    for config in configs:
        dataset = datasets[config.data.name]
        key = config.model, config.prune.exclude, outline(dataset, config.data)
        if key not in found:
            found[key] = network_of(config, dataset)
    return found.values()


def _dataset_names(base: LotteryConfig, space: Space, points: Iterable[Point]) -> list[str]:
    """Returns the names of all datasets that the study can come to, the base's first."""
    names = [base.data.name, *filter(None, (base.target.data, base.pretrain.data))]
    for path in ("data.name", "target.data", "pretrain.data"):
        if path in space:
            names += getattr(space[path], "choices", ())
        names += [point.hparams[path] for point in points if path in point.hparams]
    return list(dict.fromkeys(names))
