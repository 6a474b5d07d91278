"""Reads the records of studies: tables, intervals, figures, report. It never trains.

Both functions import what they need when they are called: a study script that only answers
``--help`` should not wait for pandas and matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.frame import Study


def load(folder: Path | str) -> Study:
    """Returns the tables of a study's folder: see ``analysis.frame.load``."""
    from analysis import frame

    return frame.load(folder)


def write_report(folder: Path) -> Path:
    """Writes the report of a study's folder: see ``analysis.report.write``."""
    from analysis import report

    return report.write(folder)
