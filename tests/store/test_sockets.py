"""Where a Ray of this machine has its sockets and logs: nobody else can enter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lttune.errors import StorageError
from lttune.store.sockets import make_private, sessions_folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_it_is_made_for_its_owner_alone_whatever_the_umask(tmp_path, umask):
    make_private(tmp_path / "new" / "ray-7")
    assert mode(tmp_path / "new" / "ray-7") == 0o700


def test_one_that_is_there_is_shut_and_kept(tmp_path):
    (tmp_path / "session").touch()
    for before in (0o777, 0o755, 0o700):
        tmp_path.chmod(before)
        make_private(tmp_path)
        assert mode(tmp_path) == 0o700
    assert (tmp_path / "session").exists()


@pytest.mark.parametrize("kind", ["link", "link to nothing", "file", "another's"])
def test_what_somebody_else_may_have_put_there_is_not_used(kind, tmp_path, monkeypatch):
    place, elsewhere = tmp_path / "ray-7", tmp_path / "elsewhere"
    if kind == "another's":
        place.mkdir(mode=0o755)
        monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    elif kind == "file":
        place.touch()
    else:
        place.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.mkdir(mode=0o755)
    before = {path: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(StorageError, match=r"ray-7 must be a folder of your own, .*RAY_TMPDIR"):
        make_private(place)
    assert {path: path.lstat().st_mode for path in tmp_path.iterdir()} == before


def test_it_lies_where_ray_would_have_its_own(monkeypatch, tmp_path):
    mine = f"ray-{os.getuid()}/ray"
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/scratch")
    assert sessions_folder() == Path("/scratch", mine)
    monkeypatch.setenv("RAY_TMPDIR", "/short/")
    assert sessions_folder() == Path("/short", mine)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_TMPDIR", "here")
    assert sessions_folder() == tmp_path / "here" / mine
    monkeypatch.delenv("RAY_TMPDIR")
    for name in ("", "/tmp"):
        monkeypatch.setenv("TMPDIR", name)
        assert sessions_folder() == Path("/tmp", mine)
