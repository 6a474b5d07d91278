"""A trained network of a study, found by its place there: trial, replicate, level, branch.

Its mask and end weights are in its cell; what it started from is walked again, from the streams and
the cells of the levels before. Nothing is trained.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from lttune.config import LotteryConfig, from_dict
from lttune.config.control import TRUNK
from lttune.data import Dataset, load
from lttune.data.made import use_kept
from lttune.errors import ConfigError, DataError, LttuneError, StorageError, quoted
from lttune.exchange.archive import Archive
from lttune.exchange.stored import require_there, store_of
from lttune.models import Network
from lttune.models.masks import Mask, Weights
from lttune.models.own import read_code, use_as, use_described
from lttune.records.columns import as_trained, require_columns
from lttune.records.folder import read_sheet, read_table, read_trials
from lttune.store.cells import Cell
from lttune.store.files import reason_of
from lttune.store.remote.places import store_at
from lttune.store.store import Stored
from lttune.trajectory import supermasks
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.task import Level, mask_of, require_bits, weights_of

RECORDS = "records.parquet"
TICKET_MEASURES = (
    "early_stop_step",
    "val_accuracy",
    "test_accuracy",
    "end_val_accuracy",
    "end_test_accuracy",
    "steps_trained",
)
"""Measures of the records that a file of a network says, those of the end of its training too."""
USED = ("study", "seed", "numerics", "cell", *TICKET_MEASURES)
"""What is read of a network's row besides its place."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a network is."""

    study: Path
    """Folder of the study, results/NAME."""
    trial: int = 0
    replicate: int = 0
    level: int = 0
    branch: str = TRUNK
    store: str | None = None
    """Where the study's networks are; None is beside its folder (``stored.store_of``)."""

    def __str__(self) -> str:
        branch = "" if self.branch == TRUNK else f"/{self.branch}"
        return f"{self.study}:{self.trial}/{self.replicate}/{self.level}{branch}"


def place(text: str, store: str | None = None) -> Place:
    """Returns the place that "results/NAME:TRIAL/REPLICATE/LEVEL" names.

    Args:
        text: the name.
        store: as of ``Place``.

    Raises:
        ConfigError: if the text is not of this form.
    """
    parts = re.fullmatch(r"(.+):(\d{1,9})/(\d{1,9})/(\d{1,9})(?:/([\w.]+))?", text)
    if parts is None:
        raise ConfigError(
            f"a ticket must be a file or results/NAME:TRIAL/REPLICATE/LEVEL, got {text!r}"
        )
    study, trial, replicate, level, branch = parts.groups()
    return Place(
        study=Path(study),
        trial=int(trial),
        replicate=int(replicate),
        level=int(level),
        branch=branch or TRUNK,
        store=store,
    )


@contextlib.contextmanager
def _fitting(at: Place) -> Iterator[None]:
    """Has tensors that are not those of the place's network told in one line.

    Raises:
        StorageError: for whatever computing with them raises.
    """
    try:
        yield
    except LttuneError:
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        text = f"what is stored of {at} is not of its network: {reason_of(error)}"
        raise StorageError(text) from error


@dataclass(frozen=True)
class Found:
    """A network of a study as the store has it."""

    place: Place
    row: dict[str, Any]
    """Its row of the records."""
    config: LotteryConfig
    """Of its trial."""
    dataset: Dataset
    """The examples as they were loaded."""
    network: Network
    cell: Cell
    store: str
    """Where it is stored."""

    @functools.cached_property
    def datasets(self) -> dict[str, Dataset]:
        """The examples that its trajectory learns from, those of a pretraining too, by name.

        Raises:
            DataError: if those of the pretraining cannot be had here.
        """
        before, own = self.config.pretrain, self.config.data.name
        found = {own: self.dataset}
        if before.steps and before.data not in (None, own):
            found[before.data] = load(before.data, fetches=False)
        return found

    @property
    def is_learned(self) -> bool:
        """Whether its mask was learned, and its weights were not."""
        trunk = self.place.branch == TRUNK
        return trunk and self.place.level == 1 and self.config.method == "supermask"

    @property
    def mask(self) -> Mask:
        """The mask that it was trained under, or that was learned."""
        with _fitting(self.place):
            if self.is_learned:
                stored = Stored(key=self.row["cell"], cell=self.cell, reused=True)
                return supermasks.learned(stored, self.network)
            return mask_of(self.cell, self.network)

    def weights(self, which: str) -> tuple[Weights, int]:
        """Returns its weights, and how many steps are behind them.

        Args:
            which: "trained", at the end of its training, or "start", where that began.

        Raises:
            ConfigError: if there are none such.
        """
        if which == "trained":
            if self.is_learned:
                raise ConfigError("weights must be start where a mask was learned, got 'trained'")
        elif self.place.branch != TRUNK:
            raise ConfigError(
                f"weights must be trained for a branch, got {which!r} of {self.place}"
            )
        with _fitting(self.place):
            if which == "trained":
                return weights_of(self.cell, self.network), self.config.train.steps
            level = walked(self, [self.place.level])[self.place.level]
            return level.ticket.start, level.junction.first_step


