"""Tables carry their digest, their version and their study: another one's are not read."""

import json
import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study

from lttune.errors import DamagedError, RefusedError, StorageError
from lttune.records import folder, schema
from lttune.records.ledger import Ledger
from lttune.records.schema import files
from lttune.records.tables import Tables
from lttune.store import sealed
from lttune.store.sealed import FILES_SCHEMA, read_object, write_object

NEWER = FILES_SCHEMA + 1

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "claims"


@pytest.fixture(scope="module")
def rows():
    return schema.read(RESULTS / "records.parquet")[:40]


@pytest.fixture
def table(tmp_path, rows):
    path = tmp_path / "records.parquet"
    schema.write(path, rows, study_id="a" * 64)
    return path


def test_no_bit_of_a_table_can_change(table):
    whole, draw = table.read_bytes(), random.Random(0)
    places = [*range(12), *range(len(whole) - 12, len(whole)), *draw.sample(range(len(whole)), 300)]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << draw.randrange(8)
        table.write_bytes(data)
        with pytest.raises(DamagedError, match=r"records\.parquet is damaged: "):
            schema.read(table)


def test_a_bit_of_the_seals_own_mark_does_not_make_a_table_one_without(table):
    whole = table.read_bytes()
    assert whole.count(b"lttune-sha256:") == 1
    at = whole.index(b"lttune-sha256:")
    for place in range(at, at + 14):
        table.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedError):
            schema.read(table)


def test_other_software_reads_a_table_as_before(table, rows):
    found = pd.read_parquet(table)
    assert len(found) == len(rows)
    expected = sorted(row["test_accuracy"] for row in rows)
    assert sorted(found["test_accuracy"]) == expected
    assert pq.read_table(table).to_pylist() == schema.read(table)


def test_a_table_from_before_there_were_seals_is_read(tmp_path, rows):
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.Table.from_pylist(rows), plain)
    assert schema.read(plain) == rows


def test_a_table_of_a_newer_version_is_refused(tmp_path, rows, monkeypatch):
    path = tmp_path / "records.parquet"
    with monkeypatch.context() as newer:
        newer.setattr(files, "FILES_SCHEMA", NEWER)
        schema.write(path, rows)
    with pytest.raises(
        RefusedError, match=f"its schema is {NEWER}, this one reads up to {NEWER - 1}"
    ):
        schema.read(path)


def test_a_table_of_another_study_is_refused(table, rows):
    assert len(schema.read(table, "a" * 64)) == len(schema.read(table)) == len(rows)
    with pytest.raises(StorageError, match=r"records\.parquet is of another study") as error:
        schema.read(table, "b" * 64)
    assert not isinstance(error.value, DamagedError)


def test_a_table_that_lost_its_seal_is_not_one_of_an_older_version(table, rows):
    kept = pq.read_schema(table).metadata
    frame = pd.read_parquet(table).assign(test_accuracy=0.999)
    frame.to_parquet(table)
    with pytest.raises(DamagedError, match="it does not say of which study it is"):
        schema.read(table, "a" * 64)
    changed = pa.Table.from_pandas(frame).replace_schema_metadata(
        {b"lttune.study": kept[b"lttune.study"]}
    )
    pq.write_table(changed, table)
    for study_id in ("a" * 64, None, schema.ANY_STUDY):
        with pytest.raises(DamagedError, match="it lacks its checksum or its schema"):
            schema.read(table, study_id)


def test_a_table_of_a_study_beside_a_sheet_that_names_none_is_refused(table):
    with pytest.raises(StorageError, match=r"records\.parquet is of another study"):
        schema.read(table, None)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"oh no", b"PAR1" * 100, b"\0" * 1000])
def test_what_is_no_table_is_one_line(tmp_path, data):
    path = tmp_path / "records.parquet"
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"records\.parquet is damaged: .+") as error:
        schema.read(path)
    assert "\n" not in str(error.value)


def test_a_table_that_promises_more_rows_than_it_has_bytes_is_not_read(tmp_path):
    path = tmp_path / "records.parquet"
    pq.write_table(pa.table({"trial": pa.array([0]).take(pa.array([0] * 50_000))}), path)
    assert path.stat().st_size < 50_000
    with pytest.raises(DamagedError, match="it promises 50,000 rows"):
        schema.read(path)


