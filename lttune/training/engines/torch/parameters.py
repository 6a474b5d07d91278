"""All parameters of a module as views of one flat vector.

The optimizer and the mask are then one call each a step. A convolution's weights lie in the vector
as [out, height, width, in] (channels last), which its kernels read fastest; everywhere else they
are [out, in, height, width].
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lttune.models import Network


class FlatParameters:
    """The flat vector of a module's parameters, its gradient, and the module's buffers.

    Args:
        module: whose parameters become views; its own values are not read.
        network: its architecture.
        start: the values of parameters and buffers.
        device: of the vector.
    """

    def __init__(
        self,
        module: nn.Module,
        network: Network,
        start: Mapping[str, Tensor],
        device: torch.device,
    ) -> None:
        self._shapes = network.shapes
        self.flat = self.flattened(start).to(device)
        self.gradient = torch.zeros_like(self.flat)
        self.flat.grad = self.gradient
        parameters = module.named_parameters()
        for (_, parameter), value, gradient in zip(
            parameters, self._views(self.flat), self._views(self.gradient), strict=True
        ):
            parameter.data = value
            parameter.grad = gradient
        buffers = dict(module.named_buffers())
        self.buffers = {name: buffers[name] for name in network.buffers}
        self.load_buffers(start)

    def flattened(self, values: Mapping[str, Tensor]) -> Tensor:
        """Returns one value for each parameter, by name, in the order of the vector."""
        return torch.cat([_stored(values[name]).flatten() for name in self._shapes])

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Replaces all parameters and buffers."""
        with torch.no_grad():
            self.flat.copy_(self.flattened(values))
        self.load_buffers(values)

    def load_buffers(self, values: Mapping[str, Tensor]) -> None:
        """Replaces the buffers."""
        for name, buffer in self.buffers.items():
            buffer.copy_(values[name])

    def copied(self) -> dict[str, Tensor]:
        """Returns copies of all parameters and buffers, on the CPU, in their usual order."""
        views = self._views(self.flat.detach().to("cpu", copy=True))
        values = {n: view.contiguous() for n, view in zip(self._shapes, views, strict=True)}
        return values | {n: b.to("cpu", copy=True) for n, b in self.buffers.items()}

    def _views(self, flat: Tensor) -> list[Tensor]:
        views, at = [], 0
        for shape in self._shapes.values():
            size = torch.Size(shape).numel()
            part = flat[at : at + size]
            if len(shape) == 4:
                out, into, height, width = shape
                views.append(part.view(out, height, width, into).permute(0, 3, 1, 2))
            else:
                views.append(part.view(shape))
            at += size
        return views


def _stored(value: Tensor) -> Tensor:
    return value.permute(0, 2, 3, 1) if value.ndim == 4 else value
