"""Safetensors files that the umask decides about, as about every other file of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes the bytes that ``safetensors.torch.save_file`` would write.

    That writes (0.8) through a file of its own in the same folder, which only its owner may read
    and which stays there if the process is killed.

    Args:
        path: the file; one that is there is replaced.
        tensors: contiguous and dense.
        metadata: texts that are kept beside them.

    Raises:
        OSError: if it cannot be written.
    """
    path.write_bytes(save(dict(tensors), None if metadata is None else dict(metadata)))
