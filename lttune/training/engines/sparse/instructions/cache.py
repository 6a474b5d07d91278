"""How the kernels are compiled."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import NullCache

import lttune

COMPILING = "LTTUNE_COMPILING"
"""Set in the process that fills numba's cache."""

ENGINE = "lttune.training.engines.sparse.engine"

_log = logging.getLogger(__name__)


def kernel(**options: Any) -> Any:
    """Returns ``numba.njit`` without the GIL, and without counting references.

    Numba counts the references to an array at every use. In a loop with a branch it does not see
    that this is idle, and calls a function, with all registers saved around it. Kernels only use
    arrays that their caller holds; an allocation in a kernel is an error of compilation.
    """
    compiled: Any = numba.njit
    return compiled(nogil=True, _nrt=False, **options)


def entry(function: Callable[..., Any], compiled_by: str = ENGINE) -> Any:
    """Returns a kernel that Python calls; its machine code is kept for later processes.

    ``compiled_by`` is a module whose ``compile_kernels`` calls it and all that have the same one.

    A process that compiles rounds otherwise than one that loads the same kernels from the cache:
    it calls them as they were compiled one by one, not as they were compiled with their caller.
    Hence what the cache lacks is compiled by another process, and all load it. Where neither this
    package's folder nor the user's cache can be written, every process compiles for itself.
    """
    try:
        made = kernel(cache=True)(function)
    except RuntimeError as error:
        _log.warning("sparse engine: every process compiles its kernels anew: %s", error)
        return kernel()(function)
    # Without its compiler numba gives the function back.
    if COMPILING in os.environ or not hasattr(made, "overloads"):
        return made
    compile_here = made.compile

    def load(signature: Any) -> Any:
        if not _is_cached(made, signature):
            _fill(compiled_by)
        return compile_here(signature)

    made.compile = load
    return made


def is_kept(made: Any) -> bool:
    """Returns whether an entry's machine code is kept for later processes."""
    return not isinstance(made._cache, NullCache)


def _is_cached(made: Any, signature: Any) -> bool:
    cache = made._cache
    key, file = cache._index_key(signature, made.targetctx.codegen()), cache._cache_file
    try:
        return key in file._load_index()
    except Exception:
        # Of an earlier version, whose types had other names: numba (0.68) unpickles them before it
        # looks whether the sources are the same, and would raise for ever.
        with contextlib.suppress(OSError):
            Path(file._index_path).unlink()
        return False


def _fill(compiled_by: str) -> None:
    """Compiles a module's entries in another process; what fails there will be raised here."""
    paths = [str(Path(lttune.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {compiled_by} import compile_kernels; compile_kernels()",
        ],
        env={**os.environ, COMPILING: "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def sources_digest() -> str:
    """Returns a digest of the whole engine: what a kernel is made of lies in many files.

    numba's cache looks at the file of an entry only. An entry that closes over the digest has it in
    its key, so that a changed kernel is never served stale.
    """
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
