"""The stacked engine: many small fully connected networks trained as one, for a GPU.

One LeNet leaves a GPU idle. Here the parameters of a gang of K networks lie in one stack, a product
of a layer is one batched product, and one masked update serves all (Shen et al., MLSys 2021, call
it horizontal fusion). Every member keeps its own weights, mask, learning rate, weight decay, data
order and way through the protocol; only the clock is common.
"""

from lttune.training.engines.stacked.engine import StackedEngine
from lttune.training.engines.stacked.layout import supports

__all__ = ["StackedEngine", "supports"]
