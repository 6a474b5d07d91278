"""A study that has been checked as a whole, and what running it needs."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console

from lttune.config import LotteryConfig, require
from lttune.config.control import require_branches
from lttune.config.design import Point
from lttune.config.own import is_own_code
from lttune.config.phase import phase_of
from lttune.config.rules import every_mistake, every_rule
from lttune.data import Dataset
from lttune.data.epochs import counted_lengths
from lttune.errors import ResourceError
from lttune.models import Network
from lttune.models.own import NETWORK, lines_told, made_known
from lttune.records.capacity import capacity
from lttune.records.own import OBJECTIVE, OwnCode
from lttune.study.checks.address import check_address
from lttune.study.checks.configurations import (
    KnownPoint,
    check_memory,
    check_points,
    check_same_measures,
    check_space,
)
from lttune.study.checks.depth import cautions, check_depth
from lttune.study.checks.examples import loaded_datasets, with_steps
from lttune.study.checks.named import control_names, named_datasets, varied_names
from lttune.study.checks.tracking import check_tracking
from lttune.study.console.printing import say_on
from lttune.study.declared import Space, Study
from lttune.study.manifest import begun_with
from lttune.study.phases.estimate import cost_table, measured, plan
from lttune.study.phases.planned import planned_trials, trajectory_counts
from lttune.study.phases.shard import phases_run, shard_of, whole_of
from lttune.study.search.space import widened
from lttune.study.settings import StudyConfig
from lttune.training.engines import FALLBACK, Needs, choose, make
from lttune.trajectory.branches import HOLDING
from lttune.trajectory.checks import check_controls, check_idle, check_own_parts, check_varied
from lttune.trajectory.checks.own_names import OWN_HPARAMS, own_names
from lttune.trajectory.lab import network_key, network_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What running a study needs."""

    config: StudyConfig
    """Its base configuration has the steps of what it gives in epochs."""
    study: Study
    """As its file declares it, its space widened by what the settings search over besides."""
    datasets: Mapping[str, Dataset]
    """The examples of every dataset that it can come to, by name, as loaded."""
    engine: str
    """Which engine the workers make."""
    reason: str
    """Why it is not the fast one; empty if it is."""
    own: Sequence[OwnCode] = ()
    """The code of the parts of one's own that it can come to."""
    cautions: Sequence[str] = ()
    """What a person should know before anything is trained."""

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

    def as_begun(self, numerics: str) -> Prepared:
        """Returns it with the reference engine if the study began with that, and none is asked for.

        It may have had to: on a cluster all nodes train by an engine that all of them have.
        """
        began_so = numerics.startswith(f"{FALLBACK}-") and self.config.engine == "auto"
        if self.engine == FALLBACK or not began_so:
            return self
        return self.trained_by(FALLBACK, "the study began with it")

    def trained_by(self, engine: str, reason: str) -> Prepared:
        """Returns it with another engine, and why that is not the fast one."""
        return dataclasses.replace(self, engine=engine, reason=reason)

    def show_plan(self, console: Console) -> None:
        """Prints the engine and what the study would train; the machine's speed is measured."""
        config = self.config
        self.show_engine(console)
        _LOG.info("measuring how fast this machine trains")
        pace = measured(config.lottery, self.datasets, self.engine, config.device)
        cores = config.max_concurrent or capacity().cores
        console.print(cost_table(plan(config, self.study, self.datasets, pace), cores))

    def show_width(self, concurrent: int, console: Console) -> None:
        """Says so if the search leaves room; its proposals would depend on who is faster."""
        ahead, phases = self.config.search_ahead, map(phase_of, phases_run(self.config))
        if ahead + 1 < concurrent and any(phase.is_proposed for phase in phases):
            text = f"the search trains {ahead + 1} trials at once, of {concurrent} that could run: "
            text += "--search-ahead is how many, less one, and is fixed when a study begins"
            say_on(console, text)

    def show_engine(self, console: Console) -> None:
        """Prints the engine, and why it is not the fast one, in one line.

        Others say how many steps a length in epochs is, what of networks of one's own can be
        pruned, and what calls for caution.
        """
        line = f"engine: {self.engine}{self.reason and f' ({self.reason})'}"
        networks = lines_told(code.name for code in self.own if code.field == NETWORK)
        lengths = map(str, counted_lengths(self.config.lottery, self.datasets))
        for text in (line, *lengths, *networks, *self.cautions):
            say_on(console, text)


