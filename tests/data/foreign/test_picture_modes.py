"""Every mode in which Pillow decodes a picture: whole, or refused in one line, never emptied."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from bounded import refusal
from PIL import Image, PngImagePlugin, TiffImagePlugin

from lttune.data.files import picture
from lttune.data.files.picture_folder import read

RAMP = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
COLOURS = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)


def picture_of(mode: str) -> Image.Image:
    """Returns a picture of the mode that shows 24 different values."""
    match mode:
        case "1":
            return Image.fromarray(RAMP > 100)
        case "F" | "I":
            return Image.fromarray(RAMP.astype({"F": np.float32, "I": np.int32}[mode]) * 1000)
        case "I;16":
            return Image.fromarray(RAMP.astype(np.uint16) * 100)
        case "P":
            return Image.fromarray(RAMP).convert("P")
        case "LAB":
            return Image.frombytes("LAB", (6, 4), COLOURS.tobytes())
        case "L" | "LA":
            return Image.fromarray(RAMP).convert(mode)
        case _:
            return Image.fromarray(COLOURS).convert(mode)


def saved(mode: str, form: str, **options) -> bytes:
    text = io.BytesIO()
    picture_of(mode).save(text, form, **options)
    return text.getvalue()


def png(x: np.ndarray, depth: int, kind: int, clear: bytes = b"") -> bytes:
    """Returns a PNG of pixels whose bytes are there already, e.g. ">u2"; ``kind`` is PNG's own."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">2I5B", x.shape[1], x.shape[0], depth, kind, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in x))
    parts = [
        (b"IHDR", head),
        *([(b"tRNS", clear)] if clear else []),
        (b"IDAT", rows),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(x: np.ndarray, kind: int, **tags: int | tuple[int, ...]) -> bytes:
    """Returns a TIFF without packing of pixels [H, W, C]; ``kind`` is its own of colours."""
    values = {256: x.shape[1], 257: x.shape[0], 258: (8 * x.itemsize,) * x.shape[2], 259: 1}
    values |= {262: kind, 277: x.shape[2], 278: x.shape[0], 279: x.nbytes}
    values |= {{"extra": 338, "samples": 339}[name]: value for name, value in tags.items()}

    def written(start: int) -> bytes:
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        for tag, value in {**values, 273: start}.items():
            directory[tag] = value
        text = io.BytesIO()
        directory.save(text)
        return text.getvalue()

    # A place of one number is written as short as it is: the second has the length of the third.
    return written(len(written(1000))) + x.tobytes()


def folder_of(tmp_path, data: bytes, ending: str):
    """Returns a folder in which one picture of ten has these bytes; the others are grey."""
    for number in range(10):
        place = tmp_path / "own" / ("ape", "bee")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RAMP[::-1] + number).save(place)
    (tmp_path / "own" / "ape" / "0.png").unlink()
    (tmp_path / "own" / "ape" / f"0.{ending}").write_bytes(data)
    return tmp_path / "own"


def all_pixels(folder) -> np.ndarray:
    arrays = read(folder)
    return np.concatenate([arrays["train_x"], arrays["test_x"]])


DEEP = {
    "16 bits of grey in a PNG": (saved("I;16", "PNG"), "png", "got 16 in Pillow's mode I;16"),
    "16 bits of grey in a PPM": (saved("I", "PPM"), "pgm", "got 16 in Pillow's mode I"),
    "fractions in a PPM": (saved("F", "PPM"), "ppm", "got 32 in Pillow's mode F"),
    "16 bits of grey in a TIFF": (saved("I;16", "TIFF"), "tif", "got 16 in Pillow's mode I;16"),
    "32 bits of grey in a TIFF": (saved("I", "TIFF"), "tif", "got 32 in Pillow's mode I"),
    "fractions in a TIFF": (saved("F", "TIFF"), "tif", "got 32 in Pillow's mode F"),
    "12 bits of grey in a PPM": (
        b"P5\n6 4\n4095\n" + RAMP.astype(">u2").tobytes(),
        "pgm",
        "got 16 in Pillow's mode I",
    ),
    "16 bits of colour in a PNG": (
        png(COLOURS.astype(">u2"), 16, 2),
        "png",
        "got 16 in Pillow's mode RGB",
    ),
    "16 bits of grey and alpha in a PNG": (
        png(np.stack([RAMP, RAMP], -1).astype(">u2"), 16, 4),
        "png",
        "got 16 in Pillow's mode RGBA",
    ),
    "16 bits of colour in a PPM": (
        b"P6\n6 4\n65535\n" + COLOURS.astype(">u2").tobytes(),
        "ppm",
        "got 16 in Pillow's mode RGB",
    ),
    "16 bits of colour in a TIFF": (
        tiff(COLOURS.astype("<u2"), 2),
        "tif",
        "got 16 in Pillow's mode RGB",
    ),
}


@pytest.mark.parametrize("case", DEEP)
def test_channels_of_more_than_8_bits_are_refused_with_what_they_have(tmp_path, case):
    data, ending, found = DEEP[case]
    text = refusal(str(folder_of(tmp_path, data, ending)))
    assert re.search(rf"own/ape/0\.{ending} must have channels of at most 8 bits, ", text)
    assert f"{found}: scale it to 0 to 255" in text


