"""What operating systems leave in folders is no picture and no class, and is counted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lttune.data import load

GREY = np.random.default_rng(0).integers(0, 256, (12, 4, 6)).astype(np.uint8)


def paint(folder) -> None:
    for number, x in enumerate(GREY):
        place = folder / ("ape", "bee", "cat")[number % 3] / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(place)


LEFT = {
    "macOS": (".DS_Store", "ape/.DS_Store", "ape/._00.png", "__MACOSX/ape/._00.png", "ape/Icon\r"),
    "Windows": ("Thumbs.db", "ape/Thumbs.db", "bee/desktop.ini", "$RECYCLE.BIN/x/1.png"),
    "network disks": ("@eaDir/ape/00.png", "ape/@eaDir/00.png/SYNOFILE_THUMB_M.png"),
    "Linux": (".directory", "lost+found/x", ".Trash-1000/files/1.png", ".ipynb_checkpoints/1.png"),
}


@pytest.mark.parametrize("parts", [("",), ("train", "test")])
@pytest.mark.parametrize("system", LEFT)
def test_what_systems_leave_is_passed_over_and_counted(tmp_path, system, parts):
    for part in parts:
        paint(tmp_path / part)
    before = load(str(tmp_path))
    assert before.source == "folder of pictures"
    for part in parts:
        for name in LEFT[system]:
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / part / name).write_bytes(b"left")
    after = load(str(tmp_path))
    assert (after.digest(), after.classes) == (before.digest(), 3)
    count = len(LEFT[system]) * len(parts)
    assert (
        after.source == f"folder of pictures; passed over: {count} of operating systems, 0 others"
    )


def test_what_is_no_picture_of_a_class_is_counted_apart(tmp_path):
    for part in ("train", "test"):
        paint(tmp_path / part)
    before = load(str(tmp_path))
    (tmp_path / "labels.csv").write_text("0")
    (tmp_path / "train" / "ape" / "more").mkdir()
    (tmp_path / "train" / "ape" / "notes.txt").write_text("mine")
    (tmp_path / "test" / "._x").write_text("left")
    after = load(str(tmp_path))
    assert after.digest() == before.digest()
    assert after.source == "folder of pictures; passed over: 1 of operating systems, 3 others"
