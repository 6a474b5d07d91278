"""A study's tables as CSV: what every other tool reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from lttune.exchange.studies.folder import Folder, new_folder, scalar
from lttune.records import schema
from lttune.records.columns import require_columns
from lttune.records.folder import read_table, require_rows
from lttune.records.spreadsheet import save_csv
from lttune.store.files import require_absent

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
    require_rows(table, map(vars, folder.trials), (row["trial"] for row in layers))
    tables = {
        "records.csv": _table(folder.rows, list(schema.MEASURES)),
        "layers.csv": _table(layers, list(schema.LAYERS)),
        "trials.csv": _trials(folder),
    }
    with new_folder(path) as draft:
        for name, table in tables.items():
            save_csv(table, draft / name)
    return [f"{name}: {len(table)} rows" for name, table in tables.items()]


def _table(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    # As objects: a column of whole numbers with a gap would become one of floats.
    if rows:
        return pd.DataFrame(rows, columns=pd.Index(list(rows[0])), dtype=object)
    return pd.DataFrame(columns=pd.Index(columns))


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
