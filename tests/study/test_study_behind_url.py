"""Studies whose networks are behind a URL: they say what others say, and go on as others do."""

import hashlib
import re
import shutil
import socket
import time

import pytest
from digits_place import StudyPlace, lasting
from lockless import without_locks
from micro_study import FLAGS
from one_process import one_process

from lttune.__main__ import main
from lttune.exchange.health.disks import store_findings
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.store.remote.bucket import Bucket

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KEPT = ("number", "label", "hparams", "state", "values", "error")


def told(place):
    """Returns what a study says, without what differs between two runs of it."""
    trials = [{name: one[name] for name in KEPT} for one in place.trials()]
    return lasting(place.rows()), read(place.folder / "layers.parquet"), trials


def digests(folder):
    """Returns key -> digests of record and tensors of the cells of a folder."""
    names = ("record.json", "tensors.safetensors")
    return {
        cell.name: [
            hashlib.sha256((cell / name).read_bytes()).hexdigest()
            for name in names
            if (cell / name).exists()
        ]
        for cell in folder.glob("??/*")
    }


def run(place, *flags):
    with one_process():
        return place.run(*FLAGS, *flags)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """The study with its networks in a folder."""
    place = run(StudyPlace(tmp_path_factory.mktemp("folder")))
    assert place.exit_code == 0, place.printed
    return place


def test_a_study_behind_a_url_says_what_one_with_a_folder_says(
    bucket, beside, tmp_path, monkeypatch, cwd
):
    place = run(StudyPlace(tmp_path), "--store", bucket.url)
    assert place.exit_code == 0, place.printed
    assert told(place) == told(beside)
    assert digests(beside.root / "out" / "cells") == bucket.cells() == digests(bucket.cache)
    assert not (place.root / "out" / "cells").exists()
    assert list((bucket.cache / "unsent").iterdir()) == []
    sheet = read_json(place.folder / "study.json")
    assert sheet["config"]["store"] == bucket.url
    assert "store" not in read_json(beside.folder / "study.json")["config"]
    # Another machine makes the study's tables of what is there.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    elsewhere = run(StudyPlace(tmp_path / "again"), "--store", bucket.url)
    assert elsewhere.exit_code == 0, elsewhere.printed
    assert all(row["reused"] for row in elsewhere.rows())
    assert lasting(elsewhere.rows()) == lasting(place.rows())


def test_a_study_goes_on_at_another_store(bucket, beside, tmp_path, cwd):
    place = StudyPlace(shutil.copytree(beside.root, tmp_path / "copy"))
    run(place, "--trials", "3", "--store", bucket.url)
    assert (place.exit_code, place.states()) == (0, ["complete"] * 4), place.printed
    assert read_json(place.folder / "study.json")["config"]["store"] == bucket.url
    # Only what was trained since is there.
    new = {row["cell"] for row in place.rows()} - {row["cell"] for row in beside.rows()}
    assert new <= bucket.cells().keys()


def test_a_store_without_locks_beside_a_folder_with_them_is_one_line(
    beside, tmp_path, monkeypatch, cwd
):
    shared = tmp_path / "shared"
    without_locks(monkeypatch, shared)
    place = run(StudyPlace(tmp_path), "--store", str(shared / "cells"))
    assert place.exit_code == 0, place.printed
    assert place.printed.count(f"{shared}/cells has no locks: ") == 1
    assert told(place) == told(beside)
    assert digests(shared / "cells") == digests(beside.root / "out" / "cells")
    # The study's own folder cannot be there.
    other = run(StudyPlace(shared))
    assert other.exit_code == 74
    assert "digits/lock cannot be locked: Function not implemented; out must be" in other.printed
    assert "give --out on a disk of this machine" in other.printed


