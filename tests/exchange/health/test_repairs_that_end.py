"""A repair that ends before it wrote something new leaves the files as they were."""

from __future__ import annotations

import errno
import itertools
import shutil
import signal
from pathlib import Path

import pytest
from changed_bytes import flip
from drivers import script

from lttune.__main__ import main
from lttune.exchange.health import repair as repairing
from lttune.records import schema
from lttune.records.tables import TABLES, journaled
from lttune.store.formats.journal import Journal, journal_of
from lttune.store.sealed import read_object, write_object

OF_LOCK = ("lock", "driver.json")
EARLIER = b"an earlier one"

SIGNALLED = """
import os, signal, sys
from lttune.__main__ import main
from lttune.exchange.health import repair
signum = int(sys.argv.pop())
def run_trial(*args):
    os.kill(os.getpid(), signum)
    while True:
        signal.pause()
repair.run_trial = run_trial
sys.exit(main())
"""


def files(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of a study's files by their names, without those of its lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in OF_LOCK}


def damage(path: Path) -> None:
    """Damages a table beside which one lies that was damaged before."""
    path.write_bytes(path.read_bytes()[:-1])
    path.with_name(f"{path.name}.damaged").write_bytes(EARLIER)


def with_others(study: Path, name: str) -> None:
    """Gives a table rows of a trial that the study does not list."""
    rows = schema.read(study / name)
    more = [*rows, *(row | {"trial": 7} for row in rows if row["trial"] == 1)]
    schema.write(study / name, more, TABLES[name], "mine")


@pytest.mark.parametrize("change", [damage, Path.unlink])
@pytest.mark.parametrize("name", TABLES)
def test_without_its_dataset_a_study_stays_as_it_is(name, change, study, capsys):
    sheet = read_object(study / "study.json")
    sheet["lottery"]["data"] |= {"name": "mnist"}
    write_object(study / "study.json", sheet)
    change(study / name)
    before = files(study)
    assert main(["doctor", "--repair", str(study)]) == 4
    assert "mnist" in capsys.readouterr().err
    assert files(study) == before


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(1), RuntimeError("a bug"), MemoryError(), OSError(5, "EIO")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("name", TABLES)
def test_whatever_ends_it_the_files_are_as_they_were(name, error, study, monkeypatch):
    damage(study / name)
    before, run_trial, walked = files(study), repairing.run_trial, []

    def second_fails(*args):
        walked.append(args)
        if len(walked) > 1:
            raise error
        return run_trial(*args)

    monkeypatch.setattr(repairing, "run_trial", second_fails)
    with pytest.raises(type(error)):
        repairing.repair(study)
    assert len(walked) == 2
    assert files(study) == before


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_asks_it_to_end_finds_the_files_as_they_were(signum, study):
    for name in TABLES:
        damage(study / name)
    before = files(study)
    process = script(SIGNALLED, "doctor", "--repair", str(study), str(int(signum)))
    process.communicate(timeout=60)
    assert process.returncode in (128 + signum, -signum)
    assert files(study) == before


def test_a_disk_that_is_full_keeps_the_files_as_they_were(study, monkeypatch, capsys):
    for name in TABLES:
        damage(study / name)
    before = files(study)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(schema, "write_table", full)
    assert main(["doctor", "--repair", str(study)]) == 74
    assert "No space left" in capsys.readouterr().err
    assert files(study) == before


def test_what_was_kept_earlier_is_never_replaced(study):
    whole = {name: schema.read(study / name) for name in TABLES}
    for name in TABLES:
        damage(study / name)
        (study / f"{name}.damaged-2").symlink_to("nowhere")
    before = {name: (study / name).read_bytes() for name in TABLES}
    assert main(["doctor", "--repair", str(study)]) == 0
    for name in TABLES:
        assert len(schema.read(study / name)) == len(whole[name])
        assert (study / f"{name}.damaged").read_bytes() == EARLIER
        assert (study / f"{name}.damaged-2").is_symlink()
        assert (study / f"{name}.damaged-3").read_bytes() == before[name]


@pytest.mark.parametrize(("name", "other"), itertools.permutations(TABLES))
def test_without_the_store_no_table_is_made(name, other, study, capsys):
    shutil.rmtree(study.parent / "cells")
    (study / name).unlink()
    with_others(study, other)
    assert main(["doctor", "--repair", str(study)]) == 74
    assert "the rows of 0 trials were made anew" in capsys.readouterr().out
    assert not (study / name).exists()
    # What it has of its own trials stays, without the others.
    assert {row["trial"] for row in schema.read(study / other)} == {0, 1}
    assert {row["trial"] for row in schema.read(study / f"{other}.damaged")} == {0, 1, 7}


@pytest.mark.parametrize("name", TABLES)
def test_without_the_store_no_table_is_emptied(name, study):
    shutil.rmtree(study.parent / "cells")
    rows = [row | {"trial": 7} for row in schema.read(study / name) if row["trial"] == 1]
    schema.write(study / name, rows, TABLES[name], "mine")
    before = files(study)
    assert main(["doctor", "--repair", str(study)]) == 74
    assert files(study) == before


@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_journal_beside_a_file_that_has_all_is_put_aside(name, study, capsys):
    """As of a driver that was killed before another trial ended."""
    rows = schema.read(study / name)
    digest = schema.write(study / name, rows, TABLES[name], "mine")
    Journal(study / name, digest).append([journaled(rows[:1])])
    journal = journal_of(study / name)
    flip(journal)
    damaged = journal.read_bytes()
    assert main(["doctor", str(study)]) == 74
    capsys.readouterr()
    main(["doctor", "--repair", str(study)])
    assert not journal.exists()
    assert journal.with_name(f"{journal.name}.damaged").read_bytes() == damaged
    assert schema.read(study / name) == rows
    assert "is damaged" not in capsys.readouterr().out
    assert main(["doctor", str(study)]) == 0
