"""Journals whose writer goes on while they are read: the end of a line comes between two reads."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lttune.store.formats.journal import Journal, journal_of, read_journaled
from lttune.store.sealed import read_digested, write_object


class _Growing(io.FileIO):
    """A file that changes where its reader has seen its end for the first time."""

    def __init__(self, path, changes):
        super().__init__(path)
        self._changes = changes

    def readinto(self, buffer):
        count = super().readinto(buffer)
        if not count and self._changes:
            self._changes.pop()()
        return count


@pytest.fixture
def base(tmp_path):
    """A file in whose journal is a long second value."""
    path = tmp_path / "x.json"
    Journal(path, write_object(path, {})).append([1, "y" * 9000])
    return path


def read(base, monkeypatch, change):
    """Reads a journal that changes at its end."""
    path, real, changes = journal_of(base), Path.open, [change]

    def opened(self, mode="r", *rest, **named):
        if self == path and mode == "rb" and not named:
            return io.BufferedReader(_Growing(str(path), changes))
        return real(self, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", opened)
    found = read_journaled(base, lambda: read_digested(base))[1]
    assert not changes
    return found


def test_a_line_whose_end_comes_while_it_is_read_is_no_damage(base, monkeypatch):
    path = journal_of(base)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000])

    def end():
        path.write_bytes(whole)

    assert read(base, monkeypatch, end) == [1]
    assert read_journaled(base, lambda: read_digested(base))[1] == [1, "y" * 9000]