def find_network(at: Place) -> Found:
    """Returns a network of a study.

    Raises:
        ConfigError: if the study has no such network, or keeps no weights of it, or its store must
            be given.
        DataError: if the study's dataset is not the one that can be had here.
        StorageError: if there is no study, files of it cannot be read, or the store has lost the
            network.
    """
    rows = _rows(at, ("trial", "replicate", "branch", "level"))
    if len(rows) > 1:
        raise StorageError(f"{at.study / RECORDS} lists a network twice: {at}")
    require_columns(at.study / RECORDS, rows, USED)
    (row,) = rows.to_pylist()
    sheet = read_sheet(at.study, ("lottery", "dataset.name", "dataset.digest"))
    where = store_of(at.study, sheet, at.store)
    trials = read_trials(at.study, sheet.get("study_id"))
    hparams = next((trial.hparams for trial in trials if trial.number == at.trial), None)
    if hparams is None:
        raise StorageError(f"{at.study / 'trials.json'} lacks trial {at.trial} of the records")
    asked = from_dict(sheet["lottery"]).override(hparams)
    config = as_trained(at.study / RECORDS, asked, row)
    use_described(sheet, str(at.study / "study.json"))
    use_kept(sheet, at.study)
    dataset = load(config.data.name, fetches=False)
    known = sheet["dataset"]
    if known["name"] == dataset.name and known["digest"] != dataset.digest():
        raise DataError(f"{dataset.name} here is not the dataset of the study {at.study}")
    cell = store_at(where, writes=False).read(row["cell"])
    if cell is None:
        require_there(sheet, at.store)
        raise StorageError(
            f"{where} has no sound network {row['cell'][:12]} of {at}; run the study again"
        )
    if not any(name.startswith("weights/") for name in cell.tensors):
        rule = "branch must be one whose weights are kept, such as trunk"
        raise ConfigError(f"{rule}; got {quoted(at.branch)} ({at})")
    found = Found(at, row, config, dataset, network_of(config, dataset), cell, where)
    with _fitting(at):
        # Before room is made for what a description promises.
        require_bits(cell, found.network)
    return found


def with_code(found: Found, name: str) -> Found:
    """Returns a network of one's own as it can be trained, its code taken from where the user says.

    Args:
        found: as its study describes it.
        name: of the network, as ``model.name`` would be.

    Raises:
        ConfigError: if that is another network than the study's, or cannot be imported.
    """
    code = read_code(name)
    if code.digest != found.network.source:
        raise ConfigError(
            f"--network must be the study's {found.config.model.name}, got {name}, whose code is "
            "another"
        )
    use_as(code, found.config.model.name)
    return dataclasses.replace(found, network=network_of(found.config, found.dataset))


def walked(found: Found, levels: Collection[int]) -> dict[int, Level]:
    """Returns levels of the trunk of a network's trial and replicate, each with its junction.

    Raises:
        ConfigError: if the trajectory has no such level.
        StorageError: if the store lacks a network on the way, or the walk comes to other ones,
            because another version of lttune trained them.
    """
    at = found.place
    store = store_at(found.store, writes=False)
    lab = Lab(found.datasets, Archive(found.row["numerics"]), store, found.row["seed"])
    wanted: dict[int, Level] = {}
    for (level,) in trajectories(found.config, [at.replicate], lab):
        if level.level in levels:
            _require_same(level, found)
            wanted[level.level] = level
        if len(wanted) == len(set(levels)):
            return wanted
    missing = sorted(set(levels) - wanted.keys())
    raise ConfigError(f"level must be one of the trajectory, got {missing} of {at}")


def deepest(at: Place) -> int:
    """Returns the last level that a trial's replicate and branch were trained to.

    Raises:
        ConfigError: if the study has no such trial, replicate or branch.
    """
    return max(_rows(at, ("trial", "replicate", "branch"))["level"].to_pylist())


def _require_same(level: Level, found: Found) -> None:
    """Raises ``StorageError`` if a walk came to another network than the one that is stored."""
    same = level.level != found.place.level or level.stored.key == found.row["cell"]
    if not (level.level == 1 and found.config.method == "supermask"):
        stored = mask_of(level.stored.cell, found.network)
        same = same and all(torch.equal(k, stored[n]) for n, k in level.ticket.mask.items())
    if not same:
        raise StorageError(f"level {level.level} of {found.place} was trained by another lttune")


def _rows(at: Place, names: Sequence[str]) -> pa.Table:
    """Returns the rows of the records at a place, or names its first part that has none."""
    table = read_table(at.study / RECORDS, names, read_sheet(at.study).get("study_id"))
    require_columns(at.study / RECORDS, table, names)
    for name in names:
        there = sorted(table[name].unique().to_pylist()) if len(table) else []
        if (value := getattr(at, name)) not in there:
            known = ", ".join(map(str, there)) or "none yet"
            raise ConfigError(f"{name} must be one of {known}; got {quoted(value)} ({at})")
        # Not by Arrow, to whom a long number of another row would be none that it can compare.
        table = table.filter(pa.array([one == value for one in table[name].to_pylist()]))
    return table
