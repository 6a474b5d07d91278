"""What the weights of a level start from: the survivors' values, and what pruned weights hold.

The words are Zhou et al.'s (2019): the *mask-1 action* sets surviving weights, the *mask-0 action*
pruned ones.
"""

from lttune.trajectory.starts.beginning import holding, start_weights, training_of
from lttune.trajectory.starts.junction import Junction
from lttune.trajectory.starts.kept import STARTS, rescaled, unless_shrunk
from lttune.trajectory.starts.pruned import HOLDS, RELEASED

__all__ = [
    "HOLDS",
    "RELEASED",
    "STARTS",
    "Junction",
    "holding",
    "rescaled",
    "start_weights",
    "training_of",
    "unless_shrunk",
]
