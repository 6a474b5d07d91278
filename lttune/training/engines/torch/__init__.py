"""The reference engine: autograd, any network, any device."""

from lttune.training.engines.torch.engine import TorchEngine

__all__ = ["TorchEngine"]
