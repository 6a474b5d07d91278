"""The surviving weights of a convolution in the order in which kernels read them.

With stride 2 a picture is read as its four phases, of the even and the odd rows and columns, each a
channel of its own: over them the convolution has stride 1, and filters of at most 2 x 2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lttune.training.engines.sparse.convolutions.memory import CHANNEL_GROUP
from lttune.training.engines.sparse.instructions.bands import LANES

PHASE_COUNT = 4


class NodeLists(NamedTuple):
    """The lists of one convolution."""

    survivors: np.ndarray
    """Positions of the surviving weights in the full tensor, in the order of the values."""
    ends: np.ndarray
    """int32 [groups, channels] where the weights of a group and output channel end."""
    offsets: np.ndarray
    """int32: what place each is multiplied with."""
    back_ends: np.ndarray
    """int32 [groups, targets], likewise from the outputs to the inputs."""
    back_offsets: np.ndarray
    back_places: np.ndarray
    """int32: each weight's own place."""
    groups: int
    """Of input channels."""
    back_groups: int
    """Of output channels."""
    targets: int
    """Channels that the backward pass writes."""


def node_lists(keep: np.ndarray, stride: int, rows: int, columns: int) -> NodeLists:
    """Returns the lists of a mask [channels, sources, edge, edge].

    Args:
        keep: which weights survive.
        stride: 1 or 2.
        rows: of the output, filled up; the phases of an input with stride 2 are as large.
        columns: of the output, filled up.
    """
    channels, sources, edge, _ = keep.shape
    flat = np.flatnonzero(keep)
    channel, source, row, column = np.unravel_index(flat, keep.shape)
    if edge == 1:
        row, column = row + 1, column + 1
    plane, target, planes, targets = source, source, sources, sources
    if stride == 2:
        # The middle row is even and lies where the output does, the others are odd.
        phase = 2 * (row != 1) + (column != 1)
        plane, planes = PHASE_COUNT * source + phase, PHASE_COUNT * sources
        row, column = np.minimum(row, 1), np.minimum(column, 1)
        # A 1 x 1 filter reads one phase only.
        target, targets = (source, sources) if edge == 1 else (plane, planes)
    line = (columns + 2) * LANES
    size = (rows + 2) * line
    group, back_group = plane // CHANNEL_GROUP, channel // CHANNEL_GROUP
    groups, back_groups = (-(-n // CHANNEL_GROUP) for n in (planes, channels))
    ahead = np.lexsort((column, row, plane, channel, group))
    back = np.lexsort((channel, target, back_group))
    own = np.empty_like(ahead)
    own[ahead] = np.arange(len(flat))
    offsets = plane * size + row * line + column * LANES
    # Back from its outputs, each place is seen from the opposite side.
    back_offsets = channel * size + (2 - row) * line + (2 - column) * LANES
    return NodeLists(
        flat[ahead],
        _ends(group * channels + channel, groups * channels),
        offsets[ahead].astype(np.int32),
        _ends(back_group * targets + target, back_groups * targets),
        back_offsets[back].astype(np.int32),
        own[back].astype(np.int32),
        groups,
        back_groups,
        targets,
    )


def _ends(run: np.ndarray, runs: int) -> np.ndarray:
    return np.cumsum(np.bincount(run, minlength=runs)).astype(np.int32)
