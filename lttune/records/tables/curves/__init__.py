"""``curves.parquet``: each evaluation of each network of a study, in the order of the records."""

from lttune.records.tables.curves.evaluated import (
    CURVES_FILE,
    NETWORK,
    NetworkKey,
    curve_counts,
    curve_parts,
)
from lttune.records.tables.curves.gathered import Gathered, gather_curves

__all__ = [
    "CURVES_FILE",
    "NETWORK",
    "Gathered",
    "NetworkKey",
    "curve_counts",
    "curve_parts",
    "gather_curves",
]
