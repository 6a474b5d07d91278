"""A study that has been checked as a whole, and what running it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

import torch
from rich.console import Console

from lttune.config import LotteryConfig
from lttune.config.design import Point
from lttune.data import Dataset, load
from lttune.data.transforms import outline
from lttune.errors import ResourceError
from lttune.models import Network
from lttune.study.checks import (
    check_address,
    check_controls,
    check_objective,
    check_points,
    check_space,
)
from lttune.study.declared import Space, Study
from lttune.study.search.space import widened
from lttune.study.settings import StudyConfig
from lttune.study.tracking.uri import resolve
from lttune.training.engines import Needs, choose, make
from lttune.trajectory.branches import HOLDING
from lttune.trajectory.lab import network_of


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What running a study needs."""

    config: StudyConfig
    study: Study
    """As its file declares it, its space widened by what the settings search over besides."""
    datasets: Mapping[str, Dataset]
    """The examples of every dataset that it can come to, by name, as loaded."""
    engine: str
    """Which engine the workers make."""
    reason: str
    """Why it is not the fast one; empty if it is."""

    @property
    def dataset(self) -> Dataset:
        """The examples of the base configuration."""
        return self.datasets[self.config.lottery.data.name]

    @property
    def numerics(self) -> str:
        """What the engine's last bits depend on.

        A driver without a GPU may steer workers that have one: then its name stands for the class.
        """
        device = self.config.device
        local = device == "cpu" or torch.cuda.is_available()
        return make(self.engine, device).numerics if local else f"{self.engine}/{device}"

    def show_engine(self, console: Console) -> None:
        """Prints the engine, and why it is not the fast one, in one line."""
        line = f"engine: {self.engine}{self.reason and f' ({self.reason})'}"
        console.print(line, soft_wrap=True, markup=False)


def prepared(config: StudyConfig, study: Study) -> Prepared:
    """Checks everything that can be checked before a study starts; nothing is written.

    Raises:
        LttuneError: if the study cannot be run as asked.
    """
    if config.device == "cuda" and config.address is None and not torch.cuda.is_available():
        raise ResourceError("device must be cpu here: PyTorch sees no CUDA")
    check_address(config.address)
    resolve(config.tracking_uri)  # The environment may name what no flag was checked for.
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
    network = network_of(config.lottery, datasets[config.lottery.data.name])
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
    return Prepared(config=config, study=study, datasets=datasets, engine=engine, reason=reason)


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
