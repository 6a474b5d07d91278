"""Files of named tensors: safetensors, and what ``torch.save`` wrote, without running pickles."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lttune.errors import DataError, StorageError
from lttune.exchange.tensors.forms import mask_tensors
from lttune.exchange.tensors.nesting import entries_told, tensors_by_name
from lttune.exchange.tensors.packing import put_together
from lttune.store.files import reason_of, write_atomically
from lttune.store.formats.tensor_files import write_tensors
from lttune.store.regular import is_of_content, most_memory, regular_size

JSON_BEGINS = 8
"""Bytes before the header of a safetensors file: its length."""
PLAIN_TYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
)
"""Types of elements that a mask or a weight can have."""


def _without_default(*_: object) -> dict[object, object]:
    return {}


DEFAULT_DICT = [(_without_default, "collections.defaultdict"), (dict, "builtins.dict")]
"""What stands for ``defaultdict(dict)``, in which torch.ao's sparsifiers keep their masks."""


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

    What is compact there is put together, with its mask as ``mask.NAME``.

    Raises:
        StorageError: if it cannot be read.
        DataError: if it is damaged, promises more than its bytes can hold, or holds anything but
            names of dense tensors of real numbers: a mapping, or mappings in one.
    """
    try:
        size = regular_size(path)
        with path.open("rb") as file:
            is_safetensors = file.read(JSON_BEGINS + 1)[JSON_BEGINS:] == b"{"
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    found = _safetensors(path) if is_safetensors else _saved_by_torch(path)
    _require_plain(path, found.tensors, most_memory(size))
    try:
        tensors, mask = put_together(found.tensors)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return dataclasses.replace(found, tensors=tensors | mask_tensors(mask))


def _safetensors(path: Path) -> Contents:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Contents(tensors=tensors, ordered=False, metadata=file.metadata() or {})
    except Exception as error:  # A type that PyTorch lacks is no SafetensorError.
        if not is_of_content(error):
            raise StorageError(f"cannot read {path}: {reason_of(error)}") from error
        raise DataError(f"{path} is damaged: {reason_of(error)}") from error


def _saved_by_torch(path: Path) -> Contents:
    try:
        if zipfile.is_zipfile(path):
            _require_unpacked(path)
        with warnings.catch_warnings():
            # What PyTorch says of kinds of tensors that are refused next.
            warnings.simplefilter("ignore")
            with torch.serialization.safe_globals(DEFAULT_DICT):
                values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        needed = re.search(r"GLOBAL ([\w.]+) was not", str(error))
        code = f": {needed[1]}" if needed else ""
        raise DataError(f"{path} must hold tensors only; it needs code to be read{code}") from error
    except DataError:
        raise
    except Exception as error:  # On what is no such file torch.load raises errors of many kinds.
        if not is_of_content(error):
            raise StorageError(f"cannot read {path}: {reason_of(error)}") from error
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise DataError(f"{path} is no safetensors and no torch file: {reason}") from error
    tensors = tensors_by_name(values)
    if tensors is None:
        raise DataError(
            f"{path} must hold a mapping of names to tensors, as a state_dict is, or such mappings "
            f"in one; found {entries_told(values)}"
        )
    return Contents(tensors=tensors, ordered=True)


def _require_unpacked(path: Path) -> None:
    """Checks that an archive's members are as they are, as ``torch.save`` writes them.

    Raises:
        DataError: if one is packed, and could be unpacked to any size.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if (
                member.compress_type != zipfile.ZIP_STORED
                or member.file_size > member.compress_size
            ):
                raise DataError(f"{path} must not be packed: {member.filename!r} is")


def _require_plain(path: Path, tensors: Mapping[str, Tensor], most: int) -> None:
    """Checks that tensors can be computed with, and together fill no more than so many bytes."""
    for name, value in tensors.items():
        kind = _strange_kind(value)
        if kind is not None:
            raise DataError(f"{path}: {name} must be a dense tensor of real numbers, got {kind}")
        # A tensor of strides of 0 has more elements than bytes.
        most -= value.numel() * value.element_size()
        if most < 0:
            raise DataError(f"{path}: {name} promises {tuple(value.shape)}, more than it holds")


def _strange_kind(value: Tensor) -> str | None:
    """Returns what a tensor is that cannot be computed with as others can, None if it can."""
    if value.is_quantized:
        return "a quantised one"
    if value.is_meta:
        return "one without values"
    if value.is_nested or value.layout != torch.strided:
        return f"one of layout {value.layout}"
    return None if value.dtype in PLAIN_TYPES else f"one of {value.dtype}"
