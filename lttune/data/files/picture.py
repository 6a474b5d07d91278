"""One file of a picture as Pillow decodes it, and what a conversion to bytes would lose of it.

Pillow converts whatever it is asked to: a grey value of 16 bits above 255 becomes white, of a
colour of 16 bits the lower half is dropped, and of a picture that is drawn in its transparency
alone a black square is left. Such files are refused: which of their values are black and white, and
on which ground they belong, is not in them.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lttune.errors import DataError, StorageError
from lttune.store.regular import most_memory, regular_size

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""What Pillow may take a file for, whatever its name; other kinds would start programs."""
GREY_MODES = {"1", "L", "LA"}
"""Pillow's modes without colours."""
COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"}
"""Its modes that become red, green and blue without a loss worth a word."""
_BITS, _EXTRA, _SAMPLES = 258, 338, 339
"""Tags of TIFF: bits of each channel, what further channels are, and how numbers are written."""
_OF_CONTENT = (None, errno.EINVAL, errno.EISDIR)
"""Numbers of errors that are about what lies there; all others say that it cannot be read now."""


def picture_head(file: Path) -> tuple[str, tuple[int, int]]:
    """Returns mode and size (width, height in pixels) of a picture, which its bytes can hold.

    Raises:
        DataError: if it is none, promises more than its bytes can hold, or would be changed.
        StorageError: if it cannot be read.
    """
    from PIL import Image

    try:
        most = most_memory(regular_size(file))
        with Image.open(file, formats=PICTURE_FORMATS) as picture:
            mode, (width, height) = picture.mode, picture.size
            rule = _broken_rule(picture)
    except Exception as error:  # Damaged pictures raise anything.
        raise _unreadable(file, error) from error
    if 3 * width * height > most:
        raise DataError(f"{file} promises {width} x {height} pixels, more than its bytes can hold")
    if rule:
        raise DataError(f"{file} must {rule}")
    return mode, (width, height)


def picture_pixels(file: Path, mode: str, size: int | None) -> np.ndarray:
    """Returns a picture's pixels (uint8): [H, W] in the mode "L", [H, W, 3] in the mode "RGB".

    Args:
        file: a file whose head was looked at.
        mode: what it is converted to.
        size: edge of the square that it is made, as ``picture_folder.read`` says; None leaves it.

    Raises:
        DataError: if it is damaged, or pixels of it are transparent.
        StorageError: if it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(file, formats=PICTURE_FORMATS) as picture:
            decoded = picture.convert("RGBA") if picture.has_transparency_data else picture
            transparent = _transparent(decoded)
            converted = decoded.convert(mode)
    except Exception as error:
        raise _unreadable(file, error) from error
    if transparent:
        raise DataError(
            f"{file} must have no transparent pixels, got {transparent} of "
            f"{converted.width * converted.height}: put it on a ground of your choice"
        )
    return np.asarray(_square(converted, size) if size else converted)


def _broken_rule(picture: Image) -> str:
    """Returns what a picture must be to become bytes without a loss; empty if it is."""
    bits, tags = _bits(picture), getattr(picture, "tag_v2", {})
    if bits > 8:
        return (
            f"have channels of at most 8 bits, got {bits} in Pillow's mode {picture.mode}: scale "
            "it to 0 to 255 by the values that are black and white"
        )
    if picture.mode not in GREY_MODES | COLOUR_MODES:
        return f"be grey or of colours, got Pillow's mode {picture.mode}"
    if any(kind != 1 for kind in tags.get(_SAMPLES, ())):
        return "have channels without a sign, got numbers that may be below 0"
    if 0 in tags.get(_EXTRA, ()):
        return "have grey or colours alone, got a further channel"
    # A second picture in a camera's JPEG is a smaller one of the same.
    if getattr(picture, "is_animated", False) and picture.format != "MPO":
        return "be one picture, got several in one file"
    return ""


def _bits(picture: Image) -> int:
    """Returns the most bits of a channel in the file; the mode of colours does not tell them."""
    (first,) = getattr(picture, "tile", ())[:1] or [None]
    found = getattr(first, "args", ())
    words = found if isinstance(found, tuple) else (found,)
    match picture.format:
        case "TIFF":
            return max(getattr(picture, "tag_v2").get(_BITS, (1,)))  # noqa: B009
        case "PPM" if picture.mode == "F":
            return 32
        case "PNG" | "PPM":
            texts = " ".join(word for word in words if isinstance(word, str))
            highest = max((word for word in words if isinstance(word, int)), default=0)
            return 16 if ";16" in texts or highest > 255 else 8
        case _:
            return 8


def _transparent(picture: Image) -> int:
    """Returns how many pixels are not wholly opaque."""
    if picture.mode != "RGBA":
        return 0
    return int(np.count_nonzero(np.asarray(picture.getchannel("A")) < 255))


def _square(picture: Image, size: int) -> Image:
    from PIL.Image import Resampling

    edge = min(picture.size)
    left, top = ((length - edge) / 2 for length in picture.size)
    return picture.resize((size, size), Resampling.BILINEAR, (left, top, left + edge, top + edge))


def _unreadable(file: Path, error: Exception) -> DataError | StorageError:
    # What Pillow itself raises as an ``OSError``, about what a file holds, has no number.
    if isinstance(error, OSError) and error.errno not in _OF_CONTENT:
        return StorageError(f"{file} cannot be read: {error.strerror}")
    if isinstance(error, MemoryError):
        return DataError(f"{file} does not fit into memory")
    return DataError(f"{file} is damaged or no picture: {' '.join(str(error).split())}")