def prepared(config: StudyConfig, study: Study) -> Prepared:
    """Checks everything that can be checked before a study starts; nothing is written.

    Raises:
        LttuneError: if the study cannot be run as asked, with all reasons that are known.
    """
    given = config
    with every_mistake() as mistakes:
        config = mistakes.attempt(lambda: shard_of(given)) or given
        mistakes.attempt(lambda: _require_device(config))
        mistakes.attempt(lambda: check_address(config.address))
        # The environment may name what no flag was checked for.
        mistakes.attempt(lambda: check_tracking(config))
        wide = mistakes.attempt(lambda: _widened(study, config))
        points = mistakes.attempt(lambda: _points(wide or study, config))
        space = wide.space_of(config) if wide else None
        data = named_datasets(config.lottery, space or {}, points or ())
        beside = control_names(config.controls, points or ())
        others = [(OBJECTIVE, config.objective.name)]
        others += varied_names(OWN_HPARAMS, space or {}, points or ())
        named = own_names(config.lottery, beside, others)
        own = mistakes.attempt(lambda: made_known(named))
        # What cannot be imported is told already.
        there = {n: path for n, path in data.items() if own is not None or not is_own_code(n)}
        mistakes.attempt(lambda: check_same_measures(space or {}, points or ()))
        datasets = loaded_datasets(there, mistakes)
        config = with_steps(config, datasets)
        if wide and config.lottery.has_epochs:  # A range may be one of its steps.
            wide = mistakes.attempt(lambda: _widened(study, config))
            space = wide.space_of(config) if wide else None
            if points is not None:
                points = mistakes.attempt(lambda: _points(wide or study, config))
        fitting = None if own is None else datasets
        corners = mistakes.attempt(lambda: _reached(study, config, space, points, fitting))
        mistakes.attempt(lambda: _require_precision(config, corners or ()))
        if own and corners and datasets:
            asked = corners, datasets, beside, config.objective.name
            mistakes.attempt(lambda: check_own_parts(*asked))
    # All were made, or their mistakes would have been told.
    assert wide is not None
    assert points is not None
    assert datasets is not None
    assert corners is not None
    assert own is not None
    networks = _networks(corners, datasets)
    if config.has_own_ray:
        check_memory(networks)
    needs = Needs(
        device=config.device,
        networks=networks,
        configs=corners,
        datasets=datasets.values(),
        holds=not HOLDING.isdisjoint(beside),
    )
    engine, reason = choose(config.engine, needs)
    made = Prepared(
        config=config,
        study=wide,
        datasets=datasets,
        engine=engine,
        reason=reason,
        own=own,
        cautions=cautions(config, wide, corners[1:], datasets),
    )
    return made.as_begun(begun_with(config.folder) or begun_with(whole_of(config).folder))


def _require_device(config: StudyConfig) -> None:
    if config.device == "cuda" and config.has_own_ray and not torch.cuda.is_available():
        raise ResourceError("device must be cpu here: PyTorch sees no CUDA")


def _require_precision(config: StudyConfig, corners: Iterable[LotteryConfig]) -> None:
    if config.device == "cpu" and any(corner.train.precision == "tf32" for corner in corners):
        raise ResourceError("train.precision must be float32 or bfloat16 on a CPU, got 'tf32'")


def _widened(study: Study, config: StudyConfig) -> Study:
    """Returns the study with what the settings search over besides in its space."""
    if not config.search_over:
        return study
    space = widened(study.space, config.search_over, config.lottery)
    return dataclasses.replace(study, space=space)


def _points(study: Study, config: StudyConfig) -> list[KnownPoint]:
    """Returns the points that are known before anything starts, but for the base's own.

    Those that are not declared are taken from what is planned, each once.

    Raises:
        ConfigError: if a phase lacks what it takes its points from, or has none by itself.
    """
    found: list[KnownPoint] = [p for points in study.points_of(config).values() for p in points]
    phases, whole = list(map(phase_of, phases_run(config))), dataclasses.replace(config, shard=None)
    if config.shard is not None and not any(planned_trials(p, config, study) for p in phases):
        most = sum(len(planned_trials(phase, whole, study)) for phase in phases)
        require(False, "shard", f"one of at most {most}, as many as there are trials", config.shard)
    for phase in phases:
        if phase.is_known_beforehand and not (phase.is_base or phase.is_declared):
            planned = planned_trials(phase, whole, study)
            rule = f"without {phase.name!r}: it has no trials"
            require(bool(planned), "phases", rule, config.phases)
            found += [trial for trial, _ in trajectory_counts(planned)]
    return found


def _reached(
    study: Study,
    config: StudyConfig,
    space: Space | None,
    points: Sequence[KnownPoint] | None,
    datasets: Mapping[str, Dataset] | None,
) -> list[LotteryConfig] | None:
    """Returns the base configuration, the corners of the space and the points, all checked.

    What is None is not known, and what depends on it is not checked.

    Raises:
        ConfigError: with a line for each mistake of the base, of the space and of the points.
    """
    base = config.lottery
    with every_rule() as rules:
        check_controls(config.controls, base)
        require_branches(rules, control_names(config.controls, points or ()))
        if datasets is None:
            return None
        broken = len(rules.broken)
        found = rules.attempt(lambda: check_space(space or {}, base, datasets))
        if found is None:  # Points have the faults of the base too.
            return None
        if len(rules.broken) > broken:  # What is planned by the space has its faults.
            points = [point for point in points or () if isinstance(point, Point)]
        found += check_points(points or (), base, datasets, rules.broken[broken:])
        knows_all = None not in (space, points) and len(rules.broken) == broken
        network = network_of(base, datasets[base.data.name])
        rules.attempt(lambda: check_depth(config.objective, base, network))
        if knows_all:  # Another would read what seems to be read by none.
            check_idle(base, found)
            check_varied(study.varied(space or {}), found, datasets)
        return found


def _networks(
    configs: Iterable[LotteryConfig], datasets: Mapping[str, Dataset]
) -> Collection[Network]:
    """Returns the different architectures of the configurations."""
    found: dict[Hashable, Network] = {}
    for config in configs:
        dataset = datasets[config.data.name]
        key = network_key(config, dataset)
        if key not in found:
            found[key] = network_of(config, dataset)
    return found.values()
