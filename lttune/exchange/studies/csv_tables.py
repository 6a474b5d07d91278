"""A study's tables as CSV: what every other tool reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lttune.exchange.studies.folder import Folder, new_folder, scalar
from lttune.records import schema
from lttune.records.columns import require_columns
from lttune.records.folder import read_table, require_rows
from lttune.records.spreadsheet import save_csv, save_csv_parts
from lttune.records.tables import columns_of, trial_counts
from lttune.records.tables.curves import CURVES_FILE, curve_parts
from lttune.store.files import require_absent

_AT_ONCE = 1 << 13
"""Rows of a table that are in memory as Python's values."""
FACTS = ("number", "phase", "role", "label", "state", "replicates", "controls", "inert")
OUTCOMES = ("objective", "values", "seconds", "error")
"""Columns of ``trials.csv`` beside the hyperparameters, before and after them."""


def write_csv(folder: Folder, path: Path) -> list[str]:
    """Writes records.csv, layers.csv, trials.csv and, of a study with learning curves, curves.csv.

    Returns a line for each of them.

    Cells that are null stay empty; numbers are written with all their digits; text that a
    spreadsheet would compute has an apostrophe before it.

    Raises:
        StorageError: if the folder is there already, or the table of layers cannot be read.
    """
    require_absent(path)
    table = folder.path / "layers.parquet"
    layers = read_table(table, ("trial",), folder.sheet.get("study_id"))
    require_columns(table, layers, ("trial",), schema.LAYERS)
    require_rows(table, map(vars, folder.trials), trial_counts(layers))
    tables = {"records.csv": (folder.records, schema.MEASURES)}
    tables["layers.csv"] = (layers, schema.LAYERS)
    trials, curves = _trials(folder), folder.path / CURVES_FILE
    counts = {name: len(table) for name, (table, _) in tables.items()}
    counts["trials.csv"] = len(trials)
    with new_folder(path) as draft:
        for name, (table, columns) in tables.items():
            save_csv_parts(_parts(table, columns), draft / name)
        save_csv(trials, draft / "trials.csv")
        if curves.exists():
            counts["curves.csv"] = _write_curves(curves, folder, draft / "curves.csv")
    return [f"{name}: {n} rows" for name, n in counts.items()]


def _write_curves(curves: Path, folder: Folder, path: Path) -> int:
    """Writes curves, of which only some are in memory; returns how many rows they have."""
    count = 0

    def parts() -> Iterator[pd.DataFrame]:
        nonlocal count
        for table in curve_parts(curves, folder.sheet.get("study_id")):
            if count == 0 or len(table):
                yield from _parts(table, schema.CURVE_MEASURES)
            count += len(table)

    save_csv_parts(parts(), path)
    return count


def _parts(table: pa.Table, columns: schema.Columns) -> Iterator[pd.DataFrame]:
    if not len(table):
        yield pd.DataFrame(columns=pd.Index(list(columns)))
    for first in range(0, len(table), _AT_ONCE):
        found = columns_of(table.slice(first, _AT_ONCE))
        # As objects: a column of whole numbers with a gap would become one of floats.
        cells = {name: column.to_pylist() for name, column in found.items()}
        yield pd.DataFrame(cells, dtype=object)


def _trials(folder: Folder) -> pd.DataFrame:
    """Returns a row for each trial, with every hyperparameter that a trial of the study varies."""
    varied = {path for trial in folder.trials for path in trial.hparams}
    paths = sorted(varied | folder.sheet["space"].keys())
    facts = {
        name: [scalar(getattr(trial, name)) for trial in folder.trials]
        for name in (*FACTS, *OUTCOMES)
    }
    columns = {name: facts[name] for name in FACTS}
    columns |= folder.columns(paths, folder.trials)
    return pd.DataFrame(columns | {name: facts[name] for name in OUTCOMES}, dtype=object)
