"""A table's rows take memory as its bytes do, whatever it says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bounded import bounded

from lttune.errors import DamagedError
from lttune.records import schema
from lttune.store.formats import parquet
from lttune.store.formats.pages import unpacked_size
from lttune.store.formats.parquet import VALUE_BYTES

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
LIMIT = 1 << 20


@pytest.fixture
def limit(monkeypatch):
    """So little may be filled that a moderate table is beyond it."""
    monkeypatch.setattr(parquet, "most_memory", lambda size: LIMIT)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.parquet"


def refusal(path: Path) -> str:
    """Returns why a table is refused: in one line, and with little more of Python's memory."""
    with bounded(2 * LIMIT + path.stat().st_size), pytest.raises(DamagedError) as error:
        schema.read(path)
    text = str(error.value)
    assert "\n" not in text
    return text.removeprefix(f"{path} is damaged: ")


def repeated(rows: int, text: str) -> pa.Table:
    return pa.table({"trial": list(range(rows)), "label": pa.array([text] * rows)})


@pytest.mark.parametrize("packer", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("encoding", ["dictionary", "plain", "DELTA_BYTE_ARRAY"])
def test_a_text_that_every_row_repeats_fills_no_more_than_is_allowed(limit, path, encoding, packer):
    # The first is just within: 4 bytes of an offset beside the text, 8 of a number, 3 times 64.
    row_bytes = 3 * VALUE_BYTES + 8 + 4
    length = 5_000
    most = LIMIT // (row_bytes + length)
    columns = {"label": encoding} if encoding.isupper() else None
    options = {"use_dictionary": encoding == "dictionary", "column_encoding": columns}
    options |= {"compression": packer}
    pq.write_table(repeated(most - 5, length * "x"), path, **options)
    found = schema.read(path)
    assert [len(row["label"]) for row in found] == [length] * (most - 5)
    assert found[-1]["trial"] == most - 6
    for rows in (most + 5, 2_000):
        pq.write_table(repeated(rows, length * "x"), path, **options)
        assert packer == "none" or path.stat().st_size < rows * length / 10
        assert refusal(path) == "its rows would fill more than 1 MB of memory"


READING = """
import resource, sys
from pathlib import Path
from lttune.errors import DamagedError
from lttune.records import schema
from lttune.store.formats import parquet
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
few, many = map(Path, sys.argv[1:])
schema.read(few)
parquet.most_memory = lambda size: 1 << 20
before = peak()
try:
    schema.read(many)
except DamagedError as error:
    print(peak() - before, error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="its unit of memory")
@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
def test_the_readers_own_memory_is_bounded_too(tmp_path, encoding):
    few, many = tmp_path / "few.parquet", tmp_path / "records.parquet"
    columns = {"label": encoding} if encoding.isupper() else None
    options = {"use_dictionary": encoding == "dictionary", "column_encoding": columns}
    for path, rows in ((few, 3), (many, 2_000)):
        pq.write_table(repeated(rows, 100_000 * "x"), path, **options)
    # 200 MB as the reader would have it at once.
    assert many.stat().st_size < 50_000
    command = [sys.executable, "-c", READING, few, many]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    growth, _, told = done.stdout.partition(" ")
    assert told.endswith("its rows would fill more than 1 MB of memory\n")
    assert int(growth) < 30 << 20


def test_so_many_columns_that_hold_nothing_are_counted(limit, path):
    rows = LIMIT // VALUE_BYTES // 40
    for columns, is_allowed in ((36, True), (44, False)):
        empty = pa.nulls(rows, pa.string())
        pq.write_table(pa.table({f"x{n}": empty for n in range(columns)}), path)
        assert rows < path.stat().st_size < 20_000
        if is_allowed:
            assert schema.read(path) == [{f"x{n}": None for n in range(columns)}] * rows
        else:
            assert refusal(path) == "its rows would fill more than 1 MB of memory"


def test_a_group_of_rows_that_is_listed_many_times_is_refused(limit, path):
    """The bytes of one group would be decoded again and again."""
    pq.write_table(repeated(100, 100 * "x"), path)
    data, about = path.read_bytes(), pq.read_metadata(path)
    for _ in range(9):
        about.append_row_groups(pq.read_metadata(path))
    sink = pa.BufferOutputStream()
    about.write_metadata_file(sink)
    described = sink.getvalue().to_pybytes()[4:]
    length = int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[: -8 - length] + described)
    assert pq.read_metadata(path).num_rows == 1_000
    assert refusal(path) == "its columns take more bytes than it has"


def header(**fields: int) -> bytes:
    """A page's header in Thrift's compact protocol, with more before and behind."""
    numbers = (0, fields["unpacked"] << 1, fields["packed"] << 1, 153)
    data = b"".join(b"\x15" + varint(number) for number in numbers)
    inner = b"\x15\x02\x11\x12\x18\x03abc\x17" + bytes(8) + b"\x13\x05\x16\x02\x1c\x00\x00"
    return data + b"\x1c" + inner + b"\x05\x64\x06\x00"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def test_the_sizes_of_pages_are_those_of_their_headers():
    pages = [(1_000_000, 3), (7, 0), (2**31 - 1, 300)]
    data = b"PAR1" + b"".join(header(unpacked=u, packed=p) + bytes(p) for u, p in pages)
    assert unpacked_size(data, 4, len(data)) == sum(unpacked for unpacked, _ in pages)
    assert unpacked_size(data, 4, 5) == 1_000_000
    assert unpacked_size(data, 4, 4) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x15\x02", "is cut"),
        (b"\x1c" * 10_000, "is cut"),
        (b"\x00", "does not tell its size"),
        (b"\x25\x01\x15\x02\x00", "does not tell its size"),
        (b"\x19\x05\x00", "is none"),
        (b"\x15" + b"\xff" * 20, "is too long"),
    ],
)
def test_what_is_no_header_of_a_page_is_told(data, reason):
    with pytest.raises(ValueError, match=f"of a page {reason}"):
        unpacked_size(data, 0, len(data))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("packer", ["none", "zstd"])
def test_the_pages_of_a_real_table_are_found(path, version, packer):
    values = pa.table({"x": [f"{n:0100d}" for n in range(30_000)], "n": list(range(30_000))})
    options = {"use_dictionary": False, "data_page_size": 10_000, "data_page_version": version}
    pq.write_table(values, path, compression=packer, **options)
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(place) for place in range(2)]
    ends = [(c.data_page_offset, c.data_page_offset + c.total_compressed_size) for c in chunks]
    found = [unpacked_size(path.read_bytes(), start, end) for start, end in ends]
    assert found[0] == pytest.approx(30_000 * 104, rel=0.01)
    assert found[1] == pytest.approx(30_000 * 8, rel=0.01)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([[1, 2], []]), "x.list.element must be a column of one value in a row"),
        (pa.array([{"a": 1, "b": 2}] * 2), "x.a must be a column of one value in a row"),
        (pa.array([b"ab", b"cd"], pa.binary(2)), "it has columns of FIXED_LEN_BYTE_ARRAY"),
    ],
    ids=["lists", "objects", "long values"],
)
def test_columns_that_no_table_of_ours_has_are_refused(path, column, reason):
    pq.write_table(pa.table({"trial": [0, 1], "x": column}), path)
    assert refusal(path) == reason


def test_two_columns_of_one_name_are_refused(path):
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    assert refusal(path) == "two of its columns have one name"


@pytest.mark.parametrize("name", ["records", "layers"])
def test_a_real_study_is_far_from_the_limit(name):
    for path in sorted(RESULTS.glob(f"*/{name}.parquet")):
        rows = schema.read(path)
        assert rows == pq.read_table(path).to_pylist()
        filled = len(rows) * VALUE_BYTES * (len(rows[0]) + 1)
        assert filled < parquet.most_memory(path.stat().st_size) / 2


def test_tables_are_decoded_nowhere_else():
    readers = re.compile(r"read_parquet|pq\.read_|ParquetFile\(|ParquetDataset|\.read_table\(path")
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("lttune", "analysis", "studies")
        for path in sorted((ROOT / package).rglob("*.py"))
        if readers.search(path.read_text())
    }
    assert found == {"lttune/store/formats/parquet.py"}
