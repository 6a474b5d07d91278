"""What a question fixes for its rule, in the unit of its numbers."""

from __future__ import annotations

import math

from analysis.claims.file.question import Question
from analysis.statistics.verdicts.form import FORMS, Terms

WIDEST = 0.99
"""Largest tolerance, however often it is doubled: a number agrees with no zero."""


def terms(question: Question, factor: float = 1.0) -> Terms:
    """Returns the terms of a question.

    ``factor`` multiplies margin, smallest difference of interest and tolerance, for the table of
    sensitivity.
    """
    margin, smallest = question.margin, question.sesoi
    if question.is_ratio:
        margin, smallest = math.log(margin), math.log(smallest)
    names = [arm.name for arm in question.arms]
    named = FORMS[question.form].states == "value"
    return Terms(
        margin=factor * margin,
        smallest=factor * smallest,
        number=question.number,
        tolerance=min(factor * question.tolerance, WIDEST),
        is_log=question.is_ratio,
        is_in_unit_of_margin=question.reads.endswith("accuracy"),
        value=names.index(str(question.value)) if named else 0,
        rivals=tuple(names.index(rival) for rival in question.rivals) if named else (),
    )
