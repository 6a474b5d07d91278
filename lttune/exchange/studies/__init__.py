"""A study in the forms of other systems: Optuna's database, CSV tables, DeepCAVE's run.

Each form is a function of a study's folder, as it was read, and of where to write.
"""

from lttune.exchange.studies.csv_tables import write_csv
from lttune.exchange.studies.deepcave import write_deepcave
from lttune.exchange.studies.folder import Folder
from lttune.exchange.studies.optuna_database import write_optuna
from lttune.exchange.studies.trial_sets import TrialSet, trial_sets

__all__ = ["Folder", "TrialSet", "trial_sets", "write_csv", "write_deepcave", "write_optuna"]
