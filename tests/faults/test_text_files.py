"""Texts in other encodings, with marks and tabs, as editors save them: read alike, or one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_study import write_study

from analysis import load
from analysis.claims.file.reader import FILE, read
from analysis.report.rows.importance import OPTUNA, optuna_rows
from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.exchange.health.cluster import cluster_findings
from lttune.store.plain_json import parse_json

CLUSTER = Path(__file__).parents[2] / "studies" / "cluster"
YAML = ["utf-8-sig", "utf-16"]
"""Encodings that YAML has besides UTF-8, and that say so by a mark at the beginning."""


@pytest.mark.parametrize("encoding", YAML)
def test_claims_are_the_same_in_every_encoding_of_yaml(tmp_path, encoding):
    path = tmp_path / "claims.yaml"
    path.write_bytes(FILE.read_text().encode(encoding))
    assert read(path).claims == read(FILE).claims


@pytest.mark.parametrize("encoding", YAML)
def test_a_cluster_file_is_the_same_in_every_encoding_of_yaml(tmp_path, encoding):
    (plain, *_) = sorted(CLUSTER.glob("*.yaml"))
    path = tmp_path / plain.name
    path.write_bytes(plain.read_text().encode(encoding))
    assert cluster_findings(path) == cluster_findings(plain)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"schema: 1\n\tversion: a\n", "line 2, column 1"),
        (b"schema: 1\nclaims:\n\t- id: a\n", "line 3, column 1"),
        (b"schema: 1\nversion: caf\xe9\n", "no YAML: "),
        (b"schema: 1\nversion: a\0b\n", "no YAML: "),
        ("schema: 1\n".encode("utf-16")[2:], "no YAML: "),
        (b"\xff\xfe\0", "no YAML: "),
    ],
)
def test_tabs_and_bytes_of_no_encoding_are_one_line(tmp_path, capsys, data, told):
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    assert main(["claims", "list", "--file", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: {path}: the claims file is no YAML: ")
    assert told in err
    assert err.count("\n") == 1
    path.write_bytes(b"provider: {}\n" + data if b"\0" not in data else data)
    assert main(["doctor", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: {path} is no YAML: ")
    assert err.count("\n") == 1


def test_json_is_utf_8_with_or_without_a_mark_and_tabs_are_white_space():
    values = {"a": ["é", 1]}
    text = json.dumps(values, ensure_ascii=False, indent="\t")
    for encoding in ("utf-8", "utf-8-sig"):
        assert parse_json(text.encode(encoding)) == values
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        with pytest.raises(ValueError, match=r"codec can't decode|Expecting"):
            parse_json(text.encode(encoding))
    # Half of a pair, as bytes and as what JSON writes of it in an encoding that it has not.
    for data in (b'"\xed\xa0\x80"', '"\\ud83d"'.encode("utf-16"), b'"\\ud83d"'):
        with pytest.raises(ValueError, match="codec can't"):
            parse_json(data)


def test_a_sheet_in_another_encoding_is_one_line(tmp_path, capsys):
    folder = write_study(tmp_path / "s")
    sheet = folder / "study.json"
    plain = sheet.read_text()
    sheet.write_bytes(plain.encode("utf-8-sig"))
    assert main(["report", str(folder)]) == 0
    capsys.readouterr()
    sheet.write_bytes(plain.encode("utf-16"))
    assert main(["report", str(folder)]) == 74
    err = capsys.readouterr().err
    assert err.startswith(f"lttune: error: {sheet} is damaged: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("data", ["factor,method\nx,y\n".encode("utf-16"), b"a\tb\n\xff\tc\n"])
def test_a_table_in_another_encoding_is_one_line(tmp_path, data):
    folder = write_study(tmp_path / "s")
    (folder / "figures").mkdir()
    (folder / "figures" / OPTUNA).write_bytes(data)
    with pytest.raises(StorageError) as error:
        optuna_rows(load(folder))
    assert f"{OPTUNA} is no table of lttune importance: " in str(error.value)
    assert "\n" not in str(error.value)
