"""Each guard is taken away once: then what it protects must fail, there and nowhere else.

A test that fails for another reason than the missing guard would prove nothing of it, so that the
very line is compared; and the same tests pass while all guards are there.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stored_study
from digits_place import empty_database
from guarded import Calls, failures, promised

from lttune.__main__ import main
from lttune.records.ledger import listing
from lttune.store import cells, files, plain_json, sealed, store
from lttune.store.sealed import write_object
from lttune.store.temporary import temporary_beside

WHOLE = (
    "store/test_files.py::test_a_file_that_cannot_be_written_stays_what_it_was_and_leaves_nothing"
)
FLUSHED = "store/test_files.py::test_what_was_written_is_flushed_before_it_has_its_name"
BITS = "store/test_sealed.py::test_no_bit_of_a_file_can_change"
SEALED = "store/test_sealed.py::test_what_must_be_sealed_and_is_not_is_damaged"
CELL_BITS = "store/test_store_faults.py::test_one_flipped_bit_anywhere_is_never_read"
ONCE = "store/test_store.py::test_processes_that_need_one_cell_compute_it_once"
AGAIN = "store/test_store.py::test_a_finished_cell_is_never_computed_again"
LINKS = "store/test_files.py::test_a_link_out_of_a_folder_is_refused_and_one_inside_is_not"
CELL_LINKS = "store/test_store_strangers.py::test_a_link_to_elsewhere_is_not_written_to"
KEYS = "store/test_store_strangers.py::test_an_absolute_path_is_no_key"
LOST = (
    "records/test_records_sealed.py::"
    "test_trials_that_lost_their_seal_are_not_those_of_an_older_version"
)
SENT = (
    "commands/sync/test_commands_sync.py::test_what_a_driver_sent_before_it_was_killed_is_completed"
)


def victim(folder: Path) -> Path:
    """What the fixture of that name is in the tests of a stranger's store."""
    made = folder / "victim"
    made.mkdir()
    (made / "work.txt").write_text("mine")
    return made


def sync(*words: object) -> tuple[int, None]:
    return main(["sync", *map(str, words)]), None


def sent(test: Callable[..., None], folder: Path) -> None:
    (folder / "mlflow.db").write_bytes(empty_database())
    study = stored_study.make(
        folder / "results", trials=({}, {"train.lr": 0.003}), controls=("reinit",)
    )
    test(study, f"sqlite:///{folder}/mlflow.db", sync)


def unsealed(test: Callable[..., None], folder: Path) -> None:
    write_object(folder / "trials.json", {"planned": {}, "trials": []})
    test(folder, ("schema", "seal", "study_id"), "it does not say of which study it is")


def patched(test: Callable[..., None], folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        test(folder, patch)


def flipped(test: Any, folder: Path) -> None:
    class Factory:
        def mktemp(self, name: str) -> Path:
            return folder / name

    test.hypothesis.inner_test(place=0.9, bit=0, which=2, tmp_path_factory=Factory())


STORE: Calls = {
    WHOLE: lambda test, folder: test(folder),
    FLUSHED: patched,
    BITS: lambda test, folder: test(folder),
    SEALED: lambda test, folder: test(folder, "seal"),
    CELL_BITS: flipped,
    ONCE: lambda test, folder: test(folder),
    AGAIN: lambda test, folder: test(folder),
    LINKS: lambda test, folder: test(folder),
    CELL_LINKS: lambda test, folder: test(folder, victim(folder), "cell"),
    KEYS: lambda test, folder: test(folder, victim(folder)),
    LOST: unsealed,
}
"""Test of the store -> how it is called, with an empty folder."""
MLFLOW = {SENT: sent}
"""Likewise of MLflow's mirror, which takes longer."""


@contextlib.contextmanager
def in_place(path: Path) -> Iterator[Path]:
    """Writes a file where it is, so that a failure leaves half of it."""
    with files.write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        files.flush(path)
        files.flush(path.parent)


@contextlib.contextmanager
def unflushed(path: Path) -> Iterator[Path]:
    """Writes a file beside its place, and does not wait for the disk."""
    with files.write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def nothing(*values: object, **named: object) -> None:
    """In place of what checks or finds something."""


def no_rename(patch: pytest.MonkeyPatch) -> None:
    for module in (files, plain_json):
        patch.setattr(module, "write_atomically", in_place)


def no_flush(patch: pytest.MonkeyPatch) -> None:
    for module in (files, plain_json):
        patch.setattr(module, "write_atomically", unflushed)


def no_checksum_of_files(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sealed, "verify", lambda path, data: True)


def no_checksum_of_cells(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cells, "_sha256", lambda data: "0" * 64)


def no_seal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sealed, "require_known", nothing)


