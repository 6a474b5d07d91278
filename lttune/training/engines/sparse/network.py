"""Which networks the sparse engine can train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from lttune.models import Network
from lttune.training.engines import plain
from lttune.training.engines.sparse.blocks import nodes

MOST_INPUTS = 1 << 16
"""A lit pixel's place is a uint16."""

CHAINS = (
    "trains fully connected networks only, alone or behind 3 x 3 convolutions and pooling, and "
    "residual networks of basic blocks, without dropout, all layers prunable"
)


@dataclass(frozen=True)
class Stage:
    """A 3 x 3 convolution with ReLU."""

    name: str
    sources: int
    """Channels of its input."""
    channels: int
    height: int
    """Of its input and its output."""
    width: int
    pooled: bool
    """Whether a 2 x 2 maximum pooling follows."""


def beyond_kernels(network: Network) -> str:
    """Returns what of a network is not for this engine, as a predicate, "" if nothing."""
    if stages(network) or nodes(network):
        # A network of one's own may be for pictures whose size only its maker knows.
        inputs = network.pictures[-1] * network.pictures[-2]
    elif plain.fully_connected(network):
        _, inputs = next(iter(network.shapes.values()))
    else:
        return CHAINS
    return "" if inputs <= MOST_INPUTS else f"reads pictures of at most {MOST_INPUTS:,} pixels"


def stages(network: Network) -> list[Stage]:
    """Returns the convolutions in front of a network's linear layers.

    There are none in a fully connected network, and in one that this engine cannot train.
    """
    parts = plain.in_sequence(network)
    if parts and type(parts[0]) is nn.Unflatten:
        parts = parts[1:]
    at = next((k for k, part in enumerate(parts) if type(part) is nn.Flatten), 0)
    if not at or not plain.of_linear(parts[at:]) or not network.pictures:
        return []
    return _chain(parts[:at], list(network.kinds), *network.pictures[-2:])


def _chain(
    parts: Sequence[nn.Module], names: Sequence[str], height: int, width: int
) -> list[Stage]:
    """Returns the stages that modules are, [] if they are anything else."""
    found: list[Stage] = []
    rest = list(parts)
    while rest:
        if len(rest) < 2 or not (_is_same(rest[0]) and type(rest[1]) is nn.ReLU):
            return []
        convolution = rest[0]
        assert isinstance(convolution, nn.Conv2d)
        pooled = len(rest) > 2 and _halves(rest[2])
        sources, channels = convolution.in_channels, convolution.out_channels
        found.append(Stage(names[len(found)], sources, channels, height, width, pooled))
        rest = rest[2 + pooled :]
        if pooled:
            height, width = height // 2, width // 2
    return found if found and found[-1].pooled else []


def _is_same(part: nn.Module) -> bool:
    """Returns whether a module is a plain 3 x 3 convolution that leaves a picture's size."""
    if type(part) is not nn.Conv2d:
        return False
    settings = part.kernel_size, part.stride, part.dilation, part.groups, part.padding_mode
    return settings == ((3, 3), (1, 1), (1, 1), 1, "zeros") and part.padding in ((1, 1), "same")


def _halves(part: nn.Module) -> bool:
    """Returns whether a module is a 2 x 2 maximum pooling; a last odd row or column is left out."""
    if type(part) is not nn.MaxPool2d:
        return False
    edges = part.kernel_size, part.stride, part.padding, part.dilation
    pairs = [edge if isinstance(edge, tuple) else (edge, edge) for edge in edges]
    plain_pairs = [(2, 2), (2, 2), (0, 0), (1, 1)]
    return pairs == plain_pairs and not part.ceil_mode and not part.return_indices
