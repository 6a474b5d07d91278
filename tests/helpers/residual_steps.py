"""Small residual networks for the sparse engine, and their training in float64."""

import torch
from sparse_steps import Reference, network_of, start_of
from torch.overrides import TorchFunctionMode

from lttune.models.resnet import cifar_resnet


def resnet(shape, width=5, depth=8):
    """One block in each of three segments; the second and the third have shortcuts."""
    return network_of(cifar_resnet(shape, 10, depth, width), shape)


def opened(network):
    """Weights to begin with; running moments as of a network that was trained before."""
    start = start_of(network)
    for name, role in network.roles.items():
        if role == "norm":
            start[name] += 1
    for name in network.buffers:
        if name.endswith("running_var"):
            start[name] = start[name].abs() + 0.5
    return start


class Exact(Reference):
    """Sees the inputs of a block's ReLUs as well, which are functions."""

    def run(self, examples, order):
        exact = self

        class Watch(TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                if func is torch.relu:
                    exact._see(None, args)
                return func(*args, **(kwargs or {}))

        with Watch():
            super().run(examples, order)

    @property
    def moments_of_norms(self):
        return dict(self._module.named_buffers())
