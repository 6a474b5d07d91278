"""What a cell holds, and the files of its sealed directory: JSON and safetensors, never pickles."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from lttune.store.files import flush, read_whole
from lttune.store.formats.tensor_files import write_tensors
from lttune.store.plain_json import parse_json, write_draft


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trained network: its record, and the tensors that the next level needs."""

    record: dict[str, Any]
    """Plain values: ``measures`` and ``history``; the same bytes whenever it is computed."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)
    """Wall seconds, and when and on which machine it was trained: what differs every time."""


RECORD, _TIMES, _TENSORS = "record.json", "times.json", "tensors.safetensors"
SEAL = "seal.json"

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP)
"""Errors that say what is there, or is not; all others say only that it cannot be read now."""


def write(folder: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
    """Writes a cell's files into a new folder, the seal last; nothing is flushed.

    Args:
        folder: where; it does not count before it is flushed and has its final name.
        key: the cell's.
        inputs: what determines the cell, for whoever reads the seal.
        cell: what is written.
    """
    folder.mkdir(parents=True)
    write_draft(folder / RECORD, cell.record)
    write_draft(folder / _TIMES, cell.times)
    if cell.tensors:
        write_tensors(folder / _TENSORS, cell.tensors)
    files = {path.name: _sha256(path.read_bytes()) for path in sorted(folder.iterdir())}
    write_draft(folder / SEAL, {"key": key, "files": files, "inputs": dict(inputs)})


def read(folder: Path, key: str) -> Cell | None:
    """Returns the cell in a folder, or None if its seal or one of its files is not sound.

    Raises:
        OSError: if a file is there and cannot be read: that says nothing of what it holds.
    """
    found = _files(folder, key)
    return None if found is None else decoded(found, key)


def sound_files(folder: Path, key: str) -> dict[str, bytes] | None:
    """Returns the bytes of a cell's files, its seal too, if each is the one that the seal names.

    Raises:
        OSError: as ``read``.
    """
    found = _files(folder, key)
    return found if found is not None and _is_sound(found, key) else None


def read_record(folder: Path, key: str) -> dict[str, Any] | None:
    """Returns the record of the cell in a folder, None if seal or record is not sound.

    Raises:
        OSError: as ``read``.
    """
    try:
        return decoded_record(read_whole(folder / SEAL), read_whole(folder / RECORD), key)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def decoded_record(seal: bytes, record: bytes, key: str) -> dict[str, Any] | None:
    """Returns a cell's record from the bytes of its seal and its own; None if one is not sound."""
    if sealed_files(seal, key).get(RECORD) != _sha256(record):
        return None
    try:
        return parse_json(record)
    except ValueError:
        return None


def _files(folder: Path, key: str) -> dict[str, bytes] | None:
    try:
        seal = read_whole(folder / SEAL)
        found = {name: read_whole(folder / name) for name in sealed_files(seal, key)}
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    return {SEAL: seal, **found}


def sealed_files(seal: bytes, key: str) -> dict[str, Any]:
    """Returns the files of a cell but its seal, each with its SHA-256; none if it is not sound."""
    try:
        values = parse_json(seal)
        files = values["files"]
        is_sound = values["key"] == key and files.keys() - {_TENSORS} == {RECORD, _TIMES}
        return dict(files) if is_sound else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def decoded(found: Mapping[str, bytes], key: str) -> Cell | None:
    """Returns the cell that files are, its seal among them; None if one of them is not sound."""
    if not _is_sound(found, key):
        return None
    try:
        return Cell(
            record=parse_json(found[RECORD]),
            tensors=load(found[_TENSORS]) if _TENSORS in found else {},
            times=parse_json(found[_TIMES]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def _is_sound(found: Mapping[str, bytes], key: str) -> bool:
    files = sealed_files(found[SEAL], key)
    return bool(files) and all(_sha256(found[name]) == sha for name, sha in files.items())


def make_place(folder: Path) -> None:
    """Makes the folder of cells whose keys begin alike; it outlives the machine as they do."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
        flush(folder.parent)


def give_name(draft: Path, final: Path, key: str) -> None:
    """Gives a draft its name; a sound cell that has it is the same one, and stays.

    Raises:
        OSError: if it cannot be given, as where something else has the name.
    """
    try:
        draft.rename(final)
    except OSError as error:
        # A network disk that lost the lock: another machine has sealed the cell meanwhile.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or read(final, key) is None:
            raise
        shutil.rmtree(draft, ignore_errors=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
