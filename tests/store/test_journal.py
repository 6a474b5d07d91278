"""Journals: what was appended comes back, be the writer killed anywhere; all else is damage."""

from __future__ import annotations

import math

import pytest
from changed_bytes import one_bit_changed
from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.errors import DamagedError, RefusedError, StorageError
from lttune.store.failpoint import ACTIONS
from lttune.store.formats import journal
from lttune.store.formats.journal import (
    Journal,
    journal_of,
    read_journaled,
    remove_journal,
    size_with_journal,
)
from lttune.store.sealed import FILES_SCHEMA, read_digested, write_object

VALUES = [{"trial": 0, "test_loss": 0.1 + 0.2}, [1, None, "é\n"], True, {"error": "\\u0000"}]


@pytest.fixture
def base(tmp_path):
    """A file with a journal in which ``VALUES`` are, a line each."""
    path = tmp_path / "x.json"
    written = Journal(path, write_object(path, {}))
    written.append(VALUES[:1])
    written.append(VALUES[1:3], is_flushed=False)
    written.append([])
    written.append(VALUES[3:])
    assert written.size == journal_of(path).stat().st_size
    return path


def read(base, has_infinities=False):
    return read_journaled(base, lambda: read_digested(base), has_infinities)[1]


def test_what_was_appended_comes_back(base):
    assert read(base) == VALUES
    assert size_with_journal(base) == base.stat().st_size + journal_of(base).stat().st_size
    remove_journal(base)
    remove_journal(base)
    assert read(base) == []
    assert size_with_journal(base) == base.stat().st_size


def test_values_that_json_lacks_come_back(base):
    values = [[math.inf, -math.inf, math.nan]]
    Journal(base, read_digested(base)[1], has_infinities=True).append(values)
    ((one, other, none),) = read(base, has_infinities=True)
    assert (one, other, math.isnan(none)) == (math.inf, -math.inf, True)
    with pytest.raises(DamagedError, match="line 2: it holds Infinity, which is no JSON"):
        read(base)
    with pytest.raises(ValueError, match="not JSON compliant"):
        Journal(base, read_digested(base)[1]).append(values)


def test_a_line_that_is_cut_anywhere_was_not_appended(base):
    path = journal_of(base)
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for cut in range(len(whole)):
        for zeros in (0, 3):  # As file systems fill what was not written.
            path.write_bytes(whole[:cut] + bytes(zeros))
            if cut < head:
                with pytest.raises(DamagedError, match="does not say what it goes on from"):
                    read(base)
            else:
                assert read(base) == VALUES[: whole[head:cut].count(b"\n")]


def test_no_bit_can_change_but_that_of_the_end_of_the_last_line(base):
    path = journal_of(base)
    whole = path.read_bytes()
    for place, data in one_bit_changed(whole):
        path.write_bytes(data)
        if place == len(whole) - 1:  # As if it was killed before: nothing wrong is read.
            assert read(base) == VALUES[:-1]
            continue
        with pytest.raises((DamagedError, RefusedError)):
            read(base)


@pytest.mark.parametrize("order", [(0, 2, 3, 4), (0, 1, 1, 2), (0, 2, 1, 3), (1, 0), (1,), (0, 2)])
def test_no_line_can_be_lost_repeated_or_moved_but_the_last(base, order):
    path = journal_of(base)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[place] for place in order))
    with pytest.raises(DamagedError, match=r"x\.journal is damaged: the checksum of line \d"):
        read(base)


def test_a_journal_counts_for_its_own_file_alone(base):
    write_object(base, {"more": 1})
    assert read(base) == []
    base.write_text("{}")  # As earlier versions wrote it.
    assert read(base) == []


def test_one_of_a_newer_lttune_is_refused(base, monkeypatch):
    monkeypatch.setattr(journal, "FILES_SCHEMA", FILES_SCHEMA + 1)
    Journal(base, read_digested(base)[1])
    with pytest.raises(RefusedError, match=r"x\.journal was written by a newer lttune"):
        read(base)


def test_who_cut_or_removed_it_is_noticed(base):
    mine = Journal(base, read_digested(base)[1])
    mine.append([1, 2])
    whole = journal_of(base).read_bytes()
    assert mine.is_whole
    journal_of(base).write_bytes(whole[:-1])
    assert not mine.is_whole
    journal_of(base).unlink()
    assert not mine.is_whole


@pytest.mark.parametrize("step", ["appended", "written"])
@pytest.mark.parametrize("action", ["full", "readonly"])
def test_what_could_not_be_appended_leaves_nothing(base, action, step, monkeypatch):
    digest = read_digested(base)[1]
    again = Journal(base, digest)
    again.append([1])
    before = journal_of(base).read_bytes()
    with monkeypatch.context() as failing:
        failing.setattr(journal, "reach", lambda site: site.endswith(step) and ACTIONS[action]())
        with pytest.raises(StorageError, match=r"x\.journal cannot be written: "):
            again.append([2])
    assert journal_of(base).read_bytes() == before
    again.append([3])
    assert read(base) == [1, 3]


def test_who_reads_while_the_file_is_written_anew_gets_all_of_it(base):
    """The writer takes the journal into the file just between the two reads."""
    seen = []

    def reading():
        found = read_digested(base)
        if not seen:
            write_object(base, {"trials": VALUES})
            remove_journal(base)
        seen.append(found[0])
        return found

    assert read_journaled(base, reading) == ({"trials": VALUES}, [])
    assert len(seen) == 2


def test_what_a_network_file_system_shows_too_late_is_read_again(base, monkeypatch):
    """It shows an old file, and when that was changed, for a while; who opens it sees the new."""
    old = read_digested(base)
    write_object(base, {"trials": VALUES})
    Journal(base, read_digested(base)[1]).append([1])
    monkeypatch.setattr(journal, "_moment", lambda path: (1, 2, 3))
    shown = iter([old])
    found = read_journaled(base, lambda: next(shown, None) or read_digested(base))
    assert found == ({"trials": VALUES}, [1])


def test_a_file_that_is_written_anew_for_ever_is_an_error(base):
    def reading():
        write_object(base, {})
        return read_digested(base)

    with pytest.raises(StorageError, match="is written anew all the time"):
        read_journaled(base, reading)


@settings(deadline=None)
@given(values=st.lists(st.recursive(st.none() | st.integers(-9, 9) | st.text(), st.lists)))
def test_any_values_come_back(values, tmp_path_factory):
    base = tmp_path_factory.mktemp("journal") / "x.json"
    digest = write_object(base, {})
    Journal(base, digest).append(values)
    assert read(base) == values
