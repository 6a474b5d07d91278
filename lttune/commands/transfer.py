"""Train a study's ticket on another dataset or with other hyperparameters, beside controls."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from lttune.config import TargetConfig
from lttune.config.fields import WRITABLE, is_writable, require
from lttune.config.machine import DeviceName, EngineName
from lttune.config.output.escaped import say
from lttune.config.rules import every_rule
from lttune.store.remote.url import require_where

MOST_ON_TARGET = 1_000
"""Replicates of a target; each trains every network again."""
UNPREFIXED = "target."
"""How the paths of fields begin whose flags are called by the rest alone."""
FROM_FILE = 1
"""Level that a mask from a file is recorded at: one step from the dense network."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Which tickets, and what they are taken to."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of the study: results/NAME."""
    trial: int = 0
    """Number of the trial in the study."""
    replicate: int = 0
    """Replicate of the trial; those of the target are others."""
    levels: tuple[int, ...] = ()
    """Levels whose tickets are taken; none for the deepest of the trial alone."""
    target: Annotated[TargetConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TargetConfig)
    mask: Path | None = None
    """A file of masks instead of levels, as ``lttune masks`` takes."""
    start: Path | None = None
    """The state dict that a mask's survivors start from. None is what the trial's replicate rewinds
    to."""
    replicates: int = 3
    """Splits, data orders and newly drawn weights on the target, for each of which all networks are
    trained."""
    network: str | None = None
    """Where the code of a network of your own is, as model.name: what a study's folder names is not
    run. None is for networks of lttune."""
    schedule: str | None = None
    """Likewise of a schedule of your own, as train.schedule."""
    engine: EngineName = "auto"
    """How networks are trained."""
    device: DeviceName = "cpu"
    """Where."""
    store: str | None = None
    """Where the study's networks are, as it was given to the study, and those that are trained will
    be. None is results/cells."""
    out: Path | None = None
    """The table of the trained networks; None is transfer.parquet in the study's folder. A file
    that is there is replaced; the networks stay in the store."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            why = "each trains all networks again"
            rules.whole("--replicates", self.replicates, least=1, most=MOST_ON_TARGET, why=why)
            alone = self.mask is None or not self.levels
            rules.require(alone, "--levels", "left out with --mask", self.levels)
            ok = self.start is None or self.mask is not None
            rules.require(ok, "--start", "given with --mask", str(self.start), ("--mask",))
            rules.beside("--out", self.out)
            rules.attempt(lambda: require_where("--store", self.store))
            # The table names them.
            for name, value in {"--mask": self.mask, "--data": self.target.data}.items():
                ok = value is None or is_writable(str(value))
                rules.require(ok, name, WRITABLE, str(value))
            alone = self.target.steps is None or self.target.epochs is None
            rules.require(alone, "--epochs", "left out with --steps", self.target.epochs)


def main(flags: Flags) -> int:
    """Trains what the store lacks, prints and writes the table, and returns the exit code."""
    from lttune.data import load
    from lttune.data.made import PICTURES
    from lttune.exchange.tickets import Place, deepest, find_network, with_code
    from lttune.exchange.transfer import (
        imported,
        junctions,
        networks_on_target,
        train_on_target,
        with_schedule,
    )
    from lttune.exchange.transfer_table import lines, transfer_lines
    from lttune.records import schema
    from lttune.records.own import use_named
    from lttune.store.files import write_errors
    from lttune.store.remote.places import local_folder, remarks, require_store, store_at
    from lttune.study.phases.room import records_room, require_free
    from lttune.training.engines import Needs, choose, make
    from lttune.trajectory.checks import check_fit
    from lttune.trajectory.lab import Lab

    at = Place(study=flags.study, trial=flags.trial, replicate=flags.replicate, store=flags.store)
    found = find_network(at)
    if flags.network is not None:
        found = with_code(found, flags.network)
    if flags.schedule is not None:
        with_schedule(found, flags.schedule)
    source = found.config.data.name
    name = flags.target.data or source
    if name != source:
        use_named(PICTURES, name)
    dataset = found.dataset if name == source else load(name)
    config = dataclasses.replace(found.config, target=flags.target)
    config = check_fit(config, {**found.datasets, name: dataset})
    last = deepest(found.place)
    levels = () if flags.mask else flags.levels or (last,)
    ok = all(1 <= level <= last for level in levels)
    require(ok, "--levels", f"from 1 to {last}, the last that was trained", levels)
    dense, tickets = junctions(found, levels)
    if flags.mask is not None:
        tickets = {FROM_FILE: imported(found, dense, flags.mask, flags.start)}
    require_store(found.store)
    for text in remarks(found.store):
        say(text)
    count = networks_on_target(len(tickets), flags.replicates)
    require_free(local_folder(found.store), records_room(count), "these networks")
    needs = Needs(
        device=flags.device, networks=[found.network], configs=[config], datasets=[dataset]
    )
    engine, reason = choose(flags.engine, needs)
    if reason:
        say(f"trained by the {engine} engine: {reason}")
    lab = Lab(
        {name: dataset},
        make(engine, flags.device),
        store_at(found.store),
        found.row["seed"],
        flags.device,
    )
    rows = train_on_target(dense, tickets, config.target, range(flags.replicates), lab)
    origin = {
        "study": found.row["study"],
        "phase": "transfer",
        "trial": flags.trial,
        "source_replicate": flags.replicate,
        "source_mask": None if flags.mask is None else str(flags.mask),
    }
    out = flags.out or flags.study / "transfer.parquet"
    with write_errors(out):
        schema.write(out, [row | origin for row in rows])
    say(*transfer_lines(lines(rows)))
    new = sum(not row["reused"] for row in rows)
    say(f"{out}: {len(rows)} networks, {new} trained now, {len(rows) - new} from the store")
    return 0
