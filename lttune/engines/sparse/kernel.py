"""How the kernels are compiled."""

from __future__ import annotations

from typing import Any

import numba


def kernel(**options: Any) -> Any:
    """Returns ``numba.njit`` without the GIL, and without counting references.

    Numba counts the references to an array at every use. In a loop with a branch it does not see
    that this is idle, and calls a function, with all registers saved around it. Kernels only use
    arrays that their caller holds; an allocation in a kernel is an error of compilation.
    """
    compiled: Any = numba.njit
    return compiled(nogil=True, _nrt=False, **options)
