"""The paper's loop, the branches that leave it, and each network trained once.

The package itself can be called: ``from lttune import trajectory`` gives what is both the package
and ``lttune.trajectory.notebook.trajectory``, since a name of lttune's has one meaning.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lttune.trajectory.notebook import Trajectory


class _CallablePackage(ModuleType):
    """A package that is called by its name; type checkers are shown the function."""

    def __call__(self, *arguments: Any, **settings: Any) -> Trajectory:
        """Returns one trajectory: see ``lttune.trajectory.notebook.trajectory``."""
        # PyTorch takes a second to import, and who imports the package may not need it.
        from lttune.trajectory.notebook import trajectory

        return trajectory(*arguments, **settings)

    @property
    def __signature__(self) -> inspect.Signature:
        """The function's own, as ``help`` and notebooks show it."""
        from lttune.trajectory.notebook import trajectory

        return inspect.signature(trajectory)


_package = sys.modules[__name__]
_package.__class__ = _CallablePackage
