"""The ledger's journal, and how its trials stand."""

from __future__ import annotations

import dataclasses
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import full

from lttune.errors import DamagedError, RefusedError, StorageError
from lttune.records.ledger import Ledger, ledger, listing_in
from lttune.store.formats.journal import Journal, journal_of
from lttune.store.sealed import read_object


def stands(path: Path) -> list[dict[str, object]]:
    return [dataclasses.asdict(trial) for trial in Ledger.open(path).trials]


@settings(deadline=None, max_examples=30)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["complete", "stopped", "waiting"])),
        max_size=30,
    ),
    most=st.sampled_from([0, 500, 1 << 20]),
)
def test_what_is_noted_is_there_as_what_is_saved(steps, most, tmp_path_factory):
    """Trial by trial in the journal, however often that outgrows its file, as all at once."""
    root = tmp_path_factory.mktemp("ledgers")
    noted, saved = (full(root / name / "trials.json") for name in ("noted", "saved"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "MOST_NOTED_BYTES", most)
        for number, state in steps:
            for book in (noted, saved):
                if number == len(book.trials):
                    book.add("search", "another", {"train.lr": 0.5}, [0], [])
                    book.add("search", "one more", {"train.lr": 0.6}, [0], [])
                trial = book.trials[number]
                trial.state, trial.values = state, [0.5, 1.0] if state == "complete" else None
                trial.rebuilt, trial.objective = state == "waiting", (trial.values or [None])[0]
            noted.note(noted.trials[number])
            saved.save()
            assert stands(noted.path) == stands(saved.path)
            assert not journal_of(saved.path).exists()
        noted.save()
    assert noted.path.read_bytes() == saved.path.read_bytes()
    assert not journal_of(noted.path).exists()


def test_who_was_killed_before_the_journal_was_begun_lost_nothing(tmp_path, monkeypatch):
    book = full(tmp_path / "trials.json")
    book.note(book.trials[0])
    book.trials[1].state = "stopped"
    book.note(book.trials[1])
    monkeypatch.setattr(ledger, "MOST_NOTED_BYTES", 0)
    monkeypatch.setattr(book, "_whole", 0)
    monkeypatch.setattr(ledger, "Journal", lambda *of: pytest.fail("killed"))
    book.trials[4].state = "stopped"
    with pytest.raises(pytest.fail.Exception):
        book.note(book.trials[4])
    assert journal_of(book.path).exists()  # The old one, of the file before.
    assert [one["state"] for one in stands(book.path)[3:]] == ["stopped", "stopped"]
    assert stands(book.path)[1]["state"] == "stopped"


def test_to_note_a_trial_takes_the_same_however_many_there_are(tmp_path, monkeypatch):
    """Bytes are counted: seconds depend on what else the machine does."""
    written = {}
    for count in (50, 400):
        book = Ledger(path=tmp_path / f"{count}.json", planned={"search": count})
        sizes, write = [], Ledger._write

        def counted(self, write=write, sizes=sizes):
            digest = write(self)
            sizes.append(self._whole)
            return digest

        monkeypatch.setattr(Ledger, "_write", counted)
        monkeypatch.setattr(ledger, "MOST_NOTED_BYTES", 2_000)
        for number in range(count):
            trial = book.add("search", f"lr={number:03d}", {"train.lr": 0.001 * number}, [0], [])
            for state in ("running", "complete"):
                trial.state = state
                book.note(trial)
        monkeypatch.undo()
        written[count] = (sum(sizes) + 2 * book.path.stat().st_size) / count
    assert written[400] < 1.5 * written[50]


@pytest.mark.parametrize(
    ("line", "error", "told"),
    [
        ({"number": [1]}, StorageError, "must hold a list of trials"),
        ({"number": 9}, StorageError, "must hold a list of trials"),
        ("x", StorageError, "must hold a list of trials"),
        (9, DamagedError, "must number its trials from 0, each once"),
        ("state", RefusedError, r"was written by a newer lttune: its trials are \['lost'\]"),
        ("more", RefusedError, "was written by a newer lttune: its trials have more"),
    ],
)
def test_lines_of_a_journal_are_held_to_what_trials_are(tmp_path, line, error, told):
    book = full(tmp_path / "trials.json")
    known = read_object(book.path)["trials"][1]
    changes = {9: {"number": 9}, "state": {"state": "lost"}, "more": {"more": 1}}
    value = {**known, **changes[line]} if isinstance(line, int | str) and line in changes else line
    Journal(book.path, book._write()).append([value])
    with pytest.raises(error, match=told):
        Ledger.open(book.path)


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from(["waiting", "running", "complete", "stopped", "failed", "ask"]),
        ),
        max_size=60,
    )
)
def test_how_trials_stand_is_kept_as_a_walk_through_all_finds_it(steps):
    book = Ledger(path=Path("nowhere"), planned={"search": 3, "random": 9})
    for number, state in steps:
        if number >= len(book.trials):
            book.add(("search", "random")[number % 2], "", {}, [0], [])
        elif state != "ask":
            book.trials[number].state = state
        else:  # Whoever asks moves on where the first waiting trial is looked for.
            next(book.waiting(["search"]), None)
        all_of = {phase: [t for t in book.trials if t.phase == phase] for phase in book.planned}
        assert {phase: book.of(phase) for phase in book.planned} == all_of
        for phases in (["search"], ["random", "search"], []):
            waiting = [t for t in book.trials if t.state == "waiting" and t.phase in phases]
            assert [*book.waiting(phases)] == waiting
        assert book.running == [t for t in book.trials if t.state == "running"]
        for states in (("complete", "stopped"), ("failed",), ()):
            assert book.count(*states) == sum(t.state in states for t in book.trials)
            for phase, mine in all_of.items():
                found = sum(t.state in states for t in mine)
                assert book.count(*states, phase=phase) == found


