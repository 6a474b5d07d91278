"""A shard's own database of MLflow's: what it writes stays in the folder of that shard."""

from __future__ import annotations

import shutil

import pytest
from digits_place import UntoldPlace
from one_process import one_process

from lttune.__main__ import main
from lttune.study.tracking.uri import VARIABLE

SMALL = ("--phases", "anchor", "--replicates", "2", "--shard", "1/2")


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize("name", ["mlflow.db", "mlflow.db-wal", "mlruns", "mlruns/digits/figures"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_elsewhere_in_the_place_of_its_database_is_one_line(name, exists, tmp_path, cwd):
    mine, link = tmp_path / "mine", tmp_path / "out/digits.1-of-2" / name
    if exists:
        mine.write_bytes(b"")
    link.parent.mkdir(parents=True)
    link.symlink_to(mine)
    place = UntoldPlace(tmp_path).run(*SMALL)
    assert place.exit_code == 74
    assert place.printed == (
        f"lttune: error: {link} must lie in {tmp_path}/out/digits.1-of-2, but leads to {mine}\n"
    )
    assert mine.exists() == exists
    assert not exists or mine.read_bytes() == b""


@pytest.mark.slow
def test_a_shard_that_was_copied_writes_nothing_into_its_original(tmp_path, cwd):
    def files(place):
        found = (place.root / "out/digits.1-of-2/mlruns").rglob("*")
        return {path: path.read_bytes() for path in found if path.is_file()}

    with one_process():
        place = UntoldPlace(tmp_path / "first").run(*SMALL)
        assert (place.exit_code, "not in MLflow" in place.printed) == (0, False)
        before = files(place)
        shutil.copytree(place.root / "out", tmp_path / "second" / "out")
        copy = UntoldPlace(tmp_path / "second").run(*SMALL)
        assert copy.exit_code == 0
        assert files(place) == before != {}
        database = tmp_path / "second/out/digits.1-of-2/mlflow.db"
        assert f"move {database} away" in " ".join(copy.printed.split())
        assert main(["sync", str(database.parent), "--tracking-uri", f"sqlite:///{database}"]) == 5
        assert files(place) == before
        # As it says; elsewhere, because MLflow keeps a database open that this process had.
        without = shutil.ignore_patterns("mlflow.db*")
        shutil.copytree(copy.root / "out", tmp_path / "third" / "out", ignore=without)
        mended = UntoldPlace(tmp_path / "third").run(*SMALL)
    assert (mended.exit_code, "not in MLflow" in mended.printed) == (0, False), mended.printed
    assert files(place) == before
    assert len(files(mended)) == 2 * len(before)  # Of the old runs, and of the new ones.