def no_belonging(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(listing, "require_same_study", nothing)


def no_lock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "acquire", nothing)


def no_containment(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "require_inside", nothing)
    patch.setattr(store, "require_inside", nothing)


def any_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "_KEY", re.compile(".*"))


def no_idempotence_of_cells(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cells, "read", nothing)


def no_idempotence_of_levels(patch: pytest.MonkeyPatch) -> None:
    from lttune.study.tracking.mirror import Mirror  # MLflow takes seconds to import.

    level = Mirror.level

    def forgetful(self: Mirror, now: int, number: int, *values: Any) -> None:
        self._run(number).levels = set()
        level(self, now, number, *values)

    patch.setattr(Mirror, "level", forgetful)


def no_idempotence_of_runs(patch: pytest.MonkeyPatch) -> None:
    from lttune.study.tracking.runs import Runs

    patch.setattr(Runs, "refresh", nothing)


NOT_RAISED = "Failed: with pytest.raises"
RED: dict[Callable[[pytest.MonkeyPatch], None], dict[str, str]] = {
    no_rename: {
        WHOLE: 'JSONDecodeError: assert read_json(path) == {"old": 1}',
        FLUSHED: "AssertionError: assert (written != path, named) == (True, False)",
    },
    no_flush: {FLUSHED: "ValueError: (written, named), after = seen"},
    # What carries no checksum is told from what was written before there were any.
    no_checksum_of_files: {
        BITS: f"{NOT_RAISED}((DamagedError, RefusedError)):",
        SEALED: f'{NOT_RAISED}(DamagedError, match="is damaged: "):',
        # What counts as sealed, and has no schema, is told for that.
        LOST: "AssertionError: with pytest.raises(DamagedError, match=told):",
    },
    no_seal: {
        BITS: f"{NOT_RAISED}((DamagedError, RefusedError)):",
        SEALED: f'{NOT_RAISED}(DamagedError, match="is damaged: "):',
    },
    no_belonging: {LOST: f"{NOT_RAISED}(DamagedError, match=told):"},
    no_checksum_of_cells: {CELL_BITS: "AssertionError: assert store.read(key) is None"},
    no_lock: {ONCE: "AssertionError: assert len(log.read_text().splitlines()) == 1"},
    no_containment: {
        LINKS: f'{NOT_RAISED}(StorageError, match=r"must lie in .*root, but leads to .*outside"):',
        CELL_LINKS: f'{NOT_RAISED}(StorageError, match=r"must lie in .*cells, but leads to '
        '.*victim"):',
    },
    any_key: {KEYS: f'{NOT_RAISED}(StorageError, match="key must be 64 hexadecimal digits"):'},
    no_idempotence_of_cells: {
        AGAIN: 'AssertionError: raise AssertionError("computed again")',
        ONCE: "AssertionError: assert len(log.read_text().splitlines()) == 1",
    },
}
"""How the guard is taken away -> the tests that fail then, and where."""
RED_IN_MLFLOW: dict[Callable[[pytest.MonkeyPatch], None], dict[str, str]] = {
    no_idempotence_of_levels: {
        SENT: 'AssertionError: assert store.steps(store.runs("digits")[name], "density") == LEVELS'
    },
    no_idempotence_of_runs: {SENT: 'AssertionError: assert tracker.close(60) == ""'},
}


@pytest.mark.parametrize("guard", RED, ids=lambda guard: guard.__name__)
def test_what_a_missing_guard_protects_fails_and_nothing_else(guard, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        guard(patch)
        assert failures(STORE, tmp_path_factory) == RED[guard]
    protected = {name: STORE[name] for name in RED[guard]}
    assert failures(protected, tmp_path_factory) == {}


@pytest.mark.slow
@pytest.mark.parametrize("guard", RED_IN_MLFLOW, ids=lambda guard: guard.__name__)
def test_a_missing_guard_of_what_is_sent_is_seen(guard, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        guard(patch)
        assert failures(MLFLOW, tmp_path_factory) == RED_IN_MLFLOW[guard]
    assert failures(MLFLOW, tmp_path_factory) == {}


@pytest.mark.parametrize("test", [*STORE, *MLFLOW])
def test_what_guards_protect_is_promised(test):
    assert promised(test)
