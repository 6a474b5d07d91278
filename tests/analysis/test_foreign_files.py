"""Files of somebody else that an analysis reads: no waiting, no endless line, no endless file."""

from __future__ import annotations

import os
import time

import pytest
from sample_study import write_study

from analysis import load
from analysis.claims.file.reader import FILE, LONGEST_FILE, read
from analysis.report.rows.importance import OPTUNA, optuna_rows
from lttune.__main__ import main
from lttune.errors import ConfigError, StorageError


@pytest.fixture
def study(tmp_path):
    folder = write_study(tmp_path / "sample")
    (folder / "figures").mkdir()
    return folder


@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_is_not_waited_for(study, tmp_path, capsys, make):
    make(study / "figures" / "importance.csv")
    assert main(["claims", "check", str(study)]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {study}/figures/importance.csv cannot be read: ")
    assert told.count("\n") == 1
    make(study / "figures" / OPTUNA)
    with pytest.raises(StorageError, match=f"{OPTUNA} is no table of lttune importance: "):
        optuna_rows(load(study))
    make(tmp_path / "claims.yaml")
    assert main(["claims", "list", "--file", str(tmp_path / "claims.yaml")]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {tmp_path}/claims.yaml cannot be read: ")
    assert told.count("\n") == 1


def test_an_endless_claims_file_is_not_read(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_bytes(b"#" * (LONGEST_FILE + 1))
    with pytest.raises(StorageError, match="must be a claims file of at most 4 MB"):
        read(path)
    assert FILE.stat().st_size < LONGEST_FILE / 10


@pytest.mark.parametrize("place", ["claims", "defaults", "settings", "x", "schema"])
def test_lists_of_lists_of_lists_are_not_written_out(tmp_path, place):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    head = "" if place == "schema" else "schema: 1\n"
    kept = "\n".join(f"  {line}" for line in lines)
    path = tmp_path / "claims.yaml"
    path.write_text(f"{head}{place}:\n{kept}\n")
    began = time.monotonic()
    with pytest.raises(ConfigError) as error:
        read(path)
    assert time.monotonic() - began < 5
    assert all(len(line) < 1000 for line in str(error.value).split("\n"))


@pytest.mark.parametrize("text", [100_000 * "[", 100_000 * "{a: ", 50_000 * "- ", 50_000 * "? "])
def test_lists_in_lists_in_lists_are_refused(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="the claims file "):
        read(path)
