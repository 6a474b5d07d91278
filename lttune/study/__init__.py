"""Many trajectories: the phases of a study, its search, its workers, and what MLflow sees of it."""

from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.phase import Phase
from lttune.study.settings import Scale, StudyConfig

__all__ = ["Phase", "Scale", "Study", "StudyConfig", "main"]
