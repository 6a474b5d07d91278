"""Columns of the records that hold measurements of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lttune.records.schema import OWN_MEASURES


def own_columns(
    history: Sequence[Mapping[str, Any]], best: Mapping[str, Any], end: Mapping[str, Any]
) -> dict[str, float | None]:
    """Returns the measurements at the early-stopping step and after the last step, by column.

    Args:
        history: of a training; entries that were measured have ``measured``.
        best: its entry at the early-stopping step.
        end: that of its end, which is not measured if it diverged.
    """
    names = history[0].get("measured", {})
    return {
        f"{prefix}{name}": entry.get("measured", {}).get(name)
        for prefix, entry in zip(OWN_MEASURES, (best, end), strict=True)
        for name in names
    }
