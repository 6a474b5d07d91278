"""The 2 x 2 maximum pooling of what a convolution gave, and the way back."""

from __future__ import annotations

from lttune.training.engines.sparse.instructions.bands import LANES, zeros_place
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import load, store
from lttune.training.engines.sparse.instructions.windows import largest, lead_back


@kernel()
def pool(pictures, at, channels, rows, columns, height, width, target, to, plane, line, step):
    """Writes the largest of each window of a picture of ``height`` and ``width``.

    Args:
        pictures: ``at`` is the offset of the first channel's margin.
        at: see there.
        channels: of the picture.
        rows: of the picture, filled up.
        columns: of the picture, filled up.
        height: of the picture.
        width: of the picture.
        target: ``to`` is the offset of the first window's place.
        to: see there.
        plane: distance of channels in ``target``.
        line: distance of rows there.
        step: distance of places there.
    """
    own = (columns + 2) * LANES
    for channel in range(channels):
        begin = at + channel * (rows + 2) * own + own + LANES
        for row in range(height // 2):
            for column in range(width // 2):
                top = largest(
                    zeros_place(), pictures, begin + 2 * (row * own + column * LANES), own
                )
                store(target, to + channel * plane + row * line + column * step, top)


@kernel()
def unpool(pictures, at, channels, rows, columns, height, width, delta, to, plane, line, step):
    """Replaces the picture that ``pool`` read by the gradient of its places; as ``pool`` has it."""
    own = (columns + 2) * LANES
    for channel in range(channels):
        begin = at + channel * (rows + 2) * own + own + LANES
        for row in range(height // 2):
            for column in range(width // 2):
                given = load(
                    zeros_place(), delta, to + channel * plane + row * line + column * step
                )
                lead_back(given, pictures, begin + 2 * (row * own + column * LANES), own)
        # What no window covers has no part in the result.
        if height % 2:
            for column in range(width):
                store(pictures, begin + (height - 1) * own + column * LANES, zeros_place())
        if width % 2:
            for row in range(height):
                store(pictures, begin + row * own + (width - 1) * LANES, zeros_place())
