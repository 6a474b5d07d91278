"""The tables of a study: a row for each trained network, and one for each layer of a ticket."""

from lttune.records.tables.files import (
    TABLES,
    Row,
    journaled,
    rows_in,
    sound_rows,
    whole_tables,
)
from lttune.records.tables.tables import Tables

__all__ = ["TABLES", "Row", "Tables", "journaled", "rows_in", "sound_rows", "whole_tables"]
