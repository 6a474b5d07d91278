"""The tables of a study: a row for each trained network, and one for each layer of a ticket."""

from lttune.records.tables.files import TABLES, Row, columns_of, journaled
from lttune.records.tables.reading import (
    rows_in,
    sound_table,
    table_in,
    trial_counts,
    whole_tables,
)
from lttune.records.tables.tables import Tables
from lttune.records.tables.trial_rows import TrialRows

__all__ = [
    "TABLES",
    "Row",
    "Tables",
    "TrialRows",
    "columns_of",
    "journaled",
    "rows_in",
    "sound_table",
    "table_in",
    "trial_counts",
    "whole_tables",
]