@pytest.fixture
def study(tmp_path):
    return stored_study.make(tmp_path / "results", replicates=(0,))


def test_a_damaged_table_is_set_aside_and_its_trials_wait_again(study):
    ledger = Ledger.open(study / "trials.json")
    (study / "records.parquet").write_bytes(b"oh no")
    tables = Tables(study, "digits")
    tables.read(ledger)
    assert [trial.state for trial in ledger.trials] == ["waiting"]
    assert [*map(len, tables.groups("records.parquet"))] == [0]
    # Until something takes its place, it stays.
    assert (study / "records.parquet").read_bytes() == b"oh no"
    assert not list(study.glob("*.damaged*"))
    told = "records.parquet was damaged: it is made anew, and kept as {}"
    assert tables.renew() == [told.format(study / "records.parquet.damaged")]
    assert tables.renew() == []
    assert schema.read(study / "records.parquet") == []
    (study / "records.parquet").write_bytes(b"nor that")
    tables.read(ledger)
    assert tables.renew() == [told.format(study / "records.parquet.damaged-2")]
    assert (study / "records.parquet.damaged").read_bytes() == b"oh no"
    assert (study / "records.parquet.damaged-2").read_bytes() == b"nor that"


def test_a_table_that_cannot_be_read_stays_where_it_is(study, monkeypatch):
    def failing(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sealed, "read_whole", failing)
    with pytest.raises(StorageError, match=r"records\.parquet cannot be read: Input/output error"):
        Tables(study, "digits").read(Ledger(path=study / "trials.json"))
    monkeypatch.undo()
    assert schema.read(study / "records.parquet")


def test_trials_of_another_study_or_a_newer_lttune_are_refused(study):
    path = study / "trials.json"
    values = read_object(path)
    write_object(path, values | {"study_id": "a" * 64})
    for read in (lambda: Ledger.open(path, "b" * 64), lambda: folder.read_trials(study, "b" * 64)):
        with pytest.raises(StorageError, match=r"trials\.json is of another study"):
            read()
    assert Ledger.open(path, "a" * 64).study_id == "a" * 64
    write_object(path, {**values, "trials": [t | {"later": 1} for t in values["trials"]]})
    for read in (lambda: Ledger.open(path), lambda: folder.read_trials(study)):
        with pytest.raises(RefusedError, match="newer lttune: its trials have later"):
            read()


def test_a_digit_that_changed_in_the_trials_is_told(study):
    path = study / "trials.json"
    text = path.read_text()
    number = json.loads(text)["trials"][0]["replicates"][0]
    changed = text.replace(f"    {number}\n", f"    {number + 1}\n", 1)
    assert changed != text
    path.write_text(changed)
    with pytest.raises(DamagedError, match="its checksum is not that of its bytes"):
        Ledger.open(path)


@pytest.mark.parametrize(
    ("without", "told"),
    [
        (("schema", "seal"), "it lacks its checksum or its schema"),
        (("schema", "seal", "study_id"), "it does not say of which study it is"),
    ],
)
def test_trials_that_lost_their_seal_are_not_those_of_an_older_version(study, without, told):
    path = study / "trials.json"
    write_object(path, read_object(path) | {"study_id": "a" * 64})
    values = {name: v for name, v in json.loads(path.read_text()).items() if name not in without}
    path.write_text(json.dumps(values))
    for read in (lambda: Ledger.open(path, "a" * 64), lambda: folder.read_trials(study, "a" * 64)):
        with pytest.raises(DamagedError, match=told):
            read()


@pytest.mark.parametrize("refused", [MemoryError("3 bytes"), pa.ArrowMemoryError("malloc failed")])
def test_a_table_that_fits_no_memory_is_not_damaged(table, monkeypatch, refused):
    def no_memory(*arguments):
        raise refused

    monkeypatch.setattr(files, "parquet_parts", no_memory)
    tables = Tables(table.parent, "mine", "a" * 64)
    with pytest.raises(StorageError, match="cannot be read: memory was refused") as raised:
        tables.read(Ledger(path=table.parent / "trials.json"))
    assert not isinstance(raised.value, DamagedError)
    assert [path.name for path in table.parent.iterdir()] == [table.name]
