"""Files of a study that somebody or something changed: read as they are, or one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import stored_study
from changed_values import SETTINGS, changed_values
from hypothesis import given, settings
from hypothesis import strategies as st
from small_cells import INPUTS, cell, obtain

import analysis
from analysis.claims.file.reader import FILE
from analysis.claims.file.reader import read as read_claims
from analysis.claims.lock import read_lock
from lttune.errors import ConfigError, LttuneError
from lttune.exchange.health.study import study_findings
from lttune.exchange.studies import Folder
from lttune.exchange.tickets import Place, find_network
from lttune.records import schema
from lttune.records.ledger import Ledger
from lttune.records.tables import TABLES, journaled, rows_in
from lttune.store.formats.journal import Journal, journal_of
from lttune.store.plain_json import read_json, write_json
from lttune.store.store import Store
from lttune.study.manifest import earlier


@st.composite
def changed_bytes(draw: Any, data: bytes) -> bytes:
    """Bytes with some cut out, put in, turned round or repeated."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.sampled_from([0, 1, 4, 50, len(data)])))
        data = data[:at] + draw(st.binary(max_size=20)) + data[end:]
    return data


def tried(*reads: Any) -> None:
    """Reads in several ways; what fails does so in one line, or in one for each field."""
    for read in reads:
        lines = [""]
        try:
            read()
        except ConfigError as error:
            lines = str(error).split("\n")
        except LttuneError as error:
            lines = [str(error)]
        assert not any("\n" in line or len(line) > 2_000 for line in lines)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return stored_study.make(tmp_path_factory.mktemp("study") / "results")


def readers(study: Path) -> list[Any]:
    return [
        lambda: analysis.load(study),
        lambda: Folder.read(study),
        lambda: Ledger.open(study / "trials.json"),
        lambda: earlier(study),
        lambda: study_findings(study),
        lambda: find_network(Place(study=study, level=1)),
    ]


@pytest.mark.parametrize("name", ["study.json", "trials.json"])
@SETTINGS
@given(data=st.data())
def test_values_of_a_study(name, data, study):
    path = study / name
    whole = path.read_bytes()
    plain = {n: v for n, v in json.loads(whole).items() if n not in ("schema", "seal")}
    try:
        write_json(path, data.draw(changed_values(plain)))
        tried(*readers(study))
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["study.json", "trials.json", "records.parquet"])
@SETTINGS
@given(data=st.data())
def test_bytes_of_a_study(name, data, study):
    path = study / name
    whole = path.read_bytes()
    changed = data.draw(changed_bytes(whole))
    try:
        path.write_bytes(changed)
        tried(*readers(study))
        if changed != whole and name != "study.json":
            with pytest.raises(LttuneError):
                Ledger.open(path) if name == "trials.json" else schema.read(path)
    finally:
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A study whose second trial has ended in the journals alone."""
    out = tmp_path_factory.mktemp("running") / "results"
    folder = stored_study.make(out, trials=({}, {"train.lr": 0.05}), has_layers=True)
    ledger = Ledger.open(folder / "trials.json")
    for state in ("waiting", "complete"):
        ledger.trials[1].state = state
        ledger.note(ledger.trials[1])
    for name, measures in TABLES.items():
        rows = schema.read(folder / name)
        digest = schema.write(folder / name, [row for row in rows if not row["trial"]], measures)
        line = journaled([row for row in rows if row["trial"]])
        Journal(folder / name, digest, has_infinities=True).append([line])
    return folder


@pytest.mark.parametrize("file", ["trials.json", *TABLES])
@SETTINGS
@given(data=st.data())
def test_bytes_of_a_journal(file, data, running):
    path, read = running / file, FOUND.get(file, rows_in)
    journal = journal_of(path)
    whole = journal.read_bytes()
    head = whole[: whole.index(b"\n") + 1]
    changed = data.draw(changed_bytes(whole))
    try:
        written = []
        for known in (head, whole):
            journal.write_bytes(known)
            written.append(read(path))
        journal.write_bytes(changed)
        tried(*readers(running))
        try:
            found = read(path)
        except LttuneError:
            return
        # The line at the end may be gone, as if it had not been written.
        assert found in written
    finally:
        journal.write_bytes(whole)


FOUND = {"trials.json": lambda path: Ledger.open(path).trials}
"""What is read of a file with its journal, where it is no table."""


@SETTINGS
@given(data=st.data(), name=st.sampled_from(["seal.json", "record.json", "tensors.safetensors"]))
def test_bytes_of_a_cell(data, name, tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    store = Store(root)
    key, before, _ = obtain(store, INPUTS, cell)
    path = store.path(key) / name
    path.write_bytes(data.draw(changed_bytes(path.read_bytes())))
    found = store.read(key)
    assert found is None or found.record == before.record
    shutil.rmtree(root)


@SETTINGS
@given(data=st.data())
def test_values_of_a_lock(data, tmp_path):
    lock = {"sha256": "0" * 64, "version": "1", "date": "2026-11-23", "n": {"a": 3, "b": 4}}
    path = tmp_path / "claims.lock.json"
    write_json(path, data.draw(changed_values(lock)))
    tried(lambda: read_lock(path))


@settings(SETTINGS, max_examples=25)
@given(data=st.data())
def test_bytes_of_a_claims_file(data, tmp_path):
    path = tmp_path / "claims.yaml"
    text = FILE.read_bytes()
    first = text[: text.index(b"  - id: FC-ORDER")]
    path.write_bytes(data.draw(changed_bytes(first)))
    tried(lambda: read_claims(path))


def test_the_changes_change_something(study):
    """Not every change may be one that is read as before."""
    values = read_json(study / "trials.json")
    seen = []

    @settings(max_examples=30)
    @given(data=st.data())
    def draw(data):
        seen.append(data.draw(changed_values(values)) != values)

    draw()
    assert sum(seen) > len(seen) / 2
