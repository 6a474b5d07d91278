"""The files of datasets: here and sound, missing or damaged; nothing is ever fetched."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import stored_study
from small_mnist import passing, put

from lttune.data import load, mnist
from lttune.data.files import npz, packages
from lttune.exchange.health.datasets import kept_findings, needed_findings
from lttune.exchange.health.study import study_findings
from lttune.records.folder import read_sheet, read_trials
from lttune.store.sealed import read_object, write_object


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The data folder, with small files that pass for MNIST."""

    def fetch(*arguments):
        raise AssertionError("something is fetched")

    monkeypatch.setattr(packages, "_run", fetch)
    for sources in (mnist.SOURCES, mnist.FASHION_SOURCES):
        for source in sources:
            monkeypatch.setitem(sources, source, fetch)
    folder = tmp_path / "data"
    put(folder / "mnist", passing(monkeypatch))
    return folder


def told(found):
    found = list(found)
    assert all(one.mend for one in found if one.trouble)
    return {one.what: (one.trouble, one.exit_code) for one in found}


def test_a_data_folder_is_told_by_what_it_holds(folder):
    lacking = "fashion-mnist, cifar10, cifar100, which a study fetches when it needs one"
    assert told(kept_findings()) == {
        "data: mnist": ("", 0),
        f"data: {folder} lacks {lacking}": ("", 0),
    }


def test_a_damaged_file_is_deleted(folder):
    path = folder / "mnist" / mnist.TRAIN_Y
    path.write_bytes(b"oh no")
    (found,) = [one for one in kept_findings() if one.trouble]
    assert found.what == "data: mnist"
    assert found.exit_code == 4
    assert found.trouble.startswith(f"{path} is damaged: expected md5 ")
    assert found.mend == "delete that file, then `lttune data mnist` fetches it"
    path.unlink()
    assert [one for one in kept_findings() if one.trouble] == []


def test_a_data_folder_that_is_none_is_a_fault(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LTTUNE_DATA", str(tmp_path / "file"))
    assert {code for _, code in told(kept_findings()).values()} == {74}
    monkeypatch.setenv("LTTUNE_DATA", "~nobody-of-that-name/data")
    assert {code for _, code in told(kept_findings()).values()} == {74}


def test_a_data_folder_that_cannot_be_written_lacks_room(folder, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (found,) = [one for one in kept_findings() if one.trouble]
    assert found.trouble == "what is fetched cannot be kept: the folder cannot be written to"
    assert (found.mend, found.exit_code) == ("point LTTUNE_DATA at another folder", 74)


def needed(study: Path):
    sheet = read_sheet(study)
    return needed_findings(sheet, read_trials(study, sheet.get("study_id")))


def test_the_data_of_a_study_are_those_of_its_trials_too(study, folder):
    assert told(needed(study)) == {"data: digits": ("", 0)}
    for name, value in (("mnist", ("", 0)), ("cifar10", None)):
        values = read_object(study / "trials.json")
        values["trials"][1]["hparams"] = {"data.name": name}
        write_object(study / "trials.json", values)
        found = told(needed(study))
        assert list(found) == ["data: digits", f"data: {name}"]
        assert value is None or found[f"data: {name}"] == value
    trouble, code = found["data: cifar10"]
    assert "cifar10 is not here" in trouble
    assert code == 0, "a study fetches it"


@pytest.mark.parametrize("name", ["data.name", "target.data", "pretrain.data"])
@pytest.mark.parametrize("value", [5, True, 1.5])
def test_a_dataset_of_a_trial_that_is_no_text_is_told(study, name, value):
    values = read_object(study / "trials.json")
    values["trials"][1]["hparams"] = {name: value}
    write_object(study / "trials.json", values)
    trouble, code = told(study_findings(study))["trials.json"]
    told_of = f"{study / 'trials.json'}: trials[1]: {name} must be a text, got {value!r}"
    assert (trouble, code) == (told_of, 74)


def test_other_data_than_a_study_was_run_on_are_a_fault(tmp_path):
    digits = load("digits")
    arrays = {
        name: np.asarray(getattr(digits, name))
        for name in ("train_x", "train_y", "test_x", "test_y")
    }
    path = tmp_path / "mine.npz"
    npz.write_sealed(path, arrays)
    lottery = stored_study.digits_study.LOTTERY.override({"data.name": str(path)})
    study = stored_study.make(tmp_path / "results", lottery)
    assert told(needed(study)) == {f"data: {path}": ("", 0)}
    npz.write_sealed(path, {**arrays, "test_y": arrays["test_y"][::-1]})
    (found,) = needed(study)
    assert (found.trouble, found.exit_code) == ("it is not what the study was run on", 4)
    assert found.mend.startswith("put that back")
    path.unlink()
    (found,) = needed(study)
    assert (found.mend, found.exit_code) == ("put it back as it was", 4)
    npz.write_sealed(path, arrays)
    assert told(needed(study)) == {f"data: {path}": ("", 0)}


def test_a_sheet_that_names_no_data_is_a_fault(study):
    sheet = read_sheet(study)
    del sheet["lottery"]
    (found,) = needed_findings(sheet, ())
    assert (found.exit_code, found.mend) == (74, "put a copy of study.json back")
