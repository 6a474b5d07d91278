"""The tables that every analysis reads.

``records.parquet`` has a row for each (trial, replicate, branch, level), one trained network: the
columns of ``MEASURES``, one column for each field of the trial's configuration under its
dotted path (``train.lr``, ``prune.fractions.fc1``), one ``density.<layer>`` for each prunable
layer, and two for each measurement of one's own (``OWN_MEASURES``). ``layers.parquet`` has a row
for each (trial, replicate, level, layer) of the trunk: the columns of ``LAYERS``.
``curves.parquet`` has one for each evaluation of each network: the columns of ``CURVE_MEASURES``.
All carry the SHA-256 of their bytes, and name the study that they are of.
"""

from lttune.records.schema.documented import (
    CURVE_MEASURES,
    LAYERS,
    MEASURES,
    ORDER,
    OWN_MEASURES,
    Columns,
)
from lttune.records.schema.files import (
    ANY_STUDY,
    MEND_OF_PARTS,
    about_bytes,
    read,
    read_in_parts,
    require_same_study,
    write,
    write_table,
)
from lttune.records.schema.making import fields_of, kinds_in, table_of, table_of_values, type_of

__all__ = [
    "ANY_STUDY",
    "CURVE_MEASURES",
    "LAYERS",
    "MEASURES",
    "MEND_OF_PARTS",
    "ORDER",
    "OWN_MEASURES",
    "Columns",
    "about_bytes",
    "fields_of",
    "kinds_in",
    "read",
    "read_in_parts",
    "require_same_study",
    "table_of",
    "table_of_values",
    "type_of",
    "write",
    "write_table",
]
