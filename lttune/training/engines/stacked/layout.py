"""Where the parameters of a fully connected network lie in its slot of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod

from lttune.models import Network

ALIGNMENT = 16
"""Floats of 64 bytes. All slots' tensors and batches begin at multiples of it: where in a cache
line a matrix begins can decide in which order a library adds, and so the last bit."""


def aligned(count: int) -> int:
    """Returns the least multiple of ``ALIGNMENT`` that is not below ``count``."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Layout:
    """The places of one network's parameters: a block of a stack, an offset in its rows, a shape.

    The first layer's weights are a block of their own, so that those of all slots can be read as
    the one matrix [K * rows, in]: a slot has as many rows, the last ones zero, as make its length a
    multiple of ``ALIGNMENT``. All other parameters are the second block.
    """

    network: Network

    @cached_property
    def layers(self) -> list[str]:
        """Names of the linear layers, from input to output."""
        return [name.removesuffix(".weight") for name in self.network.shapes if "weight" in name]

    @cached_property
    def units(self) -> list[int]:
        """Number of inputs, then of outputs of every layer."""
        shapes = [self.network.shapes[f"{layer}.weight"] for layer in self.layers]
        return [shapes[0][1], *(shape[0] for shape in shapes)]

    @cached_property
    def rows(self) -> int:
        """Rows of a slot's first block: the first layer's units, and zeros (none on MNIST)."""
        step = ALIGNMENT // gcd(ALIGNMENT, self.units[0])
        return -(-self.units[1] // step) * step

    @cached_property
    def places(self) -> dict[str, tuple[int, int, tuple[int, ...]]]:
        """Parameter name -> block, offset in a row of the block, shape."""
        places, offset = {}, 0
        for name, shape in self.network.shapes.items():
            if name == f"{self.layers[0]}.weight":
                places[name] = (0, 0, shape)
            else:
                places[name] = (1, offset, shape)
                offset += aligned(prod(shape))
        return places

    @cached_property
    def widths(self) -> tuple[int, int]:
        """Floats in a row of either block."""
        rest = sum(aligned(prod(shape)) for block, _, shape in self.places.values() if block)
        return self.rows * self.units[0], rest
