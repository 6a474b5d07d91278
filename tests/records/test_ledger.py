from __future__ import annotations

import dataclasses
import json

import pytest
from ledgers import full

from lttune.errors import RefusedError, StorageError
from lttune.records.ledger import Ledger, Trial
from lttune.store.sealed import read_object, write_object


def test_a_file_gives_back_what_was_saved(tmp_path):
    book = full(tmp_path / "trials.json")
    again = Ledger.open(book.path)
    assert (again.planned, again.wall_s) == (book.planned, 3.25)
    settled = [0, 3, 4]
    assert [again.trials[n] for n in settled] == [book.trials[n] for n in settled]
    assert again.trials[0].objective == 0.1 + 0.2


def test_a_ledger_from_before_there_were_values_has_one_of_them(tmp_path):
    book = full(tmp_path / "trials.json")
    old = read_object(book.path)
    for trial in old["trials"]:
        del trial["values"]
    book.path.write_text(json.dumps(old))
    again = Ledger.open(book.path)
    assert [trial.values for trial in again.trials] == [[0.1 + 0.2], None, None, None, None]


def test_a_phase_is_pending_until_all_of_it_has_ended(tmp_path):
    book = Ledger(path=tmp_path / "x", planned={"search": 2, "random": 1})
    assert book.pending("search")
    for _ in range(2):
        book.add("search", "", {}, [0], [])
    for states, pending in (
        (("running", "complete"), True),
        (("stopped", "waiting"), True),
        (("stopped", "failed"), False),
        (("complete", "complete"), False),
    ):
        book.trials[0].state, book.trials[1].state = states
        assert book.pending("search") is pending
    book.only = ("search",)
    assert not book.pending("random")


def test_an_interrupted_or_failed_trial_waits_again(tmp_path):
    again = Ledger.open(full(tmp_path / "trials.json").path)
    assert [t.state for t in again.trials] == [
        "complete",
        "waiting",
        "waiting",
        "stopped",
        "waiting",
    ]
    assert again.trials[2].error is None
    assert again.trials[1].hparams == {"train.lr": 0.1, "prune.scope": "layer"}


def test_without_a_file_a_ledger_is_empty_and_writes_none(tmp_path):
    book = Ledger.open(tmp_path / "trials.json")
    assert (book.trials, book.planned, book.total) == ([], {}, 0)
    assert list(tmp_path.iterdir()) == []


def test_trials_are_numbered_and_named(tmp_path):
    book = full(tmp_path / "trials.json")
    assert [trial.number for trial in book.trials] == [0, 1, 2, 3, 4]
    assert book.trials[1].name == "001 search lr=0.1 scope=layer (lr=0.1)"
    assert dataclasses.replace(book.trials[1], label="").name == "001 search lr=0.1 scope=layer"


def test_counts(tmp_path):
    book = full(tmp_path / "trials.json")
    assert book.total == 5
    assert [t.number for t in book.of("search")] == [1, 2, 3, 4]
    assert (book.count("complete"), book.count("complete", "failed", "waiting")) == (1, 3)


@pytest.mark.parametrize(
    ("states", "planned", "complete"),
    [
        ([], {}, True),
        ([], {"search": 1}, False),
        (["complete"], {"search": 1}, True),
        (["complete", "failed"], {"search": 2}, False),
        (["complete", "stopped"], {"search": 2}, True),
        (["complete", "complete"], {"search": 2}, True),
        (["complete"], {"search": 1, "anchor": 1}, False),
        (["failed"], {"anchor": 0}, True),
    ],
)
def test_a_study_is_complete_when_every_planned_trial_is(tmp_path, states, planned, complete):
    book = Ledger(path=tmp_path / "x", planned=planned)
    book.trials = [
        Trial(number, "search", "", {}, [0], [], state=state) for number, state in enumerate(states)
    ]
    assert book.complete is complete


WRONG = (
    '{"planned": {}, "wall_s": 0, "trials": [{"number": 0, "phase": "anchor", "label": "", '
    '"hparams": 3, "replicates": [0], "controls": []}]}'
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is damaged: Expecting value"),
        ("{", "is damaged: Expecting property name"),
        ("[]", "must hold a JSON object"),
        ('{"trials": [{"x": 1}]}', "must hold a list of trials, each with number, phase"),
        ('{"trials": 3}', "must hold a list of trials"),
        ('{"trials": [], "wall_s": "x"}', "wall_s must be a number, got 'x'"),
        ("\xff", "is damaged: 'utf-8' codec"),
        (WRONG, r"trials\[0\]\.hparams must be an object, got 3"),
        (WRONG.replace("3", "{}").replace('"number": 0', '"number": 1'), "must number its trials"),
    ],
)
def test_a_damaged_file_is_named_and_kept(tmp_path, text, told):
    path = tmp_path / "trials.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StorageError, match=rf"trials\.json:? {told}"):
        Ledger.open(path)
    assert path.read_bytes() == text.encode("latin-1")


def test_a_state_that_is_unknown_is_a_newer_versions(tmp_path):
    ledger = Ledger(path=tmp_path / "trials.json")
    ledger.add("anchor", "", {}, [0], [])
    ledger.save()
    values = read_object(ledger.path)
    values["trials"][0]["state"] = "paused"
    write_object(ledger.path, values)
    told = r"trials\.json was written by a newer lttune: its trials are \['paused'\]; use that"
    with pytest.raises(RefusedError, match=told):
        Ledger.open(ledger.path)
