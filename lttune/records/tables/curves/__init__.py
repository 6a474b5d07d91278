"""``curves.parquet``: each evaluation of each network of a study, in the order of the records."""

from lttune.records.tables.curves.evaluated import (
    CURVE_KEY,
    CURVES_FILE,
    NetworkKey,
    curve_counts,
    curve_parts,
)
from lttune.records.tables.curves.gathered import Gathered, gather_curves

__all__ = [
    "CURVES_FILE",
    "CURVE_KEY",
    "Gathered",
    "NetworkKey",
    "curve_counts",
    "curve_parts",
    "gather_curves",
]
