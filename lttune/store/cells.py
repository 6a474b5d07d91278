"""What a cell holds, and the files of its sealed directory: JSON and safetensors, never pickles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from lttune.store.files import read_json, write_draft


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trained network: its record, and the tensors that the next level needs."""

    record: dict[str, Any]
    """Plain values: ``measures`` and ``history``; the same bytes whenever it is computed."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)
    """Wall seconds, and when it was trained; kept apart because they differ every time."""


def write(folder: Path, key: str, inputs: Mapping[str, Any], cell: Cell) -> None:
    """Writes a cell's files into a new folder, the seal last; nothing is flushed.

    Args:
        folder: where; it does not count before it is flushed and has its final name.
        key: the cell's.
        inputs: what determines the cell, for whoever reads the seal.
        cell: what is written.
    """
    folder.mkdir(parents=True)
    write_draft(folder / "record.json", cell.record)
    write_draft(folder / "times.json", cell.times)
    if cell.tensors:
        save_file(cell.tensors, folder / "tensors.safetensors")
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    write_draft(folder / "seal.json", {"key": key, "files": files, "inputs": dict(inputs)})


def read(folder: Path, key: str) -> Cell | None:
    """Returns the cell in a folder, or None if its seal or one of its files is not sound."""
    files = _sealed_files(folder, key)
    if files is None:
        return None
    tensors = folder / "tensors.safetensors"
    return Cell(
        record=read_json(folder / "record.json"),
        tensors=load_file(tensors) if tensors.name in files else {},
        times=read_json(folder / "times.json"),
    )


def _sealed_files(folder: Path, key: str) -> set[str] | None:
    try:
        seal = read_json(folder / "seal.json")
        files: dict[str, str] = seal["files"]
        sound = seal["key"] == key and {"record.json", "times.json"} <= files.keys()
        sound = sound and all(_sha256(folder / name) == sha for name, sha in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return set(files) if sound else None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
