"""Guards of a study that runs, taken away as in ``test_guards.py``: its journals and its lock."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from digits_study import STUDY, report
from guarded import Calls, failures, promised

from lttune.records.tables import loading
from lttune.store import workplace
from lttune.store.formats import journal, journal_lines
from lttune.store.formats.journal import Journal
from lttune.store.sealed import write_object
from lttune.study.conductor import Conductor, Outcome
from lttune.study.main import main

BITS = "store/test_journal.py::test_no_bit_can_change_but_that_of_the_end_of_the_last_line"
ORDER = "store/test_journal.py::test_no_line_can_be_lost_repeated_or_moved_but_the_last"
OWN = "store/test_journal.py::test_a_journal_counts_for_its_own_file_alone"
SECOND = "study/test_study_unit.py::test_a_second_driver_is_told_who_the_first_is"


def journaled(test: Callable[..., None], folder: Path, *values: object) -> None:
    """With the file and its journal that the fixture of that module makes."""
    path = folder / "x.json"
    Journal(path, write_object(path, {})).append(test.__globals__["VALUES"])
    test(path, *values)


def started(test: Callable[..., None], folder: Path) -> None:
    """With a study that was started once, and starts of it that train nothing."""
    ended = Outcome(exit_code=0, report=Path(), tracking="", not_tracked="")

    def start() -> tuple[int, str]:
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            code = main(STUDY, report, "", ["--out", "out"])
        return code, text.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Conductor, "run", lambda self: ended)
        assert start()[0] == 0
        test(start, folder / "out" / "digits")


CALLS: Calls = {
    BITS: journaled,
    ORDER: lambda test, folder: journaled(test, folder, (0, 2, 3, 4)),
    OWN: journaled,
    SECOND: started,
}


def no_checksum_of_lines(patch: pytest.MonkeyPatch) -> None:
    for module in (journal, journal_lines):
        patch.setattr(module, "digest_of", lambda chain, text: "0" * 32)


def no_chain_of_lines(patch: pytest.MonkeyPatch) -> None:
    for module in (journal, journal_lines):
        patch.setattr(module, "digest_of", lambda chain, text: hashlib.md5(text).hexdigest())


def no_file_of_journals(patch: pytest.MonkeyPatch) -> None:
    read = journal.journaled_since
    for module in (journal, loading):
        patch.setattr(
            module,
            "journaled_since",
            lambda file, _, has_infinities: read(file, mock.ANY, has_infinities),
        )


def no_lock_of_drivers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workplace, "only_driver", contextlib.nullcontext)


MOVED = (
    r'Failed: with pytest.raises(DamagedError, match=r"x\.journal is damaged: the checksum of line '
    r'\d"):'
)
RED: dict[Callable[[pytest.MonkeyPatch], None], dict[str, str]] = {
    no_checksum_of_lines: {
        BITS: "Failed: with pytest.raises((DamagedError, RefusedError)):",
        ORDER: MOVED,
    },
    no_chain_of_lines: {ORDER: MOVED},
    no_file_of_journals: {OWN: "AssertionError: assert read(base) == []"},
    no_lock_of_drivers: {SECOND: "AssertionError: assert code == 75"},
}
"""How the guard is taken away -> the tests that fail then, and where."""


@pytest.mark.parametrize("guard", RED, ids=lambda guard: guard.__name__)
def test_what_a_missing_guard_protects_fails_and_nothing_else(guard, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        guard(patch)
        assert failures(CALLS, tmp_path_factory) == RED[guard]
    protected = {name: CALLS[name] for name in RED[guard]}
    assert failures(protected, tmp_path_factory) == {}


@pytest.mark.parametrize("test", CALLS)
def test_what_guards_protect_is_promised(test):
    assert promised(test)
