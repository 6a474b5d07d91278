"""Journals whose writer goes on while they are read: the end of a line comes between two reads."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lttune.store.formats.journal import Journal, journal_of, read_journaled
from lttune.store.sealed import read_digested, write_object


class _Growing(io.FileIO):
    """A file that changes when its reader has seen its end first, or as soon as it was read."""

    def __init__(self, path, changes, at_end):
        super().__init__(path)
        self._changes, self._at_end = changes, at_end

    def readinto(self, buffer):
        count = super().readinto(buffer)
        if self._changes and not (count and self._at_end):
            self._changes.pop()()
        return count


@pytest.fixture
def base(tmp_path):
    """A file in whose journal is a long second value."""
    path = tmp_path / "x.json"
    Journal(path, write_object(path, {})).append([1, "y" * 80_000])
    return path


def read(base, monkeypatch, change, at_end=True):
    """Reads a journal that changes meanwhile."""
    path, real, changes = journal_of(base), Path.open, [change]

    def opened(self, mode="r", *rest, **named):
        if self == path and mode == "rb" and not named:
            return io.BufferedReader(_Growing(str(path), changes, at_end), 8192)
        return real(self, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", opened)
    found = read_journaled(base, lambda: read_digested(base))[1]
    assert not changes
    return found


def test_a_line_whose_end_comes_while_it_is_read_is_no_damage(base, monkeypatch):
    path = journal_of(base)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000])

    assert read(base, monkeypatch, lambda: path.write_bytes(whole)) == [1]
    assert read_journaled(base, lambda: read_digested(base))[1] == [1, "y" * 80_000]


def test_a_line_that_takes_the_place_of_half_a_line_while_that_is_read_is_no_damage(
    base, monkeypatch
):
    """A full disk kept half of what its writer tries again."""
    path = journal_of(base)
    kept = path.read_bytes()[:-3000]
    other = Journal(base, read_digested(base)[1])
    other.append([1, "z" * 90_000])
    whole = path.read_bytes()
    path.write_bytes(kept)
    found = read(base, monkeypatch, lambda: path.write_bytes(whole), at_end=False)
    assert found == [1, "z" * 90_000]
