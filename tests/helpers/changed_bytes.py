"""Files of which some bytes are others, as a bad disk or a stranger makes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

Changes = list[tuple[float, bytes]]

NUMBERS = (0, 1, 2**31, 2**32 - 1)
"""What sizes in headers go wrong at."""


def flip(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def one_bit_changed(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields each place of some bytes with what they are when one bit there is another.

    Of each byte three bits are tried, one at a time.
    """
    for place, byte in enumerate(data):
        for bit in (0, 3, 6):
            yield place, data[:place] + bytes([byte ^ 1 << bit]) + data[place + 1 :]


def changes(order: str, fewest: int = 1, most: int = 4) -> st.SearchStrategy[Changes]:
    """Draws where in a file, as a share of its length, which bytes are put.

    Args:
        order: "<" or ">", how the file's kind writes whole numbers of 32 bits.
        fewest: places.
        most: places.
    """
    numbers = st.sampled_from(NUMBERS).map(lambda number: struct.pack(f"{order}I", number))
    place = st.floats(0, 1, exclude_max=True)
    one = st.tuples(place, st.binary(min_size=1, max_size=4) | numbers)
    return st.lists(one, min_size=fewest, max_size=most)


def changed(data: bytes, places: Changes, share: float, within: int | None = None) -> bytes:
    """Returns the first share of a file's bytes, with others put in their places before.

    Args:
        data: the whole file.
        places: as drawn.
        share: of the file that is left, in (0, 1].
        within: bytes at its beginning in which the places lie; None is all.
    """
    made = bytearray(data)
    for place, new in places:
        at = int(place * min(len(made), within or len(made)))
        made[at : at + len(new)] = new
    return bytes(made[: round(share * len(made))])
