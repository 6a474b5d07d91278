"""The statistics of the study method: intervals, tests, and the rules that make verdicts of them.

Each file is one noun. None reads a study: they take arrays with one row per replicate, so that the
unit is the trajectory and pairs stay pairs, and a generator where something is drawn.
"""

from __future__ import annotations

from analysis.statistics.intervals import Estimate, mean_interval, paired_difference

__all__ = ["Estimate", "mean_interval", "paired_difference"]
