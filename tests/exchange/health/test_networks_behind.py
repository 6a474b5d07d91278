"""What `lttune doctor` says of networks that are to be behind a URL, and puts there again."""

import re
import shutil
from types import SimpleNamespace

import pyarrow as pa
import pytest

from lttune.__main__ import main
from lttune.exchange.health.disks import store_findings
from lttune.store.disk import sized
from lttune.store.remote import bucket as bucket_module
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


def flip(behind, name):
    data = bytearray(behind.objects()[name])
    data[len(data) // 2] ^= 1
    behind.put(name, bytes(data))


@pytest.mark.parametrize("kind", ["tensors-", "record-", "times-", "seal.json"])
def test_a_bit_that_flipped_there_is_found_where_contents_are_read_and_put_again(
    behind, doctor, kind
):
    before, count = behind.objects(), len(behind.cells())
    read = sized(sum(map(len, before.values())))
    assert doctor("--contents")[0] == [f"ok      URL: {count} networks, {read} of them read there"]
    name = next(one for one in before if kind in one)
    if kind == "seal.json":  # Any change to what it says of the files.
        behind.put(name, before[name].replace(b'"files"', b'"filez"'))
    else:
        flip(behind, name)
    lines, _ = doctor()
    assert lines == [f"ok      URL: {count} networks"]
    lines, _ = doctor("--contents")
    assert lines[1] == (
        "warning URL: 1 of the networks are in the copy on this machine: behind the URL they are "
        "missing or damaged: other machines would train them: `lttune doctor STUDY --store URL "
        "--contents --repair` puts them there"
    )
    _, printed = doctor("--contents", "--repair")
    assert "1 networks that are whole on this machine alone were put behind the URL; " in printed
    assert " were read there" in printed
    assert behind.objects() == before


def test_a_bit_that_flipped_there_and_is_whole_nowhere_stays_lost(behind, doctor):
    name = next(one for one in behind.objects() if "tensors-" in one)
    flip(behind, name)
    shutil.rmtree(behind.cache / name[:2] / name.split("/")[1])
    for flags in (["--contents"], ["--contents", "--repair"]):
        (line, *more), printed = doctor(*flags)
        assert more == []
        assert "1 of them are missing or damaged; their rows stay true" in line
    assert "0 networks that are whole on this machine alone were put" in printed


def test_contents_are_read_in_pieces_and_nothing_is_kept(behind, doctor, monkeypatch):
    count, largest = len(behind.cells()), max(map(len, behind.objects().values()))
    monkeypatch.setattr(bucket_module, "_PIECE", 1000)
    asked, read = [], pa.NativeFile.read
    shutil.rmtree(behind.cache)

    class Spied:
        """What reads an object, and how much of it at a time."""

        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.stream.close()

        def read(self, most=None):
            asked.append(most)
            return read(self.stream, most)

    opened = Bucket.digest

    def spied(self, name):
        system = self._system
        view = SimpleNamespace(open_input_stream=lambda path: Spied(system.open_input_stream(path)))
        other = Bucket(self.url)
        other.__dict__["_system"] = view
        return opened(other, name)

    monkeypatch.setattr(Bucket, "digest", spied)
    ((line,), _) = doctor("--contents")
    assert line.startswith(f"ok      URL: {count} networks, ")
    assert {*asked} == {1000}
    assert len(asked) > largest / 1000
    assert not behind.cache.exists()


def test_contents_of_a_folder_are_read_anyway(study, capsys):
    for words in ([str(study)], [str(study), "--store", "results/cells"], ["--store", "s3://b"]):
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *words, "--contents"])
        assert ended.value.code == 2
        line = capsys.readouterr().err
        assert line.startswith("lttune: error: --contents must be given with a study's folder and")


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
