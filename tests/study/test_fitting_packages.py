"""Packages that do not fit are told before anything starts: all of them, in one line."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lttune.errors import ResourceError
from lttune.study.checks.packages import fits, require_packages


def stand_in(folder: Path, name: str, version: str) -> None:
    """Makes what says of a package that it is installed in a version, and nothing of it."""
    about = folder / f"{name}-{version}.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_the_packages_of_this_environment_fit():
    require_packages()


def test_all_that_are_too_old_or_too_new_are_one_line_and_nothing_starts(
    refused, cwd, tmp_path, monkeypatch
):
    stand_in(tmp_path / "packages", "ray", "2.9.0")
    stand_in(tmp_path / "packages", "torch", "1.13.1")
    stand_in(tmp_path / "packages", "mlflow", "4.0")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    code, text = refused("--out", "out")
    assert (code, text.count("\n")) == (5, 1)
    needed = map(Requirement, importlib.metadata.requires("lttune") or ())
    wanted = {one.name: one.specifier for one in needed if one.marker is None}
    assert text == (
        f"lttune: error: installed packages: mlflow must be {wanted['mlflow']}, got 4.0, ray must "
        f"be {wanted['ray']}, got 2.9.0, torch must be {wanted['torch']}, got 1.13.1; pip install "
        f"'mlflow{wanted['mlflow']}' 'ray[tune]{wanted['ray']}' 'torch{wanted['torch']}'\n"
    )
    assert list(cwd.iterdir()) == []


def test_one_that_is_not_installed_is_told(monkeypatch):
    wanted = ["surely-not-there>=3", "numpy>=2", "ghost>=1; extra == 'test'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    line = "surely-not-there must be >=3, got none; pip install 'surely-not-there>=3'"
    with pytest.raises(ResourceError, match=f"{re.escape(line)}$"):
        require_packages()


@pytest.mark.parametrize(
    ("version", "ok"),
    [("2.60.0", True), ("2.60.1rc1", True), ("2.59.9", False), ("2.61.0", False), (None, False)],
)
def test_releases_to_come_of_a_version_that_fits_fit(version, ok):
    assert fits(Requirement("ray[tune]>=2.60,<2.61"), version) is ok


def test_of_an_lttune_that_is_not_installed_nobody_knows_what_it_needs(monkeypatch):
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    require_packages()
