"""Importance curves: which factor matters at which density, of all trajectories that have it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pandas as pd

from analysis.importance.estimate import importance
from analysis.importance.missing import missing_table
from analysis.importance.result import Importance
from analysis.processes import in_turn
from lttune.config.design import SPREAD, Factor

MAX_MISSING = 0.1
"""Share of trajectories that may lack a density; at one that more of them lack, the curves end."""

STRIP = [
    "density",
    "status",
    "reason",
    "trajectories",
    "signal_variance",
    "signal_low",
    "signal_high",
    "seed_variance",
    "q2",
    "z_sd",
    "coverage",
    "forest_r2",
]
"""Columns of ``ImportanceCurves.strip``: shares mean little where there is hardly any variance to
share."""

QUALITY = ("q2", "z_sd", "coverage")
"""Those of ``STRIP`` that say how well the surrogate predicts."""


@dataclass(frozen=True, kw_only=True)
class ImportanceCurves:
    """Importances at each density, from dense down."""

    table: pd.DataFrame
    """``Importance.table`` of every density that has numbers, with a column ``density``."""
    strip: pd.DataFrame
    """One row per density: columns ``STRIP``."""
    missing: pd.DataFrame
    """As ``missing_table``, of all densities."""
    ended: str
    """Why the curves end before the last density, empty if they do not."""
    estimates: dict[float, Importance]
    """Density -> estimate; draws belong together across densities, resample by resample. A
    trajectory without a value is missing from those of that density alone."""


def importance_by_density(
    points: pd.DataFrame,
    responses: pd.DataFrame,
    factors: Sequence[Factor],
    *,
    diverged: Literal["missing", "kept"] = "missing",
    seed: int = 0,
    every: Callable[[Sequence[Callable[[], Importance]]], list[Importance]] = in_turn,
    **options: Any,
) -> ImportanceCurves:
    """Returns the importances at each density, of all trajectories that have a value there.

    From dense down, a density is taken while at most 10 % of the trajectories lack it. Who lacks
    one is left out there and nowhere else: those that end early are not drawn at random, and
    without them the shares at the densities above would be of another distribution than the
    design's. ``missing`` says how many they are and whether that depends on a factor.

    Args:
        points: as for ``importance``.
        responses: columns ``trial``, ``replicate``, ``density``, ``value`` and ``ok``.
        factors: the declared distributions.
        diverged: whether values of trajectories that are not ok count as missing, or are kept, and
            then take over the variance.
        seed: the same at all densities, so that resamples are.
        every: returns what each call returns, of one for each density.
        options: of ``importance``.

    Raises:
        ValueError: if the tables do not fit together.
    """
    if responses.duplicated(["trial", "replicate", "density"]).any():
        raise ValueError("responses list a trajectory twice at one density")
    if "role" in points:
        points = points[points["role"].isin(SPREAD)]
        responses = responses[responses["trial"].isin(points["trial"])]
    value = responses["value"].astype(float)
    if diverged == "missing":
        value = value.where(responses["ok"].astype(bool))
    keys = ["trial", "replicate", "density"]
    wide = responses.assign(value=value).set_index(keys)["value"].unstack()  # noqa: PD010
    wide = wide[sorted(wide.columns, reverse=True)]
    lost = wide.isna().mean()
    taken = list(itertools.takewhile(lambda density: lost[density] <= MAX_MISSING, wide.columns))
    ended = ""
    if len(taken) < len(wide.columns):
        density = wide.columns[len(taken)]
        ended = (
            f"at density {density:.3g}, {100 * lost[density]:.0f} % of the trajectories have no "
            f"value, more than {100 * MAX_MISSING:.0f} %"
        )
    calls = [
        partial(
            importance,
            points,
            wide[density].rename("value").reset_index(),
            factors,
            seed=seed,
            **options,
        )
        for density in taken
    ]
    estimates = dict(zip(map(float, taken), every(calls), strict=True))
    tables = [e.table.assign(density=d) for d, e in estimates.items() if e.status == "ok"]
    return ImportanceCurves(
        table=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(),
        strip=pd.DataFrame([_strip(d, e) for d, e in estimates.items()], columns=pd.Index(STRIP)),
        missing=missing_table(wide, points, factors, unit=options.get("unit", False)),
        ended=ended,
        estimates=estimates,
    )


def left_out_table(curves: ImportanceCurves) -> pd.DataFrame:
    """Returns what the surrogate of each density predicts of each point from all others.

    Columns density, trial, observed (the mean of the point's replicates), predicted, and deviation
    (standard deviation of the prediction); also at densities where the surrogate is too poor.
    """
    tables = [
        pd.DataFrame(
            {
                "density": density,
                "trial": estimate.quality.trials,
                "observed": estimate.quality.observed,
                "predicted": estimate.quality.predicted,
                "deviation": estimate.quality.deviation,
            }
        )
        for density, estimate in curves.estimates.items()
        if estimate.quality is not None
    ]
    columns = ["density", "trial", "observed", "predicted", "deviation"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _strip(density: float, estimate: Importance) -> dict[str, Any]:
    names = [name for name in STRIP if name not in ("density", *QUALITY)]
    found = {name: getattr(estimate.quality, name, float("nan")) for name in QUALITY}
    return {"density": density, **found, **{name: getattr(estimate, name) for name in names}}
