"""How the kernels are compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba

_log = logging.getLogger(__name__)


def kernel(**options: Any) -> Any:
    """Returns ``numba.njit`` without the GIL, and without counting references.

    Numba counts the references to an array at every use. In a loop with a branch it does not see
    that this is idle, and calls a function, with all registers saved around it. Kernels only use
    arrays that their caller holds; an allocation in a kernel is an error of compilation.
    """
    compiled: Any = numba.njit
    return compiled(nogil=True, _nrt=False, **options)


def entry(function: Callable[..., Any]) -> Any:
    """Returns a kernel that Python calls; its machine code is kept for later processes.

    Where neither this package's folder nor the user's cache can be written, every process compiles
    for itself.
    """
    try:
        return kernel(cache=True)(function)
    except RuntimeError as error:
        _log.warning("sparse engine: every process compiles its kernels anew: %s", error)
        return kernel()(function)
