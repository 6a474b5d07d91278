"""One trajectory in the process of whoever asks for it: without Ray, MLflow or a study's folder.

Its cells are those that a study of the same settings would train, byte for byte; they are kept in
memory, or in the folder of a store, where studies and trajectories find them again.
"""

from lttune.trajectory.measurements.observed import MeasureFunction, ObservedNetwork
from lttune.trajectory.notebook.opening import trajectory
from lttune.trajectory.notebook.values import TrainedLevel, TrainedNetwork
from lttune.trajectory.notebook.walk import Trajectory

__all__ = [
    "MeasureFunction",
    "ObservedNetwork",
    "TrainedLevel",
    "TrainedNetwork",
    "Trajectory",
    "trajectory",
]
