"""Killed anywhere, or out of room: run again, the study says what an uninterrupted one says."""

from __future__ import annotations

import os

import micro_study
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

POINTS = [
    ("study.json.named", 1),
    ("trial.proposed", 3),
    ("cell.computed", 4),
    ("cell.drafted", 2),
    ("cell.flushed", 3),
    ("trials.json.flushed", 2),
    ("trials.journal.written", 3),
    ("records.parquet.named", 1),
    ("records.journal.written", 4),
    ("records.journal.named", 1),
    ("trial.recorded", 2),
]
"""Failpoint, and the how manieth time that it is reached."""
NO_DESCRIPTORS = [
    ("cell.drafted", 2),
    ("records.parquet.written", 1),
    ("trials.journal.appended", 3),
    ("records.journal.appended", 2),
]
"""Where a process comes to its limit of open files."""
if os.environ.get("LTTUNE_ALL_FAULTS"):
    SITES = ("cell.computed", "cell.drafted", "cell.flushed", "cell.named")
    MOST_WRITTEN = {"study.json": 1, "trials.json": 3, "records.parquet": 2, "layers.parquet": 2}
    POINTS += [(site, number) for site in SITES for number in range(1, 8)]
    POINTS += [
        (f"{name}.{step}", number)
        for name in MOST_WRITTEN
        for step in ("written", "flushed", "named")
        for number in range(1, 1 + MOST_WRITTEN[name])
    ]
    JOURNALS = ("trials.journal", "records.journal", "layers.journal")
    POINTS += [(f"{name}.appended", number) for name in JOURNALS for number in (1, 2, 5)]
    POINTS += [
        (f"{name}.{step}", number)
        for name in JOURNALS
        for step, numbers in (("written", (1, 2, 3, 5, 6)), ("flushed", (1,)), ("named", (1,)))
        for number in numbers
    ]
    POINTS += [("trial.proposed", 1), ("trial.recorded", 1), ("trial.recorded", 3)]
    NO_DESCRIPTORS += [("study.json.written", 1), ("trials.json.written", 2), ("cell.flushed", 1)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    root = tmp_path_factory.mktemp("uninterrupted")
    assert micro_study.run(root) == 0
    return micro_study.told(root)


@pytest.mark.parametrize(("site", "number"), POINTS)
def test_a_study_that_was_killed_says_the_same(site, number, uninterrupted, tmp_path):
    assert micro_study.run(tmp_path, f"{site}:{number}:kill") == -9
    assert micro_study.run(tmp_path) == 0
    assert micro_study.told(tmp_path) == uninterrupted


@pytest.mark.parametrize(
    ("site", "number"),
    [
        *(("study.json.written", 1), ("records.parquet.written", 1), ("cell.drafted", 2)),
        *(("records.journal.written", 3), ("trials.journal.written", 4)),
    ],
)
def test_a_study_whose_disk_became_read_only_says_the_same_afterwards(
    site, number, uninterrupted, tmp_path
):
    assert micro_study.run(tmp_path, f"{site}:{number}:readonly") == 74
    printed = " ".join((tmp_path / "printed.txt").read_text().split())
    assert "Read-only file system" in printed
    assert "Traceback" not in printed
    assert "have that disk mounted for writing, or write to another one" in printed
    assert micro_study.run(tmp_path) == 0
    assert micro_study.told(tmp_path) == uninterrupted


@pytest.mark.parametrize(
    ("site", "number", "code"),
    [
        ("study.json.written", 1, 74),
        ("trials.json.written", 2, 74),
        ("records.parquet.written", 1, 74),
        ("records.parquet.written", 2, 74),
        ("records.journal.written", 3, 74),
        ("trials.journal.written", 4, 74),
        ("cell.drafted", 2, 74),
    ],
)
def test_a_study_that_had_no_room_says_the_same_afterwards(
    site, number, code, uninterrupted, tmp_path
):
    assert micro_study.run(tmp_path, f"{site}:{number}:full") == code
    printed = (tmp_path / "printed.txt").read_text()
    assert "No space left on device" in printed
    assert "Traceback" not in printed
    assert "make room and run the same command again" in " ".join(printed.split())
    assert micro_study.run(tmp_path) == 0
    assert micro_study.told(tmp_path) == uninterrupted


@pytest.mark.parametrize(("site", "number"), NO_DESCRIPTORS)
def test_a_study_that_could_open_no_file_says_the_same_afterwards(
    site, number, uninterrupted, tmp_path
):
    assert micro_study.run(tmp_path, f"{site}:{number}:descriptors") == 74
    printed = (tmp_path / "printed.txt").read_text()
    assert "cannot be written: Too many open files" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.glob("out/cells/damaged/*"))
    assert micro_study.run(tmp_path) == 0
    assert micro_study.told(tmp_path) == uninterrupted


def test_it_may_be_killed_again_and_again(uninterrupted, tmp_path):
    for number in (1, 2, 3, 2):
        assert micro_study.run(tmp_path, f"cell.named:{number}:kill") == -9
    assert micro_study.run(tmp_path) == 0
    assert micro_study.told(tmp_path) == uninterrupted
