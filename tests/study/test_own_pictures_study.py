"""Studies of pictures that a function of one's own makes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from own_parts import run_parts

from lttune.__main__ import main as lttune
from lttune.errors import StorageError
from lttune.records.schema import read
from lttune.store.disk import Room
from lttune.study.conductor import Conductor
from lttune.study.phases import room

STUDY = Path("results/parts")


def test_pictures_that_are_changed_are_another_dataset(parts_copy):
    text = (parts_copy / "mine.py").read_text()
    (parts_copy / "pixels.py").write_text(text.replace("astype(np.uint8)", "astype(np.uint8) // 2"))
    flags = ("--lottery.data.name", "pixels.py:pictures")
    code, told = run_parts(parts_copy, *flags)
    assert code == 3
    assert "(dataset: " in told
    assert run_parts(parts_copy, *flags, "--name", "half", "--replicates", "1")[0] == 0
    assert not any(row["reused"] for row in read(parts_copy / "results/half/records.parquet"))
    (kept,) = (parts_copy / "results/half/pictures").glob("*.npz")
    with np.load(kept) as arrays:
        assert arrays["train_x"].max() == 8


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("return 3", 2, "data.name: bad.py:pictures must return arrays by their names, got 3"),
        ("return {'x': 3}", 2, "data.name: bad.py:pictures must return the arrays train_x, "),
        ("return open('none')", 2, "data.name: bad.py:pictures cannot be used: FileNotFoundError"),
        ("return {'x': [[[0.5]]], 'y': [0]}", 4, "bad.py:pictures: y must be [N] with x's N >= 5"),
        (
            "return {'x': np.zeros((9, 8, 8)), 'y': np.arange(9) % 2}",
            4,
            "bad.py:pictures: x must be uint8, pixels from 0 to 255, got float64",
        ),
    ],
)
def test_pictures_that_do_not_fit_are_one_line_before_anything_starts(parts_copy, body, code, told):
    (parts_copy / "bad.py").write_text(f"import numpy as np\ndef pictures():\n    {body}\n")
    flags = ("--name", "bad", "--lottery.data.name", "bad.py:pictures")
    found, said = run_parts(parts_copy, *flags)
    assert found == code
    assert said.startswith(f"lttune: error: {told}")
    assert said.count("\n") == 1
    assert not (parts_copy / "results/bad").exists()


def test_pictures_without_room_are_told_before_anything_starts(parts_copy, monkeypatch):
    def free(path):
        return Room(size=10**12 if path.name == "cells" else 1_000, files=None)

    monkeypatch.setattr(room, "free_room", free)
    monkeypatch.setattr(room, "is_one_disk", lambda *paths: False)
    code, said = run_parts(parts_copy, "--name", "full")
    assert code == 74
    told = r"full needs about [\d.]+ [kM]B for this study's pictures, and 1.0 kB are free: "
    assert re.search(told, said)
    assert said.count("\n") == 1
    assert not (parts_copy / "results/full/study.json").exists()


def test_networks_and_pictures_on_one_disk_need_its_room_together(parts_copy, monkeypatch):
    asked = {}

    def noted(store, needed, what, otherwise=""):
        asked[what] = needed
        if "pictures" in what:
            raise StorageError("enough is known")

    with monkeypatch.context() as patch:
        patch.setattr(room, "require_free", noted)
        patch.setattr(room, "is_one_disk", lambda *paths: False, raising=False)
        run_parts(parts_copy, "--name", "full")
    larger = max(one.size for one in asked.values())
    assert 0 < larger < sum(one.size for one in asked.values())
    # Each of the two would fit.
    monkeypatch.setattr(Conductor, "run", lambda self: pytest.fail("it begins"))
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=larger, files=None))
    code, said = run_parts(parts_copy, "--name", "full")
    assert code == 74
    assert re.search(r"/cells needs about .* for this study's networks and pictures, and ", said)
    assert not (parts_copy / "results/full/study.json").exists()


def test_pictures_that_are_kept_need_no_room_and_are_not_written_again(parts_copy, monkeypatch):
    (kept,) = (STUDY / "pictures").glob("*.npz")
    before = kept.stat()
    monkeypatch.setattr(room, "free_room", lambda path: Room(size=0, files=0))
    monkeypatch.setattr(Conductor, "run", lambda self: nothing_more())
    code, said = run_parts(parts_copy)
    assert (code, "enough is known" in said) == (74, True), said
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def nothing_more():
    raise StorageError("enough is known")


def test_pictures_are_described_by_the_command_of_data(parts_copy, capsys):
    assert lttune(["data", "./mine.py:pictures"]) == 0
    said = capsys.readouterr().out
    assert "classes  8" in re.sub(" +", "  ", said)
    assert "function of one's own" in said


def test_a_study_without_its_pictures_says_which_file_is_missing(parts_copy, capsys):
    (kept,) = (STUDY / "pictures").glob("*.npz")
    kept.unlink()
    assert lttune(["export", "results/parts", "--level", "1"]) == 4
    said = capsys.readouterr().err
    assert said == f"lttune: error: {kept} does not exist\n"


def test_a_target_may_be_pictures_of_ones_own(parts_copy):
    words = ["transfer", "results/parts", "--levels", "1", "--replicates", "1"]
    words += ["--schedule", "mine.py:rate", "--data", "mine.py:pictures"]
    assert lttune(words) == 0
    rows = read(STUDY / "transfer.parquet")
    assert {row["data.name"] for row in rows} == {"mine.py:pictures"}
