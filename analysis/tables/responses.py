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
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from analysis.tables.censoring import is_censored
from lttune.config.control import TRUNK
from lttune.records.interpolation import SAME, between, falling
from lttune.records.objectives import DENSITY_GRID

TRAJECTORY = ["phase", "trial", "replicate", "branch"]
"""What names a trajectory."""

RESPONSES = ["accuracy", "gain", "log_steps", "steps_bound", "ok", "missing"]
RESPONSE_COLUMNS = [*TRAJECTORY, "density", *RESPONSES]
"""Columns of ``response_table``."""

SUMMARY = ["ticket_density", "is_censored", "gain_auc", "lowest_density", "diverged_at"]
TRAJECTORY_COLUMNS = [*TRAJECTORY, *SUMMARY]
"""Columns of ``trajectory_table``."""

NEAR = 0.01
"""Share by which a trajectory may end above a density, or a control begin below it, and is read
there all the same: a twentieth of a level."""

MISSING = ["not reached", "diverged above", "not trained", "no dense network"]
"""Reasons why a density has no accuracy, or no gain."""
NOT_REACHED, DIVERGED_ABOVE, NOT_TRAINED, NO_DENSE = MISSING


def response_table(
    records: pd.DataFrame,
    *,
    accuracy: str = "test_accuracy",
    grid: Sequence[float] = DENSITY_GRID,
    branch: str | None = None,
) -> pd.DataFrame:
    """Returns a row for each trajectory and density of the grid.

    ``accuracy`` names the column to read, a share in [0, 1]; verdicts read test accuracy, choices
    validation accuracy. ``gain`` is accuracy minus that of the dense network of the same replicate.
    ``log_steps`` is the natural logarithm of the early-stopping step over the dense network's;
    where a step that it rests on is censored, ``steps_bound`` says on which side the true value
    lies: ">=" or "<=", or "?" if it may be either. ``ok`` is false where a network that the gain
    rests on diverged: the numbers are then those before the divergence, and ``matrix`` leaves them
    out. Between levels it is linear in log density; beyond a trajectory's ends nothing is read but
    within ``NEAR`` of them. ``missing`` is empty or one of ``MISSING``. With ``branch`` only its
    rows are returned; the records hold the trunk that it left all the same.
    """
    wanted = np.asarray(grid, float)
    recorded = _recorded(records, accuracy)
    names = records.groupby("branch", sort=True).ngroup().to_numpy()
    firsts: list[int] = []
    found: list[dict[str, np.ndarray]] = []
    for trial in _groups(records, TRAJECTORY[:-1]):
        trunk = recorded.at(trial[recorded.is_trunk[trial]])
        for name in np.unique(names[trial]):
            places = trial[names[trial] == name]
            if name < 0 or branch not in (None, records["branch"].iloc[places[0]]):
                continue
            firsts.append(int(places[0]))
            found.append(_trajectory(recorded.at(places), trunk, wanted))
    if not found:
        return pd.DataFrame(columns=pd.Index(RESPONSE_COLUMNS))
    named = {
        name: pd.Series(records[name].iloc[firsts].tolist()).repeat(len(wanted)).array
        for name in TRAJECTORY
    }
    read = {name: np.concatenate([one[name] for one in found]) for name in RESPONSES}
    return pd.DataFrame({**named, "density": np.tile(wanted, len(found)), **read})


