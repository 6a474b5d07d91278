"""What a study's objective wants: one value or several, more of each or less."""

from __future__ import annotations

from analysis.frame import StudyFrame
from lttune.config.own import without_place
from lttune.records.objectives import Direction, ObjectiveConfig

FIRST = {"pareto": "ticket's validation accuracy"}
"""Objective -> name of its first value, where that is not the objective itself."""

PAPERS_DENSITY = 0.211
"""Share of weights at which the answer is given where the study names none of its own: where the
paper's tickets learn fastest.

Its most accurate tickets keep about 13.5 % (Frankle & Carbin 2019, Figures 3 and 4a).
"""


def directions(study: StudyFrame) -> list[Direction]:
    """Returns "maximize" or "minimize" for each value of the study's objective."""
    objective = study.info.get("objective") or {}
    return list(objective.get("directions") or [objective.get("direction") or "maximize"])


def is_minimized(study: StudyFrame) -> bool:
    """Returns whether less of the study's objective, of several values the first, is better."""
    return directions(study)[0] == "minimize"


def objective_name(study: StudyFrame) -> str:
    """Returns the name of the objective, of several values that of the first one.

    Of a function of one's own that is its name, without its file.
    """
    name = str((study.info.get("objective") or {}).get("name", "objective"))
    return FIRST.get(name, without_place(name))


def reading_density(study: StudyFrame) -> float | None:
    """Returns the one density that the objective reads, None if each trial has its own.

    With a function of one's own it is the one to which the search's trajectories go.
    """
    objective = (study.info.get("config") or {}).get("objective") or {}
    if objective.get("name") in ("pareto", "ticket_density"):
        return None
    return objective.get("density", ObjectiveConfig().density)


def answer_density(study: StudyFrame) -> float:
    """Returns the share of weights at which the answer is given, in (0, 1).

    It is the one that the study's objective reads, whether or not it searches.
    """
    asked = (study.info.get("config") or {}).get("objective")
    return (reading_density(study) if asked else None) or PAPERS_DENSITY


def margin_of(study: StudyFrame) -> float:
    """Returns the accuracy, a share, that a ticket may lose and still count as one."""
    objective = (study.info.get("config") or {}).get("objective") or {}
    return float(objective.get("margin", ObjectiveConfig().margin))
