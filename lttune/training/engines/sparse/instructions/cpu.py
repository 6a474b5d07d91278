"""The CPU that the kernels are compiled for: this one, or the one that numba's settings name."""

from __future__ import annotations

from typing import Any

from numba.core.registry import cpu_target

INSTRUCTION_SETS = ("avx512f", "avx2", "fma")
"""What changes the instructions of the kernels, and so the rounding."""


def compiled_for() -> tuple[str, frozenset[str]]:
    """Returns LLVM's name of the CPU, and of each feature that it has."""
    context: Any = cpu_target.target_context
    _, name, features = context.codegen().magic_tuple()
    return name, frozenset(f[1:] for f in features.split(",") if f.startswith("+"))


def cpu_name() -> str:
    """Returns the name with the features that matter: a virtual machine may hide some."""
    name, features = compiled_for()
    return "+".join([name, *(feature for feature in INSTRUCTION_SETS if feature in features)])