def trajectory_table(
    responses: pd.DataFrame, *, margin: float = 0.002, floor: float = DENSITY_GRID[-1]
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
    if isinstance(index, str):
        place, names = pd.factorize(responses[index], sort=True, use_na_sentinel=False)
        rows = pd.Index(names, name=index)
    else:
        keys = pd.MultiIndex.from_frame(responses[index])
        place, names = keys.factorize(sort=True, use_na_sentinel=False)
        rows = pd.MultiIndex.from_tuples(list(names), names=index)
    densities, column_place = np.unique(responses["density"].to_numpy(float), return_inverse=True)
    once = np.unique(place * len(densities) + column_place)
    if len(once) < len(responses):
        named = index if isinstance(index, str) else " and ".join(index)
        raise ValueError(f"{named} do not name one trajectory each")
    values = np.full((len(rows), len(densities)), np.nan)
    is_sound = responses["ok"].to_numpy(bool)
    values[place, column_place] = np.where(is_sound, responses[column].to_numpy(float), np.nan)
    return pd.DataFrame(
        values[:, ::-1], index=rows, columns=pd.Index(densities[::-1], name="density")
    )


@dataclass(frozen=True, kw_only=True)
class _Networks:
    """What responses rest on, of each network: a table's columns are slow to take by the row."""

    is_trunk: np.ndarray
    level: np.ndarray
    density: np.ndarray
    accuracy: np.ndarray
    log_step: np.ndarray
    is_late: np.ndarray
    is_diverged: np.ndarray

    def at(self, places: np.ndarray) -> _Networks:
        """Returns the networks at some places, by their level."""
        order = places[np.argsort(self.level[places], kind="stable")]
        return _Networks(**{one.name: getattr(self, one.name)[order] for one in fields(self)})


def _recorded(records: pd.DataFrame, accuracy: str) -> _Networks:
    return _Networks(
        is_trunk=records["branch"].eq(TRUNK).to_numpy(bool),
        level=records["level"].to_numpy(),
        density=records["density"].to_numpy(float),
        accuracy=records[accuracy].to_numpy(float),
        log_step=_log(records["early_stop_step"]),
        is_late=is_censored(records),
        is_diverged=records["diverged"].to_numpy(bool),
    )


def _groups(records: pd.DataFrame, keys: Sequence[str]) -> list[np.ndarray]:
    """Returns the places of the rows of each group, in the order of its keys."""
    number = records.groupby(list(keys), sort=True).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    order = order[number[order] >= 0]
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(order) else []


def _trajectory(networks: _Networks, trunk: _Networks, grid: np.ndarray) -> dict[str, np.ndarray]:
    places = falling(networks.density)
    density = networks.density[places]
    found = between(density, grid, NEAR)
    left, right, share = found
    gap = _gaps(density, left, right, trunk.density) & (share > 0)
    reached = (left >= 0) & ~gap

    def read(values: np.ndarray) -> np.ndarray:
        return np.where(reached, found.read(values[places]), np.nan)

    def touches(flags: np.ndarray) -> np.ndarray:
        mine = flags[places]
        return reached & (mine[left] | ((share > 0) & mine[right]))

    level, steps = read(networks.accuracy), read(networks.log_step)
    late, bad = touches(networks.is_late), touches(networks.is_diverged)
    dense = np.flatnonzero(trunk.level == 0)[:1]
    has_dense = len(dense) > 0
    base = trunk.accuracy[dense[0]] if has_dense else np.nan
    base_steps = trunk.log_step[dense[0]] if has_dense else np.nan
    base_late = bool(has_dense and trunk.is_late[dense[0]])
    base_bad = bool(has_dense and trunk.is_diverged[dense[0]])
    # The dense network is its own reference: a ratio of 1, censored or not.
    own = np.isclose(grid, 1.0, rtol=SAME, atol=0) & networks.is_trunk[0]
    bound = np.where(late & base_late, "?", np.where(late, ">=", "<=" if base_late else ""))
    ended = trunk.density[trunk.is_diverged].max(initial=-np.inf)
    missing = np.where(reached, "" if has_dense else NO_DENSE, NOT_REACHED)
    missing = np.where(~reached & (grid < ended), DIVERGED_ABOVE, missing)
    missing = np.where(gap, NOT_TRAINED, missing)
    return {
        "accuracy": level,
        "gain": level - base,
        "log_steps": steps - base_steps,
        "steps_bound": np.where(reached & ~own & ~np.isnan(steps - base_steps), bound, ""),
        "ok": ~bad & (not base_bad),
        "missing": missing,
    }


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
