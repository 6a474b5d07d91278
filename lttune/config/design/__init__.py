"""Designs: which configurations are trained to learn how much each hyperparameter matters.

A design is an ordered list of ``Point``. It is pure: it depends on its arguments and a seed, knows
nothing of who trains it, and names replicates (common random numbers), never seeds.
"""

from lttune.config.design.comparison import fair_comparison
from lttune.config.design.contrast import HANDFUL, are_alike, lacking_contrast
from lttune.config.design.distributions import (
    Categorical,
    Distribution,
    Integer,
    LogUniform,
    Uniform,
)
from lttune.config.design.factors import INERT, PRUNING_RATE, Factor, nested
from lttune.config.design.lenet import LENET_FACTORS, LENET_PAPER
from lttune.config.design.levels import levels_to, reaching
from lttune.config.design.points import SPREAD, Point, Role
from lttune.config.design.space_filling import space_filling
from lttune.config.design.sweeps import SWEEPS, Sweep

__all__ = [
    "HANDFUL",
    "INERT",
    "LENET_FACTORS",
    "LENET_PAPER",
    "PRUNING_RATE",
    "SPREAD",
    "SWEEPS",
    "Categorical",
    "Distribution",
    "Factor",
    "Integer",
    "LogUniform",
    "Point",
    "Role",
    "Sweep",
    "Uniform",
    "are_alike",
    "fair_comparison",
    "lacking_contrast",
    "levels_to",
    "nested",
    "reaching",
    "space_filling",
]
