"""Killed while its networks go behind a URL: run again, all are there, none is trained twice."""

from __future__ import annotations

import os

import micro_study
import pytest
from object_store import MACHINE

from lttune.store.remote.bucket import Bucket
from lttune.store.remote.objects import fetch_cell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

POINTS = [("cell.named", 2), ("cell.object", 2), ("cell.object", 6), ("cell.put", 3)]
"""Failpoint, and the how manieth time that it is reached: a cell is sealed here and nothing is put,
some of its objects are, all but its seal, all but that this is not noted. Each has three objects
and its seal, but for the controls' without weights."""
if os.environ.get("LTTUNE_ALL_FAULTS"):
    POINTS += [("cell.named", 1), ("cell.named", 5), ("cell.put", 1), ("cell.put", 6)]
    POINTS += [("cell.object", number) for number in (1, 3, 4, 5, 7, 8, 9, 14)]


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """What the study says whose networks are in a folder, and that nobody interrupted."""
    root = tmp_path_factory.mktemp("beside")
    assert micro_study.run(root) == 0
    return micro_study.told(root)


@pytest.mark.parametrize(("site", "number"), POINTS)
def test_a_study_that_was_killed_has_all_its_networks_behind_the_url(
    site, number, beside, bucket, tmp_path
):
    flags = (*micro_study.FLAGS, "--store", bucket.url)
    machine = {**MACHINE, "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]}
    assert micro_study.run(tmp_path, f"{site}:{number}:kill", flags, machine) == -9
    times = {path: path.read_bytes() for path in bucket.cache.glob("??/*/times.json")}
    assert len(times) - len(bucket.cells()) == (site != "cell.put")
    assert micro_study.run(tmp_path, "", flags, machine) == 0
    assert {path: path.read_bytes() for path in times} == times
    told = micro_study.told(tmp_path)
    assert {**told, "cells": bucket.cells()} == beside
    assert list((bucket.cache / "unsent").iterdir()) == []
    # So a machine finds them that has no copy.
    assert all(fetch_cell(Bucket(bucket.url), key) for key in beside["cells"])
