"""A study to be exported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import stored_study
from exported_study import LOTTERY, TRIALS, last

from lttune.records import schema
from lttune.store.sealed import read_object, write_object


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    hparams = tuple(trial["hparams"] for trial in TRIALS)
    path = stored_study.make(out, LOTTERY, hparams, replicates=(0, 1), controls=("reinit",))
    ledger = read_object(path / "trials.json")
    for trial, facts in zip(ledger["trials"], TRIALS, strict=True):
        trial |= {"phase": "search", "seconds": 1.5 + trial["number"], "label": "a b"} | facts
    write_object(path / "trials.json", ledger)
    rows = [r for r in schema.read(path / "records.parquet") if r["level"] <= last(r["trial"])]
    schema.write(path / "records.parquet", rows)
    return path


@pytest.fixture
def study(made, tmp_path):
    """The folder of a study of its own, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "digits"))
