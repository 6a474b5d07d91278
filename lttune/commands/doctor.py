"""Look at the environment, a study or a cluster file: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lttune.config.fields import require
from lttune.config.output.escaped import say
from lttune.store.remote.url import is_url, require_folder, require_where

CLUSTER_ENDINGS = (".yaml", ".yml", ".sbatch")
"""What the names of files that start a cluster end with."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is looked at."""

    what: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a study, results/NAME, or a file that starts a cluster: .yaml for `ray up` or
    KubeRay, .sbatch for Slurm. None is this machine."""
    repair: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Make a study's tables anew from its trials and the networks in the store, and put what a
    store behind a URL lost and this machine has; nothing is trained."""
    contents: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Read the study's networks behind a URL whole, and not their names and sizes alone, to find
    what changed there: as many bytes come from there as it says in the end. With --repair what this
    machine's copy has whole is put again."""
    store: str | None = None
    """Where the study's networks are, as it was given to the study. None is results/cells. Without
    a study: what is asked whether it can be used."""
    out: Path = Path("results")
    """Where results go, for the room there."""
    tracking_uri: str | None = None
    """MLflow's tracking URI. None is the study's own if it is a file, else MLFLOW_TRACKING_URI,
    else sqlite:///mlflow.db."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        is_study = self.what is not None and not _starts_cluster(self.what)
        require(is_study or not self.repair, "--repair", "given with a study's folder", self.what)
        starts = self.what is not None and not is_study
        require(not starts or self.store is None, "--store", "left out with a file", self.store)
        require_where("--store", self.store)
        is_behind = is_study and self.store is not None and is_url(self.store)
        rule = (
            "given with a study's folder and a --store behind a URL: of a folder all is read anyway"
        )
        require(is_behind or not self.contents, "--contents", rule, self.store)
        require_folder("--out", self.out)


def main(flags: Flags) -> int:
    """Prints a line for each thing that was looked at; returns the exit code of the first fault."""
    if flags.what is None:
        from lttune.exchange.health.machine import machine_findings

        found = machine_findings(flags.out, flags.tracking_uri, flags.store)
    elif _starts_cluster(flags.what):
        from lttune.exchange.health.cluster import cluster_findings

        found = cluster_findings(flags.what)
    else:
        from lttune.exchange.health.study import study_findings

        if flags.repair:
            _repair(flags.what, flags.store, flags.contents)
        # What was read for the repair is not read a second time.
        contents = flags.contents and not flags.repair
        found = study_findings(flags.what, flags.tracking_uri, flags.store, contents)
    say(*(one.line for one in found))
    return next((one.exit_code for one in found if one.exit_code), 0)


def _starts_cluster(what: Path) -> bool:
    # A study may be called as such a file is.
    return what.suffix in CLUSTER_ENDINGS and not what.is_dir()


def _repair(study: Path, store: str | None, contents: bool) -> None:
    from lttune.exchange.health.networks import put_back
    from lttune.exchange.health.repair import repair
    from lttune.store.disk import sized

    made, left = repair(study, store)
    say(f"the rows of {made} trials were made anew", *(f"left: {line}" for line in left))
    if (put := put_back(study, store, contents)) is not None:
        count, size = put
        read = f"; {sized(size)} were read there" if contents else ""
        what = "that are whole on this machine alone" if contents else "that only this machine had"
        say(f"{count} networks {what} were put behind the URL{read}")
