"""The reference engine: autograd, any network, any device."""

from lttune.engines.torch.engine import TorchEngine

__all__ = ["TorchEngine"]
