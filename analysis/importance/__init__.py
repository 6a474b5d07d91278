"""Which factors decide: shares of a response's variance under the design's distribution."""

from analysis.importance.by_density import Curves, change_point, importance_by_density
from analysis.importance.divergence import Divergence, GivenOk, divergence, importance_given_ok
from analysis.importance.estimate import importance
from analysis.importance.result import Difference, Importance, difference, rank_stability
from analysis.importance.sample import Sample, sample
from analysis.importance.shapley import shapley_effects
from analysis.importance.width import Width, marginal_width, sweep_width

__all__ = [
    "Curves",
    "Difference",
    "Divergence",
    "GivenOk",
    "Importance",
    "Sample",
    "Width",
    "change_point",
    "difference",
    "divergence",
    "importance",
    "importance_by_density",
    "importance_given_ok",
    "marginal_width",
    "rank_stability",
    "sample",
    "shapley_effects",
    "sweep_width",
]
