"""A study in the forms of other systems: Optuna's database, CSV tables, DeepCAVE's run.

Each form is a function of a study's folder, as it was read, and of where to write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lttune.exchange.studies.csv_tables import write_csv
from lttune.exchange.studies.deepcave import write_deepcave
from lttune.exchange.studies.folder import Folder
from lttune.exchange.studies.optuna_database import write_optuna
from lttune.exchange.studies.trial_sets import TrialSet, trial_sets


@dataclass(frozen=True, kw_only=True)
class Export:
    """One form of a whole study."""

    write: Callable[[Folder, Path], list[str]]
    """Writes a study and returns a line for each thing written; refuses a place that is taken."""
    place: str
    """Where it is written in the study's folder unless another place is given."""


EXPORTS: dict[str, Export] = {
    "optuna": Export(write=write_optuna, place="optuna.db"),
    "csv": Export(write=write_csv, place="csv"),
    "deepcave": Export(write=write_deepcave, place="deepcave"),
}
"""Flag of ``lttune export`` -> form."""

__all__ = [
    "EXPORTS",
    "Export",
    "Folder",
    "TrialSet",
    "trial_sets",
    "write_csv",
    "write_deepcave",
    "write_optuna",
]
