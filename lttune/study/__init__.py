"""Many trajectories: the phases of a study, its search, its workers, and what MLflow sees of it."""

from lttune.config.output.script import tell_mistakes_of_script
from lttune.config.phase import PhaseName
from lttune.study.called import FinishedStudy, run
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.settings import Scale, StudyConfig

__all__ = ["FinishedStudy", "PhaseName", "Scale", "Study", "StudyConfig", "main", "run"]

tell_mistakes_of_script()
