"""The tables of a study that is gone on with: their rows are read, checked and packed in parts."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from lttune.config.control import TRUNK
from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.columns import require_table
from lttune.records.rules import require_bounded_cells
from lttune.records.tables.ended import EndedRows
from lttune.records.tables.files import KEYS, TABLES, Row, journaled, journaled_rows
from lttune.records.tables.joining import Kinds, kinds_of, types_of
from lttune.store.formats.journal import journal_of, journaled_since

_MOST_OPEN = 10_000
"""Rows that are in memory before they are packed."""
_AT_ONCE = 500
"""Lines of a journal that become a table, which gives their values the columns' types."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What is known of the rows of a table that were packed."""

    counts: Counter[int] = field(default_factory=Counter)
    """Number of a trial -> rows that it has."""
    trunks: set[tuple[int, int]] = field(default_factory=set)
    """Trials and replicates with a row of the trunk."""
    reached: dict[int, int] = field(default_factory=dict)
    """Number of a trial -> the last level that there is of it."""


def load(path: Path, study_id: str | None, into: EndedRows, has_journal: bool) -> Loaded:
    """Packs the rows of a table, those of ``sound_table``; only some are in memory.

    Args:
        path: as of ``table_in``; nobody else writes it.
        study_id: likewise.
        into: has them afterwards, and none of the table if this raises.
        has_journal: whether those of its journal are read.

    Raises:
        LttuneError: as ``sound_table``.
    """
    loading = _Loading(path, into)
    try:
        parts, digest = schema.read_in_parts(path, study_id)
        for batch in parts:
            loading.add(pa.Table.from_batches([batch]))
            loading.pack(is_file=True)
        lines = journaled_since(path, digest, has_infinities=True) if has_journal and digest else ()
        lines = iter(lines or ())
        while some := [*itertools.islice(lines, _AT_ONCE)]:
            loading.is_journaled = True
            loading.add(_table_of(path, some))
            if loading.open > _MOST_OPEN:
                loading.pack()
        loading.pack()
        loading.require_one_table()
    except BaseException:
        into.clear(loading.place)
        raise
    return loading.found


def _table_of(path: Path, lines: Sequence[Any]) -> pa.Table:
    with schema.about_bytes(journal_of(path)):
        rows, names = [*journaled_rows(lines)], set[str]().union(*lines)
    require_bounded_cells(path, len(rows), len(names), ("rows", "columns"))
    with schema.about_bytes(journal_of(path)):
        return schema.table_of(rows, TABLES[path.name])


class _Loading:
    """The rows of a table on their way."""

    def __init__(self, path: Path, into: EndedRows) -> None:
        self.found = Loaded()
        self.place, self.open, self.is_journaled = [*TABLES].index(path.name), 0, False
        self._path, self._into = path, into
        self._key, self._columns = KEYS[path.stem], TABLES[path.name]
        self._rows = defaultdict[int, dict[tuple[Any, ...], Row]](dict)
        self._kinds = set[Kinds]()

    def add(self, table: pa.Table) -> None:
        """Adds rows in place of earlier ones of theirs, if they are as they are written."""
        require_table(self._path, table, self._columns)
        rows = table.to_pylist()
        self._kinds.add(kinds_of(journaled(rows), self._columns))
        for row in rows:
            number, level = row["trial"], row["level"]
            self._rows[number][self._key(row)] = row
            self.found.reached[number] = max(self.found.reached.get(number, -1), level)
        self.open += len(rows)

    def pack(self, is_file: bool = False) -> None:
        """Packs what was added; a file has each row once."""
        is_once = sum(map(len, self._rows.values())) == self.open
        for number, rows in self._rows.items():
            packed = self._into.rows(number, self.place) or []
            earlier = {self._key(row): row for row in packed}
            is_once = is_once and earlier.keys().isdisjoint(rows)
            whole = {**earlier, **rows}
            self._into.put(number, {self.place: [whole[key] for key in sorted(whole)]})
            self.found.counts[number] = len(whole)
            branches = ((row["replicate"], row.get("branch")) for row in rows.values())
            self.found.trunks.update((number, of) for of, name in branches if name == TRUNK)
        if is_file and not is_once:
            raise DamagedError(f"{self._path} must have each of its rows once")
        self._rows.clear()
        self.open = 0

    def require_one_table(self) -> None:
        """Checks that a table of all rows can be made, and takes memory that follows their bytes.

        Raises:
            LttuneError: if not.
        """
        with schema.about_bytes(self._path):
            others = types_of(self._kinds)
        if self.is_journaled:  # Each of its lines may have columns of its own.
            count, columns = self.found.counts.total(), len({*self._columns, *others})
            require_bounded_cells(self._path, count, columns, ("rows", "columns"))
