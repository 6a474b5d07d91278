"""Residual networks (He et al. 2016): those of CIFAR-10 and those of ImageNet.

A block's shortcut is its input, or where size or channels change a 1 x 1 convolution with batch
norm (the lottery paper's "downsample" weights; He's own CIFAR networks padded with zeros there).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lttune.models.layers import Output, Shortcut
from lttune.models.pictures import picture_shape, with_channels

LARGE = 64
"""Pixels of an edge from which on ImageNet's stem halves the pictures twice."""


class Basic(nn.Module):
    """Two 3 x 3 convolutions, the first of which may halve the map."""

    expansion = 1
    """Channels that leave the block, in units of its width."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(channels, width, 3, stride)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output, [B, width, H / stride, W / stride]."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class Bottleneck(nn.Module):
    """A 1 x 1, a 3 x 3 (which may halve the map, as in torchvision) and a 1 x 1 convolution."""

    expansion = 4
    """Channels that leave the block, in units of its width."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        wide = self.expansion * width
        self.conv1 = _convolution(channels, width, 1)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, wide, 1)
        self.norm3 = nn.BatchNorm2d(wide)
        self.shortcut = _shortcut(channels, wide, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output, [B, 4 * width, H / stride, W / stride]."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return torch.relu(y + self.shortcut(x))


IMAGENET: dict[int, tuple[type[Basic] | type[Bottleneck], tuple[int, ...]]] = {
    18: (Basic, (2, 2, 2, 2)),
    34: (Basic, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}
"""Depth -> block, and blocks per segment: He et al. (2016), table 1."""


def cifar_resnet(
    shape: tuple[int, ...], classes: int, depth: int, width: int = 16
) -> nn.Sequential:
    """Returns the ResNet of depth 6 n + 2 of He et al. (2016), section 4.2.

    A 3 x 3 convolution (conv1), three segments of n basic blocks with ``width``, twice and four
    times as many channels (block1.1.conv1, ...), average pooling, ``out``.

    Raises:
        ConfigError: if the pictures are smaller than 4 pixels an edge.
    """
    channels, *_ = picture_shape(shape, least=4)
    stem = OrderedDict(conv1=_convolution(channels, width, 3))
    return _resnet(shape, classes, stem, Basic, [(depth - 2) // 6] * 3, width)


def imagenet_resnet(
    shape: tuple[int, ...], classes: int, depth: int, width: int = 64
) -> nn.Sequential:
    """Returns ResNet-18, -34 or -50 of He et al. (2016), table 1.

    Four segments with ``width``, 2, 4 and 8 times as many channels. From 64 pixels an edge on, the
    stem is ImageNet's: 7 x 7 with stride 2, then 3 x 3 maximum pooling with stride 2. Smaller
    pictures have a 3 x 3 convolution and no pooling, as is usual for CIFAR.

    Raises:
        ConfigError: if the pictures are smaller than 8 pixels an edge.
    """
    channels, height, wide = picture_shape(shape, least=8)
    block, counts = IMAGENET[depth]
    large = min(height, wide) >= LARGE
    edge, stride = (7, 2) if large else (3, 1)
    stem = OrderedDict(conv1=_convolution(channels, width, edge, stride))
    pool = nn.MaxPool2d(3, stride=2, padding=1) if large else None
    return _resnet(shape, classes, stem, block, counts, width, pool)


def _resnet(
    shape: tuple[int, ...],
    classes: int,
    stem: OrderedDict[str, nn.Conv2d],
    block: type[Basic] | type[Bottleneck],
    counts: Sequence[int],
    width: int,
    pool: nn.Module | None = None,
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict(with_channels(shape)) | stem
    layers |= {"norm1": nn.BatchNorm2d(width), "relu1": nn.ReLU()}
    if pool is not None:
        layers["pool1"] = pool
    channels = width
    for segment, count in enumerate(counts, start=1):
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(1, count + 1):
            stride = 2 if segment > 1 and i == 1 else 1
            blocks[f"{i}"] = block(channels, width, stride)
            channels = block.expansion * width
        layers[f"block{segment}"] = nn.Sequential(blocks)
        width *= 2
    layers |= {"average": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["out"] = Output(channels, classes)
    return nn.Sequential(layers)


def _convolution(channels: int, into: int, edge: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, into, edge, stride, padding=edge // 2, bias=False)


def _shortcut(channels: int, into: int, stride: int) -> nn.Module:
    if stride == 1 and channels == into:
        return nn.Identity()
    conv = Shortcut(channels, into, 1, stride, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(into)))
