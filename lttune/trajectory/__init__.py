"""The paper's loop, the branches that leave it, and each network trained once.

The package itself can be called: ``from lttune import trajectory`` gives what is both the package
and ``lttune.trajectory.notebook.trajectory``, since a name of lttune's has one meaning.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lttune.config import LotteryConfig
    from lttune.config.control import ControlName
    from lttune.config.machine import DeviceName, EngineName
    from lttune.models.own.code import NetworkFunction
    from lttune.trajectory.notebook import MeasureFunction, Trajectory


class _CallablePackage(ModuleType):
    """A package that is called by its name."""

    def __call__(
        self,
        config: LotteryConfig,
        *,
        controls: Sequence[ControlName] = (),
        control_densities: Sequence[float] = (),
        network: NetworkFunction | None = None,
        measure: MeasureFunction | None = None,
        store: Path | str | None = None,
        replicate: int = 0,
        seed: int = 0,
        engine: EngineName = "auto",
        device: DeviceName = "cpu",
    ) -> Trajectory:
        """Returns one trajectory: see ``lttune.trajectory.notebook.trajectory``."""
        # PyTorch takes a second to import, and who imports the package may not need it.
        from lttune.trajectory.notebook import trajectory

        return trajectory(
            config,
            controls=controls,
            control_densities=control_densities,
            network=network,
            measure=measure,
            store=store,
            replicate=replicate,
            seed=seed,
            engine=engine,
            device=device,
        )


_package = sys.modules[__name__]
_package.__class__ = _CallablePackage
