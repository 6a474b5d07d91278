"""A study in the forms of other systems: Optuna's database, CSV tables, DeepCAVE's run.

Each form is a function of a study's folder, as it was read, and of where to write.
"""

from lttune.exchange.studies.csv_tables import write_csv
from lttune.exchange.studies.deepcave import write_deepcave
from lttune.exchange.studies.folder import Folder
from lttune.exchange.studies.optuna_database import write_optuna
from lttune.exchange.studies.sample import Sample, samples

__all__ = ["Folder", "Sample", "samples", "write_csv", "write_deepcave", "write_optuna"]
