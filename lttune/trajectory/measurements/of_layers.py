"""What a ticket's weights look like, layer by layer: Frankle & Carbin (2019), Appendix F.

The columns are those of ``records.LAYERS``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lttune.models.layers import weight_name
from lttune.models.masks import Weights
from lttune.pruning.ranks import quantiles
from lttune.trajectory.task import Level, weights_of

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def of_level(level: Level) -> list[dict[str, Any]]:
    """Returns a row for each prunable layer of a trained level of the trunk."""
    at, mask, start = level.junction, level.ticket.mask, level.ticket.start
    end = _end(level)
    dense = end if level.level == 0 else at.dense
    rows: list[dict[str, Any]] = []
    for layer, kind in at.network.kinds.items():
        name = weight_name(layer)
        keep, initial = mask[name].numpy(), at.initial[name].numpy().ravel()
        # Taking at places is four times as fast as by a mask.
        kept, pruned = np.flatnonzero(keep), np.flatnonzero(~keep)
        after = end[name].numpy().ravel() if end else None
        row = {
            "replicate": level.replicate,
            "level": level.level,
            "layer": layer,
            "kind": kind,
            "size": keep.size,
            "surviving": len(kept),
            **_initial(initial[kept]),
            **_moved(start[name].numpy().ravel()[kept], None if after is None else after[kept]),
            **_connections("incoming", keep.reshape(len(keep), -1).sum(1)),
            **_connections("outgoing", keep.sum(tuple(i for i in range(keep.ndim) if i != 1))),
        }
        row |= _moved_densely(initial, dense[name].numpy().ravel() if dense else None, kept, pruned)
        rows.append(row)
    return rows


def _end(level: Level) -> Weights | None:
    """Returns the weights at the end of a level's training; None if it diverged."""
    if level.stored.cell.record["measures"]["diverged"]:
        return None
    if level.level == 1 and level.junction.config.method == "supermask":
        return level.ticket.start  # The cell holds the mask's logits; the weights stayed.
    return weights_of(level.stored.cell, level.junction.network)


def _initial(values: np.ndarray) -> dict[str, float | None]:
    """Describes the initial values of survivors (float32, [S])."""
    names = [f"q{round(100 * q):02d}" for q in QUANTILES]
    if not len(values):
        names = ["mean", "std", *names, "positive", "bimodality"]
        return {f"initial_{name}": None for name in names}
    size = np.abs(values)
    found: dict[str, float | None] = {
        "mean": float(size.mean(dtype=np.float64)),
        "std": float(size.std(dtype=np.float64)),
        **dict(zip(names, quantiles(size, QUANTILES), strict=True)),
        "positive": _share(values > 0),
        "bimodality": _bimodality(values.astype(np.float64)),
    }
    return {f"initial_{name}": value for name, value in found.items()}


def _bimodality(values: np.ndarray) -> float | None:
    """Returns (skewness^2 + 1) / kurtosis; None if all values are equal."""
    around = values - values.mean()
    square = around * around
    variance = square.mean()
    if variance == 0:
        return None
    skewness = np.dot(square, around) / len(around) / variance**1.5
    kurtosis = np.dot(square, square) / len(around) / variance**2
    return float((skewness**2 + 1) / kurtosis)


def _moved(start: np.ndarray, end: np.ndarray | None) -> dict[str, float | None]:
    """Describes how survivors moved in their training (float32, [S])."""
    if end is None or not len(start):
        return {"moved": None, "moved_relative": None, "sign_changes": None}
    moved = float(np.abs(end - start).mean(dtype=np.float64))
    size = float(np.abs(start).mean(dtype=np.float64))
    return {
        "moved": moved,
        "moved_relative": moved / size if size else None,
        "sign_changes": _share(((end > 0) != (start > 0)) | ((end < 0) != (start < 0))),
    }


def _moved_densely(
    initial: np.ndarray, dense: np.ndarray | None, kept: np.ndarray, pruned: np.ndarray
) -> dict[str, float | None]:
    """Describes how the dense training moved the weights at the places (int) of two groups."""
    groups = {"kept": kept, "pruned": pruned}
    found: dict[str, float | None] = {
        f"dense_{what}_{which}": None for which in groups for what in ("moved", "grown")
    }
    if dense is None:
        return found
    moved, grown = np.abs(dense - initial), np.abs(dense) > np.abs(initial)
    for which, places in groups.items():
        if len(places):
            found[f"dense_moved_{which}"] = float(moved[places].mean(dtype=np.float64))
            found[f"dense_grown_{which}"] = _share(grown[places])
    return found


def _share(claims: np.ndarray) -> float:
    """Returns the share of an array of bools that is True."""
    return int(np.count_nonzero(claims)) / claims.size


def _connections(name: str, counts: np.ndarray) -> dict[str, float]:
    """Describes how many survivors each unit has (int, [U])."""
    return {
        f"{name}_mean": float(counts.mean()),
        f"{name}_std": float(counts.std()),
        f"{name}_max": int(counts.max()),
        f"{name}_none": int((counts == 0).sum()),
    }
