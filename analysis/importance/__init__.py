"""Which factors decide: shares of a response's variance under the design's distribution."""

from analysis.importance.by_density import ImportanceCurves, importance_by_density, left_out_table
from analysis.importance.divergence import Divergence, GivenOk, divergence, importance_given_ok
from analysis.importance.estimate import importance
from analysis.importance.ranks import (
    change_point,
    change_table,
    lead_table,
    rank_stability,
    rank_table,
)
from analysis.importance.result import Importance, IndexDifference, difference
from analysis.importance.sample import Sample, sample
from analysis.importance.shapley import shapley_effects
from analysis.importance.width import Width, marginal_widths, sweep_width

__all__ = [
    "Divergence",
    "GivenOk",
    "Importance",
    "ImportanceCurves",
    "IndexDifference",
    "Sample",
    "Width",
    "change_point",
    "change_table",
    "difference",
    "divergence",
    "importance",
    "importance_by_density",
    "importance_given_ok",
    "lead_table",
    "left_out_table",
    "marginal_widths",
    "rank_stability",
    "rank_table",
    "sample",
    "shapley_effects",
    "sweep_width",
]
