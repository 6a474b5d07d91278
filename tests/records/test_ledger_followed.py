"""A ledger that is looked at again and again shows what one look at all of it would."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import full

from lttune.errors import DamagedError, StorageError
from lttune.records.ledger import FollowedLedger, Ledger, Trial, followed, ledger
from lttune.store.failpoint import ACTIONS
from lttune.store.formats import journal
from lttune.store.formats.journal import journal_of


def shown(book: Ledger) -> object:
    trials = [dataclasses.asdict(trial) for trial in book.trials]
    counts = {state: book.count(state) for state in ("waiting", "running", "complete", "stopped")}
    numbers = [trial.number for trial in book.running]
    return trials, counts, numbers, book.planned, book.wall_s, book.complete


def is_same(follower: FollowedLedger, book: Ledger) -> bool:
    return shown(follower.now(None)) == shown(FollowedLedger(book.path).now(None))


HEAD = 200
"""More bytes than the first line of a journal has."""
STEPS = st.tuples(
    st.sampled_from(["note", "note", "note", "save", "plan", "kill", "fail", "cut", "unlink"]),
    st.integers(0, 6),
    st.sampled_from(["running", "complete", "stopped", "waiting"]),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(STEPS, max_size=25), most=st.sampled_from([0, 1500, 1 << 20]))
def test_looks_show_what_a_first_look_does(steps, most, tmp_path_factory):
    book = full(tmp_path_factory.mktemp("s") / "trials.json")
    follower = FollowedLedger(book.path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "MOST_NOTED_BYTES", most)
        for what, number, state, is_seen in steps:
            path = journal_of(book.path)
            if what == "save":
                book.save()
            elif what == "kill":  # The next driver begins a journal of its own.
                book = Ledger.open(book.path)
            elif what == "unlink":
                path.unlink(missing_ok=True)
            elif what == "cut":
                if path.exists() and path.stat().st_size > HEAD:
                    path.write_bytes(path.read_bytes()[:-3])
            else:
                book.wall_s += what == "plan"
                book.planned = {**book.planned, "more": number} if what == "plan" else book.planned
                if number >= len(book.trials):
                    book.add("search", "another", {"train.lr": 0.5}, [0], [])
                trial = book.trials[min(number, len(book.trials) - 1)]
                trial.state, trial.error = state, "x" * number
                if what == "fail":
                    _fail(book, trial, follower)
                book.note(trial)
            if is_seen:
                assert is_same(follower, book)
        book.save()
        assert is_same(follower, book)


def _fail(book: Ledger, trial: Trial, follower: FollowedLedger) -> None:
    """Notes a trial on a disk that is full after the line, which is looked at before it is told."""

    def reach(site: str) -> None:
        if site.endswith("written"):
            follower.now(None)
            ACTIONS["full"]()

    with pytest.MonkeyPatch.context() as failing, contextlib.suppress(StorageError):
        failing.setattr(journal, "reach", reach)
        book.note(trial)


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    book = full(tmp_path / "trials.json")
    book.note(book.trials[0])
    follower = FollowedLedger(book.path)
    before = follower.now(None)
    monkeypatch.setattr(follower, "_whole", lambda study_id: pytest.fail("all is read again"))
    assert follower.now(None) is before
    book.trials[1].state = "complete"
    book.note(book.trials[1])
    checked = []
    require = followed.require_hparams
    monkeypatch.setattr(followed, "require_hparams", lambda *of: checked.append(of) or require(*of))
    assert follower.now(None).trials[1].state == "complete"
    assert len(checked) == 1


def test_damage_in_what_was_appended_is_told(tmp_path):
    book = full(tmp_path / "trials.json")
    book.note(book.trials[0])
    follower = FollowedLedger(book.path)
    follower.now(None)
    with journal_of(book.path).open("ab") as file:
        file.write(b"0" * 32 + b" {}\n")
    with pytest.raises(DamagedError, match="line 2"):
        follower.now(None)
