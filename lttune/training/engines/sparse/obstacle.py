"""Whether the sparse engine's kernels work here: numba is an optional part of an installation."""

from __future__ import annotations


def obstacle(*, convolutional: bool = False, residual: bool = False) -> str:
    """Returns why the kernels cannot be used in this process, "" if they can.

    Those of convolutions and of residual networks are asked for only where there are some.

    It imports and compiles them: being installed, numba may still refuse to work, for instance with
    a NumPy that is newer than itself. The first time on a machine that takes about 20 seconds, and
    spares every worker doing the same; later they come from numba's cache, in a second.
    """
    try:
        from lttune.training.engines.sparse.engine import compile_kernels

        compile_kernels()
        if convolutional:
            from lttune.training.engines.sparse.convolutions import session

            session.compile_kernels()
        if residual:
            from lttune.training.engines.sparse.residual import session as residual_session

            residual_session.compile_kernels()
    except ModuleNotFoundError as error:
        if error.name == "numba":
            return "numba is not installed"
        return _unusable(error)
    except Exception as error:  # What numba, LLVM and their loaders raise has no common class.
        return _unusable(error)
    return ""


def _unusable(error: Exception) -> str:
    first, *_ = [*str(error).splitlines(), ""]
    return f"numba does not work here ({type(error).__name__}: {first})"
