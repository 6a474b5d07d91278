"""Files of named tensors: safetensors, and what ``torch.save`` wrote, without running pickles."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lttune.errors import DataError, StorageError
from lttune.store.files import write_atomically
from lttune.store.tensor_files import write_tensors

JSON_BEGINS = 8
"""Bytes before the header of a safetensors file: its length."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a file of tensors holds."""

    tensors: dict[str, Tensor]
    ordered: bool
    """Whether the order is that in which a module has them; safetensors files sort their names."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Texts of a safetensors file; empty of any other."""


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file in one atomic replacement.

    Raises:
        StorageError: if it cannot be written.
    """
    values = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        with write_atomically(path) as temporary:
            write_tensors(temporary, values, {"format": "pt", **metadata})
    except (OSError, SafetensorError) as error:
        raise StorageError(f"cannot write {path}: {error}") from error


def read(path: Path) -> Contents:
    """Returns the contents of a safetensors file or of a file that ``torch.save`` wrote.

    Raises:
        StorageError: if it cannot be read.
        DataError: if it is damaged, or holds anything but a mapping of names to tensors.
    """
    try:
        with path.open("rb") as file:
            is_safetensors = file.read(JSON_BEGINS + 1)[JSON_BEGINS:] == b"{"
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    return _safetensors(path) if is_safetensors else _saved_by_torch(path)


def _safetensors(path: Path) -> Contents:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Contents(tensors=tensors, ordered=False, metadata=file.metadata() or {})
    except SafetensorError as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _saved_by_torch(path: Path) -> Contents:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(f"{path} must hold tensors only; it needs code to be read") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # On what is no such file torch.load raises errors of many kinds.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"{path} is no safetensors and no torch file: {reason}") from error
    if not isinstance(values, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in values.items()
    ):
        raise DataError(f"{path} must hold a mapping of names to tensors, as a state_dict is")
    return Contents(tensors={n: v.detach() for n, v in values.items()}, ordered=True)
