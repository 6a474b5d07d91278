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
from lttune.store.files import require_absent

_AT_ONCE = 1 << 13
"""Rows of a table that are in memory as Python's values."""
FACTS = ("number", "phase", "role", "label", "state", "replicates", "controls", "inert")
OUTCOMES = ("objective", "values", "seconds", "error")
"""Columns of ``trials.csv`` beside the hyperparameters, before and after them."""


def write_csv(folder: Folder, path: Path) -> list[str]:
    """Writes records.csv, layers.csv and trials.csv; returns a line for each of them.

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
    trials = _trials(folder)
    with new_folder(path) as draft:
        for name, (table, columns) in tables.items():
            save_csv_parts(_parts(table, columns), draft / name)
        save_csv(trials, draft / "trials.csv")
    counts = {name: len(table) for name, (table, _) in tables.items()}
    return [f"{name}: {n} rows" for name, n in {**counts, "trials.csv": len(trials)}.items()]


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
