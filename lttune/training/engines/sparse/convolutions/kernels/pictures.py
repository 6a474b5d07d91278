"""Pictures as kernels want them: [channels, rows + 2, columns + 2, lanes], zero in the margin."""

from __future__ import annotations

from lttune.training.engines.sparse.instructions.bands import LANES, zeros_place
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.registers import item, put, store


@kernel()
def write(batch, pixels, shades, channels, height, width, rows, columns, target, at):
    """Writes the inputs of at most ``LANES`` examples; a lane without one becomes zero.

    Args:
        batch: indices of examples.
        pixels: of all examples, flat.
        shades: [channels, 256] the input that each value of a pixel is.
        channels: of a picture.
        height: of a picture.
        width: of a picture.
        rows: of a picture, filled up.
        columns: of a picture, filled up.
        target: ``at`` is the offset of the first channel's margin.
        at: see there.
    """
    size = channels * height * width
    for channel in range(channels):
        for row in range(height):
            pixel = (channel * height + row) * width
            place = at + ((channel * (rows + 2) + row + 1) * (columns + 2) + 1) * LANES
            for column in range(width):
                to = place + column * LANES
                for lane in range(len(batch)):
                    shade = item(pixels, item(batch, lane) * size + pixel + column)
                    put(target, to + lane, item(shades, channel * 256 + shade))
                for lane in range(len(batch), LANES):
                    target[to + lane] = 0


@kernel()
def clear_margin(pictures, at, channels, rows, columns, height, width):
    """Writes zeros where whole bands reach over the picture."""
    line = (columns + 2) * LANES
    for channel in range(channels):
        begin = at + channel * (rows + 2) * line + line + LANES
        for row in range(rows):
            for column in range(width if row < height else 0, columns):
                store(pictures, begin + row * line + column * LANES, zeros_place())
