"""Whether what a file says of a study's design was estimated from the records that it has now.

A study grows: what was estimated before is no answer to the records after. Each such file names its
sample, the SHA-256 of what it was estimated from.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from analysis.frame import StudyFrame
from analysis.tables.design.points import DesignSample, design_sample
from lttune.config.control import TRUNK

_NAMES = ["trial", "replicate", "level"]
_NUMBERS = ["density", "test_accuracy", "early_stop_step"]
_RECORDED = [*_NAMES, *_NUMBERS, "diverged"]
"""Columns of the records that responses are computed of.

Not the responses: logarithms and what is read between levels may end in another digit elsewhere."""


def sample_digest(study: StudyFrame, sample: DesignSample) -> str:
    """Returns the SHA-256 of points, their tickets' records, factors and the trials' objectives.

    What estimates is not in it: another version of a package, or another machine, makes numbers no
    older.
    """
    digest = hashlib.sha256(json.dumps([one.plain() for one in sample.factors]).encode())
    numbers = [number for trials in sample.points["trials"] for number in trials]
    trials = study.trials[study.trials["number"].isin(numbers)]
    records = study.records
    tickets = records[records["trial"].isin(numbers) & (records["branch"] == TRUNK)]
    # As floats whatever other networks of the study lack, which decides about a column's type.
    tickets = tickets[_RECORDED].astype(dict.fromkeys(_NUMBERS, float)).sort_values(_NAMES)
    for frame in (sample.points, tickets, trials[["number", "state", "objective"]]):
        digest.update(frame.to_csv(index=False).encode())
    return digest.hexdigest()


def outdated(study: StudyFrame, path: Path, named: object, command: str) -> str:
    """Returns why what a file says is none of the study's numbers now; empty if it is.

    Args:
        study: in whose folder it lies.
        path: of the file, as it is told.
        named: the sample that it names. A file of a version before studies had names has none, and
            is read as it is.
        command: of ``lttune``, which makes it anew.
    """
    if named is None and study.study_id is None:
        return ""
    sample = design_sample(study)
    if not isinstance(sample, str) and named == sample_digest(study, sample):
        return ""
    what = "may be" if named is None else "is"
    return (
        f"{path} {what} of other records than the study has now: `lttune {command}` makes it anew."
    )