def test_a_store_that_is_lost_in_the_middle_costs_nothing(
    bucket, beside, tmp_path, monkeypatch, cwd
):
    put, count = Bucket.put, iter(range(1000))

    def lost(self, name, data):
        if next(count) > 25:
            with socket.socket() as gone:
                gone.bind(("127.0.0.1", 0))
                address = bucket.url.replace(str(bucket.port), str(gone.getsockname()[1]))
                return put(Bucket(address), name, data)
        return put(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", lost)
        place = run(StudyPlace(tmp_path), "--store", bucket.url)
    assert place.exit_code == 74
    last = place.printed.strip().splitlines()[-1]
    assert last.startswith("lttune: error: s3://")
    assert "cannot be used: " in last
    assert last.endswith("and run the same command again")
    assert "failed" not in place.states()
    run(place, "--store", bucket.url)
    assert place.exit_code == 0, place.printed
    assert told(place) == told(beside)
    assert bucket.cells() == digests(beside.root / "out" / "cells")


def test_a_url_that_cannot_be_used_is_told_before_anything_starts(bucket, tmp_path, cwd):
    place = StudyPlace(tmp_path)
    began = time.monotonic()
    run(place, "--store", bucket.url.replace(bucket.bucket, "nobodys"))
    assert place.exit_code == 74
    assert place.printed.count("\n") == 1
    assert "NO_SUCH_BUCKET" in place.printed
    assert not (place.folder / "study.json").exists()
    assert time.monotonic() - began < 15


def test_a_url_with_a_password_is_refused_and_not_shown(refused):
    code, text = refused("--store", "s3://key:geheim@bucket/p")
    assert code == 2
    assert "geheim" not in text
    assert text.startswith("lttune: error: store must be a folder, s3://BUCKET/PREFIX")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, s3_port):
    """A study whose networks are behind a URL."""
    from object_store import MACHINE, bucket_of

    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**MACHINE, "XDG_CACHE_HOME": str(root / "caches")}.items():
            patch.setenv(name, value)
        bucket = bucket_of(s3_port)
        place = run(StudyPlace(root), "--store", bucket.url)
    assert place.exit_code == 0, place.printed
    return place, bucket


COMMANDS = {
    "export": ["export", "STUDY", "--level", "1", "--out", "OUT/t.safetensors"],
    "masks": ["masks", "STUDY:0/0/1", "STUDY:0/0/2"],
    "transfer": ["transfer", "STUDY", "--replicates", "1", "--out", "OUT/t.parquet"],
    "doctor": ["doctor", "STUDY"],
    "repair": ["doctor", "STUDY", "--repair"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_read_behind_the_url_that_they_are_given_and_no_other(
    finished, machine, name, cwd, capsys
):
    place, bucket = finished
    places = {"STUDY": str(place.folder), "OUT": str(cwd)}
    words = COMMANDS[name]
    for short, path in places.items():
        words = [word.replace(short, path) for word in words]
    assert main(words) == 2
    line = capsys.readouterr().err
    # What a stranger's study names is not connected to.
    assert line == f"lttune: error: --store must be given: the study was run with {bucket.url!r}\n"
    assert main([*words, "--store", bucket.url]) == 0, capsys.readouterr()
    printed = capsys.readouterr()
    if name in ("doctor", "repair"):
        assert re.search(rf"^ok +{re.escape(bucket.url)}: \d+ networks$", printed.out, re.MULTILINE)


def mistyped(bucket, cwd):
    """Yields places that are not there, each with what is told of it."""
    yield bucket.url.replace(bucket.bucket, "nobodys"), "there is no bucket nobodys"
    yield bucket.url.replace("/nets", "/nest"), "there is nothing under it"
    yield str(cwd / "nets"), "there is no such folder"


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_say_that_a_store_is_not_there(finished, machine, name, cwd, capsys):
    place, bucket = finished
    words = [word.replace("STUDY", str(place.folder)) for word in COMMANDS[name]]
    for where, what in mistyped(bucket, cwd):
        code = main([*words, "--store", where])
        printed = capsys.readouterr()
        if name == "doctor":  # A folder may have been removed to have its room back.
            mark = "FAULT   " if "://" in where else "warning "
            assert code == (74 if "://" in where else 0)
            (line,) = [one for one in printed.out.splitlines() if one[8:].startswith(where)]
            assert line.startswith(mark)
            assert what in line
        else:
            assert code == 74
            told = f"--store is not there: {where}: {what}; the study was run with {bucket.url!r}"
            assert printed.err == f"lttune: error: {told}\n"
    assert [*cwd.iterdir()] == []


def test_commands_say_that_a_url_cannot_be_used(finished, machine, cwd, capsys):
    place, bucket = finished
    words = ["export", str(place.folder), "--level", "1", "--store", bucket.url]
    with bucket.asking_who():
        assert main([*words[:-1], bucket.url]) == 74
        assert "give this machine credentials" in capsys.readouterr().err
        assert main(["doctor", str(place.folder), "--store", bucket.url]) == 74
        assert "give this machine credentials" in capsys.readouterr().out


def test_doctor_asks_a_store_whether_it_can_be_used(bucket, tmp_path, monkeypatch):
    (found,) = store_findings(bucket.url)
    assert found.line == f"ok      {bucket.url} can be used"
    assert bucket.objects() == {}
    (found,) = store_findings(bucket.url.replace(bucket.bucket, "nobodys"))
    assert (found.exit_code, "NO_SUCH_BUCKET" in found.line) == (74, True)
    without_locks(monkeypatch, tmp_path)
    (tmp_path / "cells").mkdir()
    (found,) = store_findings(str(tmp_path / "cells"))
    assert found.line.startswith(f"warning {tmp_path}/cells: ")
    assert found.exit_code == 0