def test_a_plan_that_changes_while_a_study_runs_is_noted(tmp_path):
    book = full(tmp_path / "trials.json")
    book.note(book.trials[1])
    book.planned["search"] = 7
    book.note(book.trials[1])
    assert listing_in(book.path, ())["planned"] == {"anchor": 1, "search": 7}


def test_who_lost_its_journal_writes_all_anew(tmp_path):
    """Somebody removed it, or put an older one back."""
    book = full(tmp_path / "trials.json")
    book.note(book.trials[1])
    before = journal_of(book.path).read_bytes()
    for lose in (journal_of(book.path).unlink, lambda: journal_of(book.path).write_bytes(before)):
        book.trials[1].state = "stopped" if book.trials[1].state == "complete" else "complete"
        book.note(book.trials[1])
        lose()
        book.trials[4].error = f"after {book.trials[1].state}"
        book.note(book.trials[4])
        assert stands(book.path)[1]["state"] == book.trials[1].state
        assert stands(book.path)[4]["error"] == book.trials[4].error


def test_no_number_that_json_lacks_is_noted(tmp_path):
    book = full(tmp_path / "trials.json")
    book.note(book.trials[0])
    book.trials[0].objective = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        book.note(book.trials[0])


def test_who_asks_from_another_thread_counts_no_trial_twice():
    """As the display does, while a search adds thousands."""
    ended, asked = threading.Event(), []
    before = sys.getswitchinterval()
    book = Ledger(path=Path("nowhere"), planned={"search": 1})

    def ask():
        while not ended.is_set():
            asked.append(book.count("waiting", "running") + len(book.running))

    asking = threading.Thread(target=ask)
    sys.setswitchinterval(1e-6)
    try:
        asking.start()
        for number in range(2_000):
            book.add("search", "", {}, [0], []).state = ("running", "complete")[number % 2]
    finally:
        ended.set()
        asking.join()
        sys.setswitchinterval(before)
    assert asked
    assert len(book.of("search")) == 2_000
    assert (book.count("running"), book.count("complete"), book.count("waiting")) == (1000, 1000, 0)
    assert book.running == book.trials[::2]
