"""What `lttune doctor` says of networks that are to be behind a URL, and puts there again."""

import re
import shutil

import pytest

from lttune.__main__ import main
from lttune.exchange.health.disks import store_findings
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.sealed import read_object, write_object


@pytest.fixture
def behind(study, bucket):
    """Has all networks of a study behind a URL, and in this machine's copy."""
    for cell in (study.parent / "cells").glob("??/*"):
        objects.put_cell(Bucket(bucket.url), cell.name, cell)
        shutil.copytree(cell, bucket.cache / cell.name[:2] / cell.name)
    sheet = read_object(study / "study.json")
    write_object(study / "study.json", {**sheet, "config": sheet["config"] | {"store": bucket.url}})
    shutil.rmtree(study.parent / "cells")
    return bucket


@pytest.fixture
def doctor(study, behind, capsys):
    """Looks at the study; returns the lines about its store."""

    def look(*flags, code=0):
        assert main(["doctor", str(study), "--store", behind.url, *flags]) == code
        printed = capsys.readouterr().out
        found = [line for line in printed.splitlines() if line[8:].startswith(behind.url)]
        return [line.replace(behind.url, "URL") for line in found], printed

    return look


pytestmark = pytest.mark.slow


def test_networks_that_are_there_and_here_are_well(behind, doctor):
    before = behind.objects()
    ((line,), _) = doctor()
    assert re.fullmatch(r"ok      URL: \d+ networks", line)
    assert behind.objects() == before


def test_an_emptied_bucket_is_told_and_filled_again(behind, doctor):
    before, count = behind.objects(), len(behind.cells())
    for name in before:
        behind.remove(name)
    lines, _ = doctor()
    assert lines == [
        f"ok      URL: {count} networks",
        f"warning URL: {count} of the networks are in the copy on this machine: behind the URL "
        "they are missing or damaged: other machines would train them: `lttune doctor STUDY "
        "--store URL --repair` puts them there",
    ]
    assert behind.objects() == {}
    lines, printed = doctor("--repair")
    assert f"{count} networks that only this machine had were put behind the URL" in printed
    assert lines == [f"ok      URL: {count} networks"]
    assert behind.objects() == before
    assert "0 networks that only this machine had were put" in doctor("--repair")[1]


def test_what_is_cut_there_is_told_and_put_again(behind, doctor):
    before = behind.objects()
    name = next(one for one in before if "tensors-" in one)
    behind.put(name, before[name][:-1])
    assert "warning URL: 1 of the networks are in the copy on this machine" in doctor()[0][1]
    doctor("--repair")
    assert behind.objects() == before


def test_what_is_nowhere_is_told_and_stays_lost(behind, doctor):
    key, *_ = behind.cells()
    for name in behind.objects():
        if key in name:
            behind.remove(name)
    shutil.rmtree(behind.cache / key[:2] / key)
    ((line,), _) = doctor("--repair")
    assert "1 of them are missing or damaged; their rows stay true" in line
    assert key not in behind.cells()


def test_a_store_in_a_folder_is_put_nowhere(study, capsys):
    assert main(["doctor", "--repair", str(study)]) == 0
    assert "behind the URL" not in capsys.readouterr().out


def test_a_folder_that_was_mistyped_is_told_and_not_made(cwd, capsys):
    (found,) = store_findings("results/typo")
    assert found.line == (
        "warning results/typo: there is no such folder: see that it is what you mean: a study "
        "would make it"
    )
    (cwd / "results").write_text("")
    (found,) = store_findings("results/typo")
    assert found.line.startswith("FAULT   results/typo: cannot make results/typo: ")
    assert found.exit_code == 74
    assert [one.name for one in cwd.iterdir()] == ["results"]


def test_a_store_that_is_looked_at_stays_as_it_is(bucket, tmp_path):
    abandoned = tmp_path / ".x.0123abcd.tmp"
    abandoned.write_text("")
    for where in (bucket.url, str(tmp_path)):
        before = sorted(tmp_path.rglob("*"))
        (found,) = store_findings(where)
        assert found.line == f"ok      {where} can be used"
        assert sorted(tmp_path.rglob("*")) == before
    assert not bucket.cache.exists()
