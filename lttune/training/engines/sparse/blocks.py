"""Which residual networks the sparse engine can train: those of basic blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from lttune.models import Network
from lttune.models.layers import Output, Shortcut
from lttune.models.resnet import Basic

NO_NODE = -1
"""In place of a node's number."""


@dataclass(frozen=True, kw_only=True)
class BlockNode:
    """A convolution without biases, and the batch norm of what it gives."""

    name: str
    norm: str
    sources: int
    """Channels of its input."""
    channels: int
    edge: int
    """Of its filters, 3 or 1."""
    stride: int
    height: int
    """Of its output."""
    width: int
    source: int
    """The node whose result is its input, ``NO_NODE`` for the pictures."""
    added: int = NO_NODE
    """The node whose result is added before the ReLU; that of a shortcut has none."""
    beside: int = NO_NODE
    """The shortcut's convolution, which has the same input."""
    shortcut: bool = False


def nodes(network: Network) -> list[BlockNode]:
    """Returns the convolutions of a residual network; a block's shortcut comes second.

    There are none in another network, and in one that this engine cannot train: a 3 x 3
    convolution, basic blocks, average pooling and one linear layer, all of them prunable.
    """
    module = network.opened("meta")
    if type(module) is not nn.Sequential or not network.pictures or not _computes_plainly(module):
        return []
    names: dict[nn.Module, str] = {part: name for name, part in module.named_modules()}
    parts = list(module)
    if parts and type(parts[0]) is nn.Unflatten:
        parts = parts[1:]
    stem, blocks, end = parts[:3], parts[3:-3], parts[-3:]
    if [type(part) for part in stem] != [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
        return []
    if not blocks or not all(type(part) is nn.Sequential for part in blocks) or not _averages(end):
        return []
    found = _NodeChain(names, *network.pictures[-2:])
    found.add(stem[0], stem[1], NO_NODE)
    for block in (one for segment in blocks for one in segment.children()):
        if type(block) is not Basic:
            return []
        found.add_block(block)
    layers = {node.name for node in found.nodes} | {names[end[-1]]}
    tensors = {name for node in found.nodes for name in _tensors(node)}
    tensors |= {f"{names[end[-1]]}.weight", f"{names[end[-1]]}.bias"}
    held = {*network.shapes, *network.buffers}
    return found.nodes if found.fits and layers == set(network.kinds) and tensors == held else []


def _tensors(node: BlockNode) -> list[str]:
    moments = ("weight", "bias", "running_mean", "running_var")
    return [f"{node.name}.weight", *(f"{node.norm}.{name}" for name in moments)]


class _NodeChain:
    """The nodes of a network as they are found, and whether each is one that is computed here."""

    def __init__(self, names: dict[nn.Module, str], height: int, width: int) -> None:
        self.nodes: list[BlockNode] = []
        self.fits = True
        self._names, self._size = names, (height, width)

    def add(self, conv: nn.Module, norm: nn.Module, source: int) -> int:
        """Adds a convolution and its batch norm, and returns its number."""
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        (edge, _), (stride, _) = conv.kernel_size, conv.stride
        before = self.nodes[source] if source != NO_NODE else None
        height, width = (before.height, before.width) if before else self._size
        self.fits = self.fits and _is_plain(conv) and _is_usual(norm)
        self.nodes.append(
            BlockNode(
                name=self._names[conv],
                norm=self._names[norm],
                sources=conv.in_channels,
                channels=conv.out_channels,
                edge=edge,
                stride=stride,
                height=-(-height // stride),
                width=-(-width // stride),
                source=source,
                shortcut=isinstance(conv, Shortcut),
            )
        )
        return len(self.nodes) - 1

    def add_block(self, block: Basic) -> None:
        """Adds a basic block behind the last node."""
        before = added = len(self.nodes) - 1
        first = self.add(block.conv1, block.norm1, before)
        if type(block.shortcut) is not nn.Identity:
            kinds = [type(part) for part in block.shortcut.children()]
            if type(block.shortcut) is not nn.Sequential or kinds != [Shortcut, nn.BatchNorm2d]:
                self.fits = False
                return
            conv, norm = block.shortcut.children()
            added = self.add(conv, norm, before)
            self.nodes[first] = replace(self.nodes[first], beside=added)
        # What leaves the block is the last node's, for whatever follows.
        second = self.add(block.conv2, block.norm2, first)
        self.nodes[second] = replace(self.nodes[second], added=added)


def _is_plain(conv: nn.Conv2d) -> bool:
    """Returns whether a convolution is 3 x 3, or 1 x 1 with stride 2, and nothing else."""
    edge, stride = conv.kernel_size[0], conv.stride[0]
    shapes = conv.kernel_size, conv.stride, conv.padding, conv.dilation
    expected = (edge, edge), (stride, stride), (edge // 2, edge // 2), (1, 1)
    kinds = {nn.Conv2d: ((3, 1), (3, 2)), Shortcut: ((1, 2),)}
    return (
        shapes == expected
        and (edge, stride) in kinds.get(type(conv), ())
        and (conv.groups, conv.padding_mode, conv.bias) == (1, "zeros", None)
    )


def _is_usual(norm: nn.BatchNorm2d) -> bool:
    """Returns whether batch norm is as PyTorch makes it."""
    settings = norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    return type(norm) is nn.BatchNorm2d and settings == (1e-5, 0.1, True, True)


def _averages(end: Sequence[nn.Module]) -> bool:
    """Returns whether modules are average pooling to one place and the linear layer of classes."""
    if [type(part) for part in end] != [nn.AdaptiveAvgPool2d, nn.Flatten, Output]:
        return False
    pool, flatten, _ = end
    assert isinstance(pool, nn.AdaptiveAvgPool2d)
    assert isinstance(flatten, nn.Flatten)
    whole = pool.output_size in (1, (1, 1))
    return whole and (flatten.start_dim, flatten.end_dim) == (1, -1)


def _computes_plainly(module: nn.Module) -> bool:
    """Returns whether nothing is called in another way than its type says, and no part twice."""
    every = [part for _, part in module.named_modules(remove_duplicate=False)]
    hooked = any(
        part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part) for part in every
    )
    return not hooked and len(set(every)) == len(every)
