"""The folder of a study as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lttune.config import flatten
from lttune.config.lottery.length import joined_settings
from lttune.config.phase import Phase, phase_names
from lttune.errors import DamagedError, StorageError
from lttune.records import schema
from lttune.records.folder import (
    read_listing,
    read_sheet,
    require_bounded_trials,
    require_rows,
)
from lttune.records.ledger import ENDED
from lttune.records.schema import require_same_study
from lttune.records.tables import TABLES, columns_of, sound_table, trial_counts
from lttune.records.tables.curves import CURVES_FILE, curve_parts
from lttune.records.tables.frames import frame_of
from lttune.store.files import read_whole
from lttune.store.formats.journal import size_with_journal
from lttune.store.formats.parquet import VALUE_BYTES
from lttune.store.regular import most_memory, regular_size
from lttune.store.sealed import BLANK, verify

KEY = ["phase", "trial", "replicate", "branch", "level"]
"""What names one row of the records: one trained network."""

TRIAL = ["number", "phase", "label", "hparams", "replicates", "state", "objective", "seconds"]
TRIAL_COLUMNS = [*TRIAL, "values", "error", "role"]
"""Columns of ``StudyFrame.trials``; ``hparams`` holds a mapping, ``replicates`` a list and
``values`` a list of all values of the objective, None without one. ``role`` is missing where a
point has no part in a comparison."""

LOADED_OF_SHEET = ("name", "lottery")
"""Fields of ``study.json`` without which nothing can be said of a study."""
_NUMBER_BYTES = 8
"""Bytes of a number in a column."""
LOADED_OF_TRIAL = ("number", "phase", "label", "hparams", "state")
"""Likewise, of each trial in ``trials.json``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyFrame:
    """What a study wrote, finished or not; equal to itself alone: tables are not compared."""

    folder: Path
    """Where it was read from."""
    info: dict[str, Any]
    """``study.json``: question, settings, provenance."""
    trials: pd.DataFrame
    """One row per trial, in the order of their numbers."""
    records: pd.DataFrame
    """One row per trained network, with the columns of ``lttune.records.schema``."""
    layers: pd.DataFrame
    """One row per prunable layer of each ticket; empty where a study measured none."""
    incomplete: str
    """Empty if every planned trial has ended, else e.g. "incomplete: 9 of 15 trials"; of one of a
    study's shards that it is one."""

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per evaluation of each network, read when it is asked for; empty without any."""
        return self.curves_in(lambda phase: True)

    def curves_in(self, which: Callable[[Phase], object]) -> pd.DataFrame:
        """Returns the rows of ``curves`` of some phases; no others are ever in memory together.

        Raises:
            StorageError: if the file cannot be read, or is of another study.
        """
        phases = pa.array(phase_names(which), pa.string())
        parts = curve_parts(self.folder / CURVES_FILE, self.study_id)
        kept = [part.filter(pc.field("phase").isin(phases)) for part in parts]
        if not any(map(len, kept)):
            return pd.DataFrame(columns=pd.Index(list(schema.CURVE_MEASURES)))
        # As categories: a text of each row would be most of the table.
        texts = [name for name, (kind, _) in schema.CURVE_MEASURES.items() if kind == pa.string()]
        return pa.concat_tables(kept).to_pandas(categories=texts, use_threads=False)

    @property
    def study_id(self) -> str | None:
        """What its files know each other by; None in studies of older versions."""
        return self.info.get("study_id")

    def marked(self, table: pd.DataFrame, sample: str) -> pd.DataFrame:
        """Returns a table of its folder that says of what it is, and has room for a seal.

        ``save_csv`` seals it, so that ``read_own`` can tell that nobody changed it.

        Args:
            table: of what was estimated.
            sample: SHA-256 of what it was estimated from.
        """
        if not self.study_id or not len(table):
            return table
        seal = [*[""] * (len(table) - 1), BLANK]
        return table.assign(study_id=self.study_id, sample=sample, seal=seal)

    def read_own(self, path: Path, command: str) -> pd.DataFrame:
        """Returns a CSV file of its folder that ``marked`` was written to.

        Args:
            path: the file.
            command: of ``lttune``, which makes it anew.

        Raises:
            OSError: if it cannot be read.
            ValueError: if it is no CSV.
            OtherStudyError: if it is of another study.
            DamagedError: if it is not what was written.
        """
        regular_size(path)
        data = read_whole(path)
        mend = self.made_anew(command)
        try:
            is_sealed = verify(path, data)
        except DamagedError:
            raise DamagedError(f"{path} was changed since it was written: {mend}") from None
        # Of short rows each takes as many cells as there are columns.
        rows = 1 + data.count(b"\n") + data.count(b"\r")
        columns = pd.read_csv(BytesIO(data), nrows=0).shape[1]
        if VALUE_BYTES * rows * columns > (most := most_memory(len(data))):
            raise ValueError(f"its rows would fill more than {most >> 20:,} MB of memory")
        table = pd.read_csv(BytesIO(data))
        # Earlier versions wrote no seal, the first of them nothing of the study.
        for found in table["study_id"].dropna().unique() if "study_id" in table else ():
            require_same_study(path, found, self.study_id, mend)
        if "seal" in table and not is_sealed:
            raise DamagedError(f"{path} lacks its checksum: {mend}")
        return table.drop(columns="seal", errors="ignore")

    def made_anew(self, command: str) -> str:
        """Returns what to do about a file that is not of this study, but of a kind it may have."""
        return f"move it away; `lttune {command} {self.folder}` makes the study's own"

    @property
    def hparams(self) -> pd.DataFrame:
        """A row per trial, indexed as ``trials``, with a column for each hyperparameter they vary.

        A trial that leaves one alone has the base configuration's value, NaN if that names none.
        """
        base = flatten(self.info.get("lottery", {}))
        listed = [hparams or {} for hparams in self.trials["hparams"]]
        columns: dict[str, list[Any]] = {path: [] for path in sorted(set().union(*listed))}
        for own in listed:
            settings = joined_settings(base, own)
            for path, values in columns.items():
                values.append(settings.get(path))
        return pd.DataFrame(columns, index=self.trials.index, columns=pd.Index(list(columns)))


def in_phases(table: pd.DataFrame, which: Callable[[Phase], object]) -> pd.Series:
    """Returns of which rows of trials or networks the phase is one for which ``which`` holds."""
    return table["phase"].isin(phase_names(which))


def load(folder: Path | str) -> StudyFrame:
    """Returns the study in a folder; one that has trained nothing yet has empty records.

    Raises:
        StorageError: if the folder holds no study, or a file of it cannot be read.
    """
    folder = Path(folder)
    info = read_sheet(folder, LOADED_OF_SHEET)
    study_id = info.get("study_id")
    listing = read_listing(folder, LOADED_OF_TRIAL, study_id)
    require_bounded_trials(folder, info, [one["hparams"] for one in listing["trials"]])
    records, records_of = _table(folder / "records.parquet", study_id)
    layers, layers_of = _table(folder / "layers.parquet", study_id)
    _require_layers_room(folder / "layers.parquet", layers, len(records))
    for name, counts in (("records", records_of), ("layers", layers_of)):
        require_rows(folder / f"{name}.parquet", listing["trials"], counts)
    trials = pd.DataFrame(listing["trials"], columns=pd.Index(TRIAL_COLUMNS))
    trials["objective"] = trials["objective"].astype(float)
    trials["values"] = _values(trials)
    return StudyFrame(
        folder=folder,
        info=info,
        trials=trials.sort_values("number", ignore_index=True),
        records=records.sort_values(KEY, ignore_index=True),
        layers=layers,
        incomplete=_incomplete(info, listing.get("planned", {}), trials),
    )


def _table(path: Path, study_id: str | None) -> tuple[pd.DataFrame, dict[int, int]]:
    """Returns one of the tables, and how many rows it has of each trial."""
    table = sound_table(path, study_id)
    counts, columns = trial_counts(table), columns_of(table)
    del table  # Else its columns could not be given up one by one.
    return frame_of(columns, TABLES[path.name]), counts


def _require_layers_room(path: Path, layers: pd.DataFrame, networks: int) -> None:
    """Checks that columns of each layer, beside those of the records, would take little memory.

    Each network may have layers of other names, and has a cell of every layer that any of them has.

    Args:
        path: of the table of layers.
        layers: its rows.
        networks: rows of the records.

    Raises:
        StorageError: if they would take more than a file of that size may.
    """
    if layers.empty:
        return
    names, most = layers["layer"].nunique(), most_memory(size_with_journal(path))
    networks = max(networks, len(layers.drop_duplicates(["trial", "replicate", "level"])))
    if networks * names * len(schema.LAYERS) * _NUMBER_BYTES > most:
        raise StorageError(
            f"{path}: what it says of {names:,} layers would fill more than {most >> 20:,} MB of "
            f"memory beside {networks:,} networks"
        )


def _values(trials: pd.DataFrame) -> pd.Series:
    """Returns all values of each trial's objective; studies of old versions have one."""
    known = zip(trials["values"], trials["objective"], strict=True)
    found = [
        values if isinstance(values, list) else None if pd.isna(first) else [first]
        for values, first in known
    ]
    return pd.Series(found, index=trials.index, dtype=object)


def _incomplete(info: dict[str, Any], planned: dict[str, int], trials: pd.DataFrame) -> str:
    # A trial that its search stopped has ended: it is not run again.
    ended = trials["state"].isin(ENDED)
    counts = trials.loc[ended, "phase"].value_counts()
    # A phase with more trials than planned does not make up for one with fewer.
    done = sum(min(int(counts.get(phase, 0)), number) for phase, number in planned.items())
    total = sum(planned.values())
    mark = f"incomplete: {done} of {total} trials" if done < total else ""
    shard = info.get("config", {}).get("shard")
    return f"shard {shard} of the study{mark and ', '}{mark}" if shard else mark
