import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lttune.errors import StorageError
from lttune.records import schema
from lttune.records.schema import MEASURES


def row(**changes):
    kinds = {pa.string(): "x", pa.int64(): 1, pa.float64(): 0.5, pa.bool_(): False}
    base = {name: kinds[kind] for name, (kind, _) in MEASURES.items()}
    return {**base, "branch": "trunk", "train.lr": 0.1, "density.fc1": 0.5, **changes}


def test_rows_come_back_sorted_by_trial_replicate_branch_level(tmp_path):
    rows = [row(trial=t, replicate=r, level=n) for t in (1, 0) for r in (1, 0) for n in (1, 0)]
    schema.write(tmp_path / "records.parquet", rows)
    found = schema.read(tmp_path / "records.parquet")
    assert found == sorted(rows, key=lambda x: (x["trial"], x["replicate"], x["level"]))


def test_the_schema_is_documented_in_the_file(tmp_path):
    schema.write(tmp_path / "records.parquet", [row()])
    found = pq.read_schema(tmp_path / "records.parquet")
    for name, (kind, doc) in MEASURES.items():
        assert found.field(name).type == kind
        assert found.field(name).metadata[b"doc"].decode() == doc
    assert found.field("train.lr").type == pa.float64()


def test_whole_and_broken_numbers_make_one_float_column(tmp_path):
    rows = [row(trial=0, **{"train.lr": 1}), row(trial=1, **{"train.lr": 0.5})]
    schema.write(tmp_path / "records.parquet", rows)
    assert [r["train.lr"] for r in schema.read(tmp_path / "records.parquet")] == [1.0, 0.5]


def test_missing_values_are_null(tmp_path):
    schema.write(tmp_path / "r.parquet", [row(end_test_loss=None, **{"data.validation": None})])
    found = schema.read(tmp_path / "r.parquet")[0]
    assert found["end_test_loss"] is None
    assert found["data.validation"] is None


def test_an_unfinished_write_leaves_the_old_table(tmp_path, monkeypatch):
    path = tmp_path / "records.parquet"
    schema.write(path, [row()])
    before = path.read_bytes()

    def torn(written):
        written.write_bytes(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr("lttune.store.files.flush", torn)
    with pytest.raises(StorageError, match=r"records\.parquet cannot be written: disk full"):
        schema.write(path, [row(), row(trial=2)])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["records.parquet"]


def test_no_table_is_no_rows(tmp_path):
    assert schema.read(tmp_path / "none.parquet") == []


def test_no_rows_is_an_empty_table(tmp_path):
    schema.write(tmp_path / "records.parquet", [])
    assert schema.read(tmp_path / "records.parquet") == []
