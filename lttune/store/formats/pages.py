"""How much the pages of a Parquet column hold, as the headers before them tell their reader.

A column is one page after the other: a header, a struct in Thrift's compact protocol, then as many
bytes as it says. The reader reserves what the header calls the unpacked size, and unpacks no more.
"""

from __future__ import annotations

_BOOLS, _BYTE, _DOUBLE, _TEXT, _STRUCT = (1, 2), 3, 7, 8, 12
_VARINTS = (4, 5, 6)
_INT32 = 5
"""Types of Thrift's compact protocol; a header has no others."""
_UNPACKED, _PACKED = 2, 3
"""Fields of a header: the page's bytes as they are decoded, and as they are here."""


def unpacked_size(data: bytes, start: int, end: int) -> int:
    """Returns the bytes that the pages of a column have unpacked, all together.

    Args:
        data: a Parquet file.
        start: where its first page begins.
        end: where its last one ends.

    Raises:
        ValueError: if there are no such pages.
    """
    total = 0
    while start < end:
        try:
            fields, start = _struct(data, start)
        except (IndexError, RecursionError):
            raise ValueError("the header of a page is cut") from None
        packed, unpacked = fields.get(_PACKED, -1), fields.get(_UNPACKED, -1)
        if packed < 0 or unpacked < 0:
            raise ValueError("the header of a page does not tell its size")
        start += packed
        total += unpacked
    return total


def _struct(data: bytes, at: int) -> tuple[dict[int, int], int]:
    """Returns the fields of a struct that are numbers of 32 bits, and where it ends.

    Of a field that stands twice the last counts, as for the reader.
    """
    fields: dict[int, int] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind, step = head & 15, head >> 4
        if step:
            number += step
        else:
            number, at = _signed(data, at)
        if kind == _INT32:
            fields[number], at = _signed(data, at)
        else:
            at = _after(data, at, kind)
    return fields, at + 1


def _after(data: bytes, at: int, kind: int) -> int:
    """Returns where a value of a type ends."""
    if kind in _BOOLS:
        return at
    if kind in _VARINTS:
        return _varint(data, at)[1]
    if kind == _TEXT:
        length, at = _varint(data, at)
        return at + length
    if kind == _STRUCT:
        return _struct(data, at)[1]
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    raise ValueError("the header of a page is none")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift >= 70:
            raise ValueError("a number in the header of a page is too long")


def _signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
