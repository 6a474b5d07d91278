"""The settings of one study, checked as a whole before anything starts."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import tyro

from lttune.config import LotteryConfig, control, machine, phase
from lttune.config.control import CONTROLS, ControlName, require_branches
from lttune.config.design.repeats import replicate_counts
from lttune.config.fields import (
    WRITABLE,
    duration_s,
    is_int,
    is_number,
    shard_numbers,
    unwritable,
)
from lttune.config.machine import DeviceName, EngineName
from lttune.config.own import require_row_or_own
from lttune.config.passwords import masked_uri
from lttune.config.phase import PHASES, PhaseName
from lttune.config.rules import Rules, every_rule
from lttune.records.objectives import ObjectiveConfig
from lttune.store.remote.url import require_folder, require_where
from lttune.study.tracking.uri import require_uri

Scale: TypeAlias = str
"""Name of a scale: smoke, quick and paper in the studies of lttune, in others what they say."""
SamplerName = Literal["tpe", "gp", "random"]
MoreName = Literal["optimizer", "momentum", "weight_decay", "init_scale", "width", "warmup"]

MOST = 100_000
"""The largest count of anything: replicate ids of phases that confirm no others are below it."""
COUNTS = {
    "trials": "a search of more never ends",
    **dict.fromkeys(
        ("replicates", "search_replicates", "confirm_replicates"),
        f"ids from {MOST} on are kept for confirmation",
    ),
    "max_concurrent": "no cluster has more cores",
}
"""Setting that is a count -> why it is at most ``MOST``."""
SCALE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
LONGEST_NAME = 64
"""Characters of the name of a study."""
STUDY_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST_NAME - 1}}}")
OWN_NAMES = ("cells", "mlruns", "mlflow.db")
"""What lies beside the studies in the folder of results. A disk may not tell capitals apart."""
WINDOWS_DEVICES = re.compile(r"(?i)con|prn|aux|nul|(com|lpt)\d")
DEVICE_NAMES = "CON, PRN, AUX, NUL, COM1, LPT1 and so on"
"""Names that Windows gives no folder, whatever their ending."""
LAST_PORT = 65_535
"""The largest number of a port."""
FREE = (
    "plan",
    "max_time",
    "from_study",
    "engine",
    "out",
    "store",
    "trials",
    "replicates",
    "sweep_replicates",
    "confirm_replicates",
    "phases",
    "tracking_uri",
    "address",
    "max_concurrent",
)
"""Settings that an existing study may be continued with at other values."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """A base configuration, a search and their budget."""

    name: str
    """Name of the study: its folder, its MLflow experiment. Letters, digits, '_', '-', '.'."""
    scale: Scale = "quick"
    """How much is run, one of the study's scales: such as smoke to see it work, quick for a first
    answer, paper for its numbers."""
    out: Path = Path("results")
    """Folder of all studies and of the store of trained networks that they share."""
    store: str | None = None
    """Where trained networks are stored: a folder, or s3://BUCKET/PREFIX or gs://BUCKET/PREFIX of
    an object store, which needs no folder that all nodes see. None is OUT/cells."""
    phases: Annotated[
        tuple[PhaseName, ...], tyro.conf.arg(help=f"What is run. {phase.phases_told()}.")
    ] = ("anchor", "search")
    """What is run: names of ``lttune.config.phase.PHASES``."""
    trials: int = 12
    """Trials of the search, and as many of its random control."""
    replicates: int = 3
    """Independent repetitions of the anchor, one a trial."""
    sweep_replicates: tuple[str, ...] = ()
    """Points of the sweep that are repeated more often than the study file says: LABEL:N, such as
    adam-lr=0.002:8."""
    search_replicates: int = 1
    """Repetitions inside each trial of the search, which sees their mean."""
    confirm_replicates: int = 5
    """Fresh replicates of each configuration that is confirmed, one a trial."""
    controls: Annotated[
        tuple[ControlName | str, ...],
        tyro.conf.arg(
            help=f"Controls trained at every level of the anchor. {control.controls_told()}. Your "
            "own: ./FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION (docs/your-own-parts.md)."
        ),
    ] = ("reinit", "random")
    """Controls trained at every level of the anchor: names of ``control.CONTROLS``, or your own
    (docs/your-own-parts.md)."""
    control_densities: tuple[float, ...] = ()
    """Densities at which controls are wanted: they are trained at the two levels around each. Empty
    is every level."""
    search_over: tuple[MoreName, ...] = ()
    """What the search varies besides what its study declares: optimizer (adam, momentum, sgd),
    momentum (0.5 to 0.99), weight_decay (0 to 1e-3), init_scale (factor of all initial weights,
    0.25 to 4), width (half and twice a LeNet's hidden units), warmup (0 to a quarter of the steps).
    All optimizers share the study's range of learning rates."""
    sampler: SamplerName = "tpe"
    """Who proposes the search's trials: Optuna's tpe, gp or random."""
    search_ahead: int = 3
    """How many of the last trials a proposal of the search does not know of: one trial more runs at
    once at the most, and the proposals are the same on any number of cores. As far as the control
    reaches, it fills the other cores."""
    asha: bool = False
    """Whether a trial of the search is stopped where its validation accuracy is below the median of
    the others' at the same density (asynchronous successive halving), at a quarter and at half of
    the depth that the objective reads. With an objective of your own, where what that says of the
    levels so far is worse than the median. Trials of other phases are never stopped."""
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    """What the search improves."""
    seed: int = 0
    """Root of every random stream: splits, initialisations, data orders, proposals."""
    tracking_uri: str | None = None
    """MLflow's tracking URI. None is MLFLOW_TRACKING_URI, else sqlite:///mlflow.db."""
    address: str | None = None
    """Ray cluster to join, such as auto. None starts Ray on this machine."""
    max_concurrent: int | None = None
    """Trials at once, one core each. None is one for each core."""
    device: DeviceName = "cpu"
    """Where networks are trained."""
    engine: Annotated[
        EngineName, tyro.conf.arg(help=f"How networks are trained: {machine.TOLD}")
    ] = "auto"
    """How networks are trained: see ``lttune.config.machine``."""
    plan: bool = False
    """Only print what would be trained and about how long it takes."""
    max_time: str | None = None
    """How long this run may take, its report included: 2h, 90m, 1h30m, 45s. What does not fit is
    left out, the last phases first, and trained when the command is given again."""
    shard: str | None = None
    """K/N, such as 3/16: train only the K-th of N shards, in a folder of its own. When all are done
    the same command without it reads what they trained, and trains what is left."""
    from_study: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Folder of another study, results/OTHER, whose settings are taken in place of the scale's;
    flags win. Its name, what of it is code, and where and how long it ran are not taken."""
    lottery: LotteryConfig = field(default_factory=LotteryConfig)
    """The base configuration: the anchor, and what a trial of the search overrides."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self)
            rule = "1 to 64 letters, digits, '_', '-' or '.', starting with a letter or digit"
            named = isinstance(self.name, str) and STUDY_NAME.fullmatch(self.name) is not None
            rules.require(named and ".." not in self.name, "name", rule, self.name)
            rule = f"another than {', '.join(OWN_NAMES)}, which the folder of results has itself"
            stem = str(self.name).rstrip(".").lower()
            rules.require(stem not in OWN_NAMES, "name", rule, self.name, ("name",))
            rule = f"another than {DEVICE_NAMES}, which Windows keeps for devices"
            device = WINDOWS_DEVICES.fullmatch(str(self.name).partition(".")[0]) is not None
            rules.require(not device, "name", rule, self.name, ("name",))
            rule = "1 to 32 letters, digits, '_' or '-', starting with a letter"
            named = isinstance(self.scale, str) and SCALE_NAME.fullmatch(self.scale) is not None
            rules.require(named, "scale", rule, self.scale)
            for name, choices in (
                ("sampler", SamplerName),
                ("device", DeviceName),
                ("engine", EngineName),
            ):
                rules.choice(name, getattr(self, name), choices)
            for name, choices in (
                ("phases", PHASES),
                ("controls", CONTROLS),
                ("search_over", MoreName),
            ):
                values = getattr(self, name)
                if isinstance(values, tuple):
                    for value in filter(lambda one: isinstance(one, str), values):
                        if name == "controls":
                            require_row_or_own(rules, name, value, choices)
                        else:
                            rules.choice(name, value, choices)
                    ok = all(values.count(value) == 1 for value in values)
                    rules.require(ok, name, "each once", values, (name,))
            if isinstance(self.controls, tuple):
                require_branches(rules, self.controls)
            if isinstance(dense := self.control_densities, tuple):
                ok = all(is_number(density) and 0 < density <= 1 for density in dense)
                rules.require(ok, "control_densities", "numbers in (0, 1]", dense)
            ok = not isinstance(self.phases, tuple) or len(self.phases) > 0
            rules.require(ok, "phases", "at least one phase", self.phases)
            if isinstance(self.sweep_replicates, tuple):
                rules.attempt(lambda: replicate_counts("sweep_replicates", self.sweep_replicates))
            for name, why in COUNTS.items():
                if name != "max_concurrent" or self.max_concurrent is not None:
                    rules.whole(name, getattr(self, name), least=1, most=MOST, why=why)
            rules.whole("search_ahead", self.search_ahead, least=0, most=MOST, why=COUNTS["trials"])
            ok = is_int(self.seed) and 0 <= self.seed < 2**63
            rules.require(ok, "seed", "a whole number from 0 to 2^63 - 1", self.seed)
            self._check_places(rules)
            lottery = self.lottery.nested() if isinstance(self.lottery, LotteryConfig) else {}
            places = {"out": str(self.out), "store": self.store}
            for path, value in unwritable({**places, **lottery}, ""):
                rules.require(False, path, WRITABLE, value, (path,))

    def _check_places(self, rules: Rules) -> None:
        """Notes what is wrong with how, for how long and where the study runs."""
        if self.max_time is not None:
            rules.attempt(lambda: duration_s("max_time", self.max_time))
        if self.shard is not None:
            rules.attempt(lambda: shard_numbers("shard", self.shard))
        if isinstance(self.objective, ObjectiveConfig):
            ok = not (self.asha and len(self.objective.measures) > 1)
            name = self.objective.name
            rule = f"false with the objective {name!r}, which no level can be judged by"
            rules.require(ok, "asha", rule, self.asha, ("asha",))
        if isinstance(self.out, Path):
            rules.attempt(lambda: require_folder("out", self.out))
        if isinstance(self.store, str):
            rules.attempt(lambda: require_where("store", self.store))
        if isinstance(self.tracking_uri, str):
            uri = self.tracking_uri
            rules.attempt(lambda: require_uri("tracking_uri", uri))
        if not isinstance(self.address, str) or self.address in ("local", "auto"):
            return
        place = re.fullmatch(r"[A-Za-z0-9_.-]+:(\d{1,5})", self.address)
        ok = place is not None and 1 <= int(place[1]) <= LAST_PORT
        rule, got = f"auto or HOST:PORT, a port up to {LAST_PORT}", masked_uri(self.address)
        rules.require(ok, "address", rule, got)

    def plain(self) -> dict[str, Any]:
        """Returns the settings without ``lottery`` as plain values; ``shard`` if it is one.

        Likewise ``store`` and ``sweep_replicates``: the sheet of a study that has none of them is
        that of earlier versions.
        """
        values = dataclasses.asdict(self)
        del values["lottery"]
        for name in ("shard", "store", "sweep_replicates"):
            if not values[name]:
                del values[name]
        names = ("phases", "controls", "control_densities", "search_over", "sweep_replicates")
        lists = {name: list(values[name]) for name in names if name in values}
        origin = None if self.from_study is None else str(self.from_study)
        return {**values, "out": str(self.out), "from_study": origin, **lists}

    @property
    def limit_s(self) -> float | None:
        """Seconds that a run may take; None if it takes what it needs."""
        return None if self.max_time is None else duration_s("max_time", self.max_time)

    @property
    def shard_numbers(self) -> tuple[int, int] | None:
        """Number of the shard, from 1, and how many there are; None if it is the whole study."""
        return None if self.shard is None else shard_numbers("shard", self.shard)

    @property
    def folder(self) -> Path:
        """Folder of this study."""
        return self.out / self.name

    @property
    def cells(self) -> str:
        """Where trained networks are, for all studies under ``out``: a folder, or a URL."""
        return str(self.out / "cells") if self.store is None else self.store

    @property
    def has_own_ray(self) -> bool:
        """Whether the study starts a Ray of this machine, for itself alone."""
        return self.address in (None, "local")
