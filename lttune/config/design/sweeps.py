"""The paper's own one-factor sweeps of LeNet-300-100 on MNIST (Frankle & Carbin 2019, appendix G).

Every other hyperparameter stays at the base configuration, which must be the paper's Figure 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lttune.config.design.factors import PRUNING_RATE
from lttune.config.design.points import Point, Role
from lttune.config.fields import as_python, is_int, require

NORMAL, GLOROT = "normal", "glorot_normal"
"""Values of ``model.init``: N(0, init_std^2), and the paper's own."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One factor at the paper's values."""

    name: str
    source: str
    """Section and figure of the paper."""
    values: tuple[Any, ...]
    """The paper's grid, in its order."""
    below: tuple[Any, ...]
    """Two more values beyond its low end, the outermost first."""
    above: tuple[Any, ...]
    """Two more values beyond its high end; empty where the factor has no such end."""
    paper: Any
    """The value of Figure 2, None if the sweep does not hold it."""
    hparams: Callable[[Any], dict[str, Any]]
    """What a value overrides, complete: it does not depend on the base configuration's value."""

    def points(
        self, *, replicates: int, beyond: bool = False, beyond_replicates: int | None = None
    ) -> list[Point]:
        """Returns the sweep in the order of its values.

        Args:
            replicates: of each value of the paper, ids from 0.
            beyond: whether values outside of the paper's grid are trained too.
            beyond_replicates: of each of those; None is as many.

        Raises:
            ConfigError: if there would be no replicate.
        """
        replicates, beyond_replicates = as_python((replicates, beyond_replicates))
        outer = replicates if beyond_replicates is None else beyond_replicates
        for name, count in (("replicates", replicates), ("beyond_replicates", outer)):
            require(is_int(count) and count >= 1, name, "a whole number >= 1", count)
        inner: list[tuple[Any, Role, int]] = [
            (v, "paper" if v == self.paper else "sweep", replicates) for v in self.values
        ]
        low: list[tuple[Any, Role, int]] = [(v, "beyond", outer) for v in self.below]
        high: list[tuple[Any, Role, int]] = [(v, "beyond", outer) for v in self.above]
        cells = [*low, *inner, *high] if beyond else inner
        return [
            Point(
                hparams=self.hparams(value),
                replicates=tuple(range(count)),
                role=role,
                label=f"{self.name}={value}",
            )
            for value, role, count in cells
        ]


def _lr(optimizer: str, **fixed: Any) -> Callable[[Any], dict[str, Any]]:
    return lambda lr: {"train.optimizer": optimizer, "train.lr": lr, **fixed}


def _rate(rate: float) -> dict[str, Any]:
    return {"prune.fraction": rate, **{path: k * rate for path, k in PRUNING_RATE.items()}}


def _output_rate(rate: float) -> dict[str, Any]:
    return {**_rate(0.2), "prune.fractions.out": rate}


def _init(value: float | str) -> dict[str, Any]:
    if value == GLOROT:
        return {"model.init": GLOROT}
    return {"model.init": NORMAL, "model.init_std": value}


def _width(widths: str) -> dict[str, Any]:
    return {"model.name": f"lenet-{widths}"}


SWEEPS: dict[str, Sweep] = {
    sweep.name: sweep
    for sweep in (
        Sweep(
            name="adam-lr",
            source="G.2, Figure 26",
            values=(2.5e-5, 5e-5, 2e-4, 8e-4, 1.2e-3, 2e-3, 3.2e-3, 6.4e-3),
            below=(6.25e-6, 1.25e-5),
            above=(1.28e-2, 2.56e-2),
            paper=1.2e-3,
            hparams=_lr("adam"),
        ),
        Sweep(
            name="sgd-lr",
            source="G.3.1, Figure 27",
            values=(0.003125, 0.00625, 0.0125, 0.025, 0.1, 0.4, 0.8, 1.2),
            below=(0.00078125, 0.0015625),
            above=(1.6, 2.4),
            paper=None,
            hparams=_lr("sgd"),
        ),
        Sweep(
            name="momentum-lr",
            source="G.3.2, Figure 28",
            values=(0.003125, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4),
            below=(0.00078125, 0.0015625),
            above=(0.8, 1.6),
            paper=None,
            hparams=_lr("momentum", **{"train.momentum": 0.9}),
        ),
        Sweep(
            name="rate",
            source="G.4, Figure 29",
            values=(0.1, 0.2, 0.4, 0.6, 0.8),
            below=(0.025, 0.05),
            above=(0.9, 0.95),
            paper=0.2,
            hparams=_rate,
        ),
        Sweep(
            name="output-rate",
            source="G.4: the output layer at half the rate, or at all of it",
            values=(0.1, 0.2),
            below=(0.025, 0.05),
            above=(0.4, 0.8),
            paper=0.1,
            hparams=_output_rate,
        ),
        Sweep(
            name="init",
            source="G.5, Figure 30",
            values=(0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, GLOROT),
            below=(0.003125, 0.00625),
            above=(0.8, 1.6),
            paper=GLOROT,
            hparams=_init,
        ),
        Sweep(
            name="width",
            source="G.6, Figure 31",
            values=(
                "25-9",
                "50-17",
                "100-34",
                "150-50",
                "200-67",
                "300-100",
                "400-134",
                "500-167",
                "700-233",
                "900-300",
            ),
            below=("6-2", "12-4"),
            above=("1200-400", "1500-500"),
            paper="300-100",
            hparams=_width,
        ),
    )
}
"""Name -> sweep."""
