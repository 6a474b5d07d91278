"""Each guard is taken away once: then a test must fail, or it would prove nothing."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lttune.store import cells, files, sealed, store
from lttune.store.temporary import temporary_beside

TESTS = Path(__file__).parents[1]


def module(name: str) -> ModuleType:
    """A module of tests that no other test has imported: what is patched in it stays here."""
    spec = importlib.util.spec_from_file_location(f"guarded_{Path(name).stem}", TESTS / name)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@contextlib.contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """Writes a file where it is, so that a failure leaves half of it."""
    with files.write_errors(path):
        yield path


@contextlib.contextmanager
def unflushed(path: Path) -> Iterator[Path]:
    """Writes a file beside its place, and does not wait for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    yield temporary
    temporary.replace(path)


def nothing(*values: object, **named: object) -> None:
    """In place of what checks something."""


def no_rename(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(files, "write_atomically", in_place)
    tests = module("store/test_files.py")
    tests.test_a_file_that_cannot_be_written_stays_what_it_was_and_leaves_nothing(tmp_path)


def no_flush(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(files, "write_atomically", unflushed)
    tests = module("store/test_files.py")
    tests.test_what_was_written_is_flushed_before_it_has_its_name(tmp_path, patch)


def no_checksum_of_files(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(sealed, "verify", lambda path, data: True)
    module("store/test_sealed.py").test_no_bit_of_a_file_can_change(tmp_path)


def no_checksum_of_cells(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(cells, "_sha256", lambda data: "0" * 64)
    test = module("store/test_store_faults.py").test_one_flipped_bit_anywhere_is_never_read
    test.hypothesis.inner_test(place=0.9, bit=0, which=2, tmp_path_factory=factory)


def no_seal(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(sealed, "require_known", nothing)
    module("store/test_sealed.py").test_what_must_be_sealed_and_is_not_is_damaged(tmp_path, "seal")


def no_lock(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(store, "acquire", nothing)
    module("store/test_store.py").test_processes_that_need_one_cell_compute_it_once(tmp_path)


def no_containment(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(files, "require_inside", nothing)
    module("store/test_files.py").test_a_link_out_of_a_folder_is_refused_and_one_inside_is_not(
        tmp_path
    )


def any_key(patch: pytest.MonkeyPatch, tmp_path: Path, factory: Any) -> None:
    patch.setattr(store, "_KEY", re.compile(".*"))
    patch.setattr(store, "require_inside", nothing)
    tests = module("store/test_store_strangers.py")
    victim = tmp_path / "victim"
    victim.mkdir()
    tests.test_an_absolute_path_is_no_key(tmp_path, victim)


BROKEN: dict[str, Callable[[pytest.MonkeyPatch, Path, Any], None]] = {
    guard.__name__: guard
    for guard in (
        no_rename,
        no_flush,
        no_checksum_of_files,
        no_checksum_of_cells,
        no_seal,
        no_lock,
        no_containment,
        any_key,
    )
}


@pytest.mark.parametrize("guard", BROKEN)
def test_a_guard_that_is_missing_is_seen(guard, monkeypatch, tmp_path, tmp_path_factory):
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        BROKEN[guard](monkeypatch, tmp_path, tmp_path_factory)
