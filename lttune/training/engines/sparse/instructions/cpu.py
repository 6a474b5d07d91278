"""The CPU that the kernels are compiled for: this one, or the one that numba's settings name."""

from __future__ import annotations

from typing import Any

from numba.core.registry import cpu_target

FEATURES = ("avx512f", "avx2", "fma")
"""What changes the instructions of the kernels, and so the rounding."""


def target() -> tuple[str, frozenset[str]]:
    """Returns LLVM's name of the CPU, and of each feature that it has."""
    context: Any = cpu_target.target_context
    _, name, features = context.codegen().magic_tuple()
    return name, frozenset(f[1:] for f in features.split(",") if f.startswith("+"))


def described() -> str:
    """Returns the name with the features that matter: a virtual machine may hide some."""
    name, features = target()
    return "+".join([name, *(feature for feature in FEATURES if feature in features)])