WHOLE = [
    *((mode, "PNG", "png", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
    *((m, "JPEG", "jpg", {"quality": 100, "subsampling": 0}) for m in ("L", "RGB", "CMYK")),
    *((mode, "BMP", "bmp", {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
    *((mode, "GIF", "gif", {}) for mode in ("1", "L", "P")),
    *((mode, "PPM", "ppm", {}) for mode in ("1", "L", "RGB")),
    *((m, "TIFF", "tif", {}) for m in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")),
    *((mode, "WEBP", "webp", {"lossless": True}) for mode in ("RGB", "RGBA")),
]


@pytest.mark.parametrize(("mode", "form", "ending", "options"), WHOLE)
def test_a_picture_of_8_bits_shows_afterwards_what_it_showed(tmp_path, mode, form, ending, options):
    folder = folder_of(tmp_path, saved(mode, form, **options), ending)
    found = all_pixels(folder)
    expected = np.asarray(picture_of(mode).convert("RGB"), int)
    found = found if found.ndim == 4 else found[..., None].repeat(3, -1)
    # JPEG rounds; every other form keeps each value.
    error = np.abs(found.astype(int) - expected).max((1, 2, 3)).min()
    assert error <= (8 if form == "JPEG" else 0)
    assert len(np.unique(expected)) >= (2 if mode == "1" else 8)
    assert (found.ndim, found.shape[1:3]) == (4, (4, 6))


def test_grey_pictures_stay_grey(tmp_path):
    for mode in ("1", "L", "LA"):
        assert all_pixels(folder_of(tmp_path / mode, saved(mode, "PNG"), "png")).shape == (10, 4, 6)


def test_every_mode_that_pillow_can_give_is_decided_upon():
    tables = [PngImagePlugin._MODES.values(), TiffImagePlugin.OPEN_INFO.values()]
    modes = {mode for table in tables for mode, _ in table}
    refused = modes - picture.GREY_MODES - picture.COLOUR_MODES
    assert refused == {"I", "I;16", "I;16B", "F", "La"}


def shown_by_alpha(mode: str) -> Image.Image:
    """Returns a picture that is black all over, and draws in its transparency alone."""
    black = Image.new({"LA": "L"}.get(mode, "RGB"), (6, 4))
    black.putalpha(Image.fromarray(RAMP))
    return black


def cleared(mode: str) -> bytes:
    text = io.BytesIO()
    if mode == "P":
        picture_of("P").save(text, "PNG", transparency=bytes([0, 9, 255]))
    else:
        shown_by_alpha(mode).save(text, "PNG")
    return text.getvalue()


CLEAR = {
    "grey": (cleared("LA"), "got 24 of 24"),
    "colours": (cleared("RGBA"), "got 24 of 24"),
    "a palette": (cleared("P"), "of 24"),
    "a grey that is none": (png(RAMP, 8, 0, struct.pack(">H", 30)), "got 1 of 24"),
    "a colour that is none": (
        png(COLOURS, 8, 2, struct.pack(">3H", *COLOURS[1, 2])),
        "got 1 of 24",
    ),
}


@pytest.mark.parametrize("case", CLEAR)
def test_transparent_pixels_are_refused_with_their_number(tmp_path, case):
    data, found = CLEAR[case]
    text = refusal(str(folder_of(tmp_path, data, "png")))
    assert "own/ape/0.png must have no transparent pixels, got " in text
    assert f"{found}: put it on a ground of your choice" in text


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_pictures_in_one_file_are_refused(tmp_path, form):
    more = [Image.fromarray(COLOURS[::-1])]
    data, ending = saved("RGB", form, save_all=True, append_images=more), form.lower()
    text = refusal(str(folder_of(tmp_path, data, ending)))
    assert text.endswith(f"own/ape/0.{ending} must be one picture, got several in one file")


def test_a_second_picture_of_a_camera_is_none_of_ours(tmp_path):
    more = [Image.fromarray(COLOURS[::-1])]
    data = saved("RGB", "MPO", save_all=True, append_images=more, quality=100)
    assert all_pixels(folder_of(tmp_path, data, "jpg")).shape == (10, 4, 6, 3)


FURTHER = np.concatenate([COLOURS, RAMP[..., None]], -1)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (tiff(FURTHER, 2, extra=0), "have grey or colours alone, got a further channel"),
        (tiff(FURTHER[..., 2:], 1, extra=0), "have grey or colours alone, got a further channel"),
        (tiff(RAMP[..., None], 1, samples=2), "have channels without a sign, got numbers that"),
        (tiff(FURTHER[..., 2:], 1, extra=1), "be grey or of colours, got Pillow's mode La"),
    ],
)
def test_channels_that_bytes_cannot_tell_are_refused(tmp_path, data, rule):
    text = refusal(str(folder_of(tmp_path, data, "tif")))
    assert f"own/ape/0.tif must {rule}" in text
