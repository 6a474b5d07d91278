"""Responses of each trajectory, on one grid of densities that all trajectories share.

Level k means another density when the pruning fraction changes, so trajectories are compared at
densities: linear in log density between the two nearest networks, recorded values where a density
was reached exactly, and nothing beyond what was reached, nor where a control was not trained at
levels between that its ticket has. What is missing is NaN with a reason.

A trajectory is a replicate of a trial in one branch. A control's gain is against the dense network
of the trunk it left: it has none of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lttune.records.interpolation import SAME, between, falling
from lttune.records.objectives import GRID

TRAJECTORY = ["phase", "trial", "replicate", "branch"]
"""What names a trajectory."""

RESPONSES = ["accuracy", "gain", "log_steps", "steps_bound", "ok", "missing"]
RESPONSE_COLUMNS = [*TRAJECTORY, "density", *RESPONSES]
"""Columns of ``response_table``."""

SUMMARY = ["ticket_density", "is_censored", "gain_auc", "lowest_density", "diverged_at"]
TRAJECTORY_COLUMNS = [*TRAJECTORY, *SUMMARY]
"""Columns of ``trajectory_table``."""

MISSING = ["not reached", "diverged above", "not trained", "no dense network"]
"""Reasons why a density has no accuracy, or no gain."""
NOT_REACHED, DIVERGED_ABOVE, NOT_TRAINED, NO_DENSE = MISSING


def response_table(
    records: pd.DataFrame, *, accuracy: str = "test_accuracy", grid: Sequence[float] = GRID
) -> pd.DataFrame:
    """Returns a row for each trajectory and density of the grid.

    ``accuracy`` names the column to read, a share in [0, 1]; verdicts read test accuracy, choices
    validation accuracy. ``gain`` is accuracy minus that of the dense network of the same replicate.
    ``log_steps`` is the natural logarithm of the early-stopping step over the dense network's;
    where a step that it rests on is censored, ``steps_bound`` says on which side the true value
    lies: ">=" or "<=", or "?" if it may be either. ``ok`` is false where a network that the gain
    rests on diverged: the numbers are then those before the divergence, and ``matrix`` leaves them
    out. ``missing`` is empty or one of ``MISSING``.
    """
    rows = []
    for _, trial in records.groupby(["phase", "trial", "replicate"], sort=True):
        trunk = trial[trial["branch"] == "trunk"].sort_values("level")
        dense = trunk[trunk["level"] == 0]
        for _, networks in trial.groupby("branch", sort=True):
            rows.append(_trajectory(networks, dense, trunk, accuracy, np.asarray(grid, float)))
    if not rows:
        return pd.DataFrame(columns=pd.Index(RESPONSE_COLUMNS))
    return pd.concat(rows, ignore_index=True)


def trajectory_table(
    responses: pd.DataFrame, *, margin: float = 0.002, floor: float = GRID[-1]
) -> pd.DataFrame:
    """Returns a row for each trajectory with what it says as a whole.

    ``ticket_density`` is the lowest density of the grid whose gain is at least ``-margin``;
    ``is_censored`` if the trajectory ends there without divergence, so the true one may be lower;
    NaN without a gain. ``gain_auc`` is the mean gain over log density from the highest density of
    the trajectory to ``floor``, NaN if one on the way is missing or diverged. ``diverged_at`` is
    the highest density of the grid that rests on a diverged network, or lies below one.

    Raises:
        ValueError: if ``floor`` is no density of the grid.
    """
    grid = responses["density"].unique()
    if len(grid) and not np.isclose(grid, floor, rtol=SAME, atol=0).any():
        raise ValueError(f"floor must be a density of the grid, got {floor}")
    rows = []
    for key, group in responses.groupby(TRAJECTORY, sort=True):
        curve = group.sort_values("density", ascending=False)
        ended = (~curve["ok"].astype(bool)) | (curve["missing"] == DIVERGED_ABOVE)
        sound = curve[curve["ok"].astype(bool) & curve["gain"].notna()]
        winning = sound.loc[sound["gain"] >= -margin - 1e-12, "density"]
        ticket = winning.min() if len(winning) else np.nan
        rows.append(
            dict(zip(TRAJECTORY, key, strict=True))
            | {
                "ticket_density": ticket,
                # Below the lowest sound density nothing is known, unless it diverged there.
                "is_censored": len(winning) > 0
                and ticket == sound["density"].min()
                and not ended.any(),
                "gain_auc": _mean_over_log_density(curve, floor),
                "lowest_density": sound["density"].min(),
                "diverged_at": curve.loc[ended, "density"].max(),
            }
        )
    return pd.DataFrame(rows, columns=pd.Index(TRAJECTORY_COLUMNS))


def matrix(
    responses: pd.DataFrame, column: str = "gain", *, index: str | list[str] = "replicate"
) -> pd.DataFrame:
    """Returns one response as a table: a row per trajectory, a column per density from dense down.

    Diverged networks are NaN. ``index`` must name the trajectories: the replicate within a trial,
    or ``["trial", "replicate"]`` within a phase.

    Raises:
        ValueError: if two trajectories share a name: filter by phase and branch before.
    """
    keys = [index] if isinstance(index, str) else index
    sound = responses.assign(value=responses[column].where(responses["ok"].astype(bool)))
    if sound.duplicated([*keys, "density"]).any():
        raise ValueError(f"{' and '.join(keys)} do not name one trajectory each")
    # Not pivot_table: it would drop densities that no trajectory reached.
    table = sound.pivot(index=keys, columns="density", values="value").astype(float)  # noqa: PD010
    return table[sorted(table.columns, reverse=True)]


def _trajectory(
    networks: pd.DataFrame,
    dense: pd.DataFrame,
    trunk: pd.DataFrame,
    accuracy: str,
    grid: np.ndarray,
) -> pd.DataFrame:
    networks = networks.sort_values("level")
    networks = networks.iloc[falling(networks["density"].to_numpy(float))]
    density = networks["density"].to_numpy(float)
    found = between(density, grid)
    left, right, share = found
    gap = _gaps(density, left, right, trunk["density"].to_numpy(float)) & (share > 0)
    reached = (left >= 0) & ~gap

    def read(values: np.ndarray) -> np.ndarray:
        return np.where(reached, found.read(values), np.nan)

    def touches(flags: np.ndarray) -> np.ndarray:
        return reached & (flags[left] | ((share > 0) & flags[right]))

    level = read(networks[accuracy].to_numpy(float))
    steps = read(_log(networks["early_stop_step"]))
    late = touches(networks["early_stop_at_end"].to_numpy(bool))
    bad = touches(networks["diverged"].to_numpy(bool))
    base = dense[accuracy].to_numpy(float)[0] if len(dense) else np.nan
    base_steps = _log(dense["early_stop_step"])[0] if len(dense) else np.nan
    base_late = bool(len(dense) and dense["early_stop_at_end"].iloc[0])
    base_bad = bool(len(dense) and dense["diverged"].iloc[0])
    # The dense network is its own reference: a ratio of 1, censored or not.
    own = np.isclose(grid, 1.0, rtol=SAME, atol=0) & (networks["branch"].iloc[0] == "trunk")
    bound = np.where(late & base_late, "?", np.where(late, ">=", "<=" if base_late else ""))
    ended = trunk.loc[trunk["diverged"].astype(bool), "density"].max()
    missing = np.where(reached, "" if len(dense) else NO_DENSE, NOT_REACHED)
    missing = np.where(~reached & (grid < ended), DIVERGED_ABOVE, missing)
    missing = np.where(gap, NOT_TRAINED, missing)
    return pd.DataFrame(
        {
            **{name: networks[name].iloc[0] for name in TRAJECTORY},
            "density": grid,
            "accuracy": level,
            "gain": level - base,
            "log_steps": steps - base_steps,
            "steps_bound": np.where(reached & ~own & ~np.isnan(steps - base_steps), bound, ""),
            "ok": ~bad & (not base_bad),
            "missing": missing,
        }
    )


def _gaps(
    density: np.ndarray, left: np.ndarray, right: np.ndarray, trunk: np.ndarray
) -> np.ndarray:
    """Returns whether the ticket has a network strictly between the two around each density."""
    high, low = density[left] * (1 - SAME), density[right] * (1 + SAME)
    between = (trunk[None] < high[:, None]) & (trunk[None] > low[:, None])
    return np.asarray(between.any(axis=1))


def _log(steps: pd.Series) -> np.ndarray:
    """Returns logarithms of steps; a best step of 0 has none."""
    values = steps.to_numpy(float)
    return np.log(np.where(values > 0, values, np.nan))


def _mean_over_log_density(curve: pd.DataFrame, floor: float) -> float:
    part = curve[curve["density"] >= floor * (1 - SAME)]
    # A control begins at its first level: what lies above it never was.
    part = part[part["gain"].notna().cummax()]
    x, y = np.log(part["density"].to_numpy(float)), part["gain"].to_numpy(float)
    whole = len(x) > 1 and np.isclose(part["density"].iloc[-1], floor, rtol=SAME, atol=0)
    if not whole or np.isnan(y).any() or not part["ok"].astype(bool).all():
        return float("nan")
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))
