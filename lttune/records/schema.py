"""The tables that every analysis reads.

``records.parquet`` has a row for each (trial, replicate, branch, level), one trained network: the
columns of ``MEASURES`` below, one column for each field of the trial's configuration under its
dotted path (``train.lr``, ``prune.fractions.fc1``), one ``density.<layer>`` for each prunable
layer, and two for each measurement of one's own (``OWN_MEASURES``). ``layers.parquet`` has a row
for each (trial, replicate, level, layer) of the trunk: the columns of ``LAYERS``. Both carry the
SHA-256 of their bytes, and name the study that they are of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lttune.errors import DamagedError, OtherStudyError, StorageError, lacks_memory
from lttune.store.files import reason_of, write_atomically
from lttune.store.formats.parquet import parquet_file, parquet_rows
from lttune.store.sealed import (
    BLANK,
    FILES_SCHEMA,
    digest_in,
    read_bytes,
    require_known,
    seal_file,
    verify,
)

MEASURES: dict[str, tuple[pa.DataType, str]] = {
    "study": (pa.string(), "Name of the study."),
    "phase": (pa.string(), "What the trial is for: anchor, search, ..."),
    "role": (pa.string(), "Why its point is in the design: paper, sweep, ...; null elsewhere."),
    "inert": (pa.float64(), "Value of the design's inert control factor; null without one."),
    "trial": (pa.int64(), "Number of the trial in its study, from 0."),
    "replicate": (pa.int64(), "Index of the independent repetition, from 0."),
    "branch": (pa.string(), "trunk (the lottery ticket itself), or the name of the control."),
    "level": (pa.int64(), "Pruning round; 0 is dense."),
    "density": (pa.float64(), "Share of prunable weights that survive, in (0, 1]."),
    "surviving": (pa.int64(), "Number of prunable weights that survive."),
    "prunable": (pa.int64(), "Number of prunable weights of the dense network."),
    "early_stop_step": (pa.int64(), "Step of minimum validation loss, the first if tied."),
    "early_stop_at_end": (pa.bool_(), "True if that is the last evaluation: a censored step."),
    "val_accuracy": (pa.float64(), "Validation accuracy at the early-stopping step, in [0, 1]."),
    "val_loss": (pa.float64(), "Mean validation cross-entropy there, in nats."),
    "test_accuracy": (pa.float64(), "Test accuracy at the early-stopping step, in [0, 1]."),
    "test_loss": (pa.float64(), "Mean test cross-entropy there, in nats."),
    "train_accuracy": (pa.float64(), "Accuracy there on train.eval_train training examples."),
    "end_val_accuracy": (pa.float64(), "Validation accuracy after the last step."),
    "end_val_loss": (
        pa.float64(),
        "Validation cross-entropy after the last step; null if not finite.",
    ),
    "end_test_accuracy": (pa.float64(), "Test accuracy after the last step."),
    "end_test_loss": (pa.float64(), "Test cross-entropy after the last step; null if not finite."),
    "end_train_accuracy": (pa.float64(), "Training accuracy after the last step."),
    "start_val_accuracy": (pa.float64(), "Validation accuracy of the untrained masked network."),
    "diverged": (pa.bool_(), "True if the validation loss was not finite; training ended there."),
    "barrier_test_error": (
        pa.float64(),
        "Of sibling: the barrier of test error between its end weights and the trunk's, in [0, 1].",
    ),
    "barrier_train_error": (pa.float64(), "The same on train.eval_train training examples."),
    "steps_trained": (pa.int64(), "Optimizer steps that were run for this network."),
    "train_time_s": (pa.float64(), "Wall time of training, evaluations included, in seconds."),
    "eval_time_s": (pa.float64(), "Share of train_time_s spent in evaluations, in seconds."),
    "trained": (pa.string(), "When its training ended, in UTC; null in older records."),
    "host": (pa.string(), "Name of the machine that trained it; null in older records."),
    "reused": (pa.bool_(), "True if the network was taken from the store, not trained now."),
    "seed": (pa.int64(), "Root of the study's random streams."),
    "numerics": (pa.string(), "Engine, device, dtype, threads and version that made the bytes."),
    "cell": (pa.string(), "Key of the trained network in the cell store."),
}
"""Column -> (type, meaning). At a diverged network the ``end_*`` accuracies are chance."""

LAYERS: dict[str, tuple[pa.DataType, str]] = {
    "study": (pa.string(), "Name of the study."),
    "phase": (pa.string(), "What the trial is for: anchor, search, ..."),
    "trial": (pa.int64(), "Number of the trial in its study, from 0."),
    "replicate": (pa.int64(), "Index of the independent repetition, from 0."),
    "level": (pa.int64(), "Pruning round; 0 is dense."),
    "layer": (pa.string(), "Name of the prunable layer."),
    "kind": (pa.string(), "What it is: fc, conv, shortcut, out."),
    "size": (pa.int64(), "Number of its weights in the dense network."),
    "surviving": (pa.int64(), "Number of its weights that survive."),
    "initial_mean": (pa.float64(), "Mean initial magnitude of the survivors."),
    "initial_std": (pa.float64(), "Its standard deviation."),
    "initial_q05": (pa.float64(), "Its quantile 0.05."),
    "initial_q25": (pa.float64(), "Its quantile 0.25."),
    "initial_q50": (pa.float64(), "Its median."),
    "initial_q75": (pa.float64(), "Its quantile 0.75."),
    "initial_q95": (pa.float64(), "Its quantile 0.95."),
    "initial_positive": (pa.float64(), "Share of the survivors whose initial value is above 0."),
    "initial_bimodality": (
        pa.float64(),
        "Of their initial values: (skewness^2 + 1) / kurtosis; 1/3 of a Gaussian, 1 of two points.",
    ),
    "moved": (pa.float64(), "Mean |end - start| of the survivors in this level's training."),
    "moved_relative": (pa.float64(), "The same over their mean |start|."),
    "sign_changes": (pa.float64(), "Share of the survivors whose sign changed in it."),
    "dense_moved_kept": (
        pa.float64(),
        "Mean |end - initial| of this level's survivors in the dense training.",
    ),
    "dense_moved_pruned": (pa.float64(), "The same of the weights that do not survive."),
    "dense_grown_kept": (
        pa.float64(),
        "Share of this level's survivors that the dense training moved away from 0.",
    ),
    "dense_grown_pruned": (pa.float64(), "The same of the weights that do not survive."),
    "incoming_mean": (pa.float64(), "Survivors that lead into an output unit or channel, mean."),
    "incoming_std": (pa.float64(), "Their standard deviation over the units."),
    "incoming_max": (pa.int64(), "The most that lead into one unit."),
    "incoming_none": (pa.int64(), "Output units into which none leads."),
    "outgoing_mean": (pa.float64(), "Survivors that leave an input unit or channel, mean."),
    "outgoing_std": (pa.float64(), "Their standard deviation over the units."),
    "outgoing_max": (pa.int64(), "The most that leave one unit."),
    "outgoing_none": (pa.int64(), "Input units that none leaves."),
}
"""Column of ``layers.parquet`` -> (type, meaning). Null where there is nothing to average, and what
a diverged training moved."""

OWN_MEASURES = ("measured.", "end_measured.")
"""How columns of the records begin that hold measurements of one's own (``train.measure``): numbers
at the early-stopping step, and after the last step; null where one was not known."""

ORDER = ("trial", "replicate", "branch", "level", "layer")
"""By which columns rows are sorted, as far as a table has them."""

ANY_STUDY = "any"
"""In place of what a study is known by: a table by itself, of whichever."""
MEND_OF_PARTS = "put the files of one study back, or move the folder away and run the study again"
"""What to do where the files in a study's folder are not of one study."""

_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


Columns = Mapping[str, tuple[pa.DataType, str]]


def write(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    columns: Columns = MEASURES,
    study_id: str | None = None,
) -> str:
    """Writes a table in one atomic replacement.

    Args:
        path: the file.
        rows: the table's.
        columns: those that are documented.
        study_id: what ``study.json`` of the same study is known by; None for a table of its own.

    Returns:
        The digest of its bytes.

    Raises:
        StorageError: if it cannot be written.
    """
    return write_table(path, [table_of(rows, columns)], study_id)


def write_table(path: Path, groups: Iterable[pa.Table], study_id: str | None = None) -> str:
    """Writes tables, one below the other, as ``write`` does, and raises what it does.

    Args:
        path: the file.
        groups: at least one, all of the same columns; only one is in memory at a time.
        study_id: as of ``write``.
    """
    about = {_SCHEMA: str(FILES_SCHEMA), _SEAL: BLANK, **({_STUDY: study_id} if study_id else {})}
    with write_atomically(path) as temporary:
        # Python's own file, whose errors say what a disk said.
        with temporary.open("wb") as file, contextlib.ExitStack() as stack:
            writer = None
            for group in groups:
                named = group.replace_schema_metadata(about)
                writer = writer or stack.enter_context(pq.ParquetWriter(file, named.schema))
                writer.write_table(named)
        return seal_file(temporary, pq.read_metadata(temporary).serialized_size + _TAIL)


def table_of(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pa.Table:
    """Returns rows as a table, in the order of ``ORDER``.

    The documented columns come first, then the others in sorted order.

    Args:
        rows: the table's.
        columns: those that are documented.
    """
    return table_of_values(_by_column(rows, columns), columns)


def table_of_values(
    values: Mapping[str, Sequence[Any]],
    columns: Columns,
    others: Mapping[str, pa.DataType] | None = None,
) -> pa.Table:
    """Returns what ``table_of`` does of rows whose values are given by column, all that it has.

    Args:
        values: of each column.
        columns: those that are documented.
        others: the types of those that are not; None has each of what is in it.
    """
    keys = list(zip(*(values[name] for name in ORDER if name in columns), strict=True))
    places = sorted(range(len(keys)), key=keys.__getitem__)
    if len(places) > 1 and places != [*range(len(keys))]:
        values = {name: itemgetter(*places)(found) for name, found in values.items()}
    if others is None:
        others = {n: type_of(n, kinds_in(values[n])) for n in values.keys() - columns}
    fields = fields_of(columns, others)
    arrays = [pa.array(values[field.name], field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def fields_of(columns: Columns, others: Mapping[str, pa.DataType]) -> list[pa.Field]:
    """Returns the fields of a table: the documented columns, then the others in sorted order."""
    fields = [pa.field(n, t, metadata={"doc": doc}) for n, (t, doc) in columns.items()]
    return fields + [pa.field(name, others[name]) for name in sorted(others)]


def _by_column(rows: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, tuple[Any, ...]]:
    """Returns the values of each column that is documented or in a row; None where a row has none.

    Each row is read once, as a whole: half the time of looking every column up in every row.
    """
    blank = dict.fromkeys([*columns, *set().union(*rows).difference(columns)])
    values = zip(*(({**blank, **row}).values() for row in rows), strict=True)
    return dict(zip(blank, values, strict=True)) if rows else dict.fromkeys(blank, ())


def kinds_in(values: Sequence[Any]) -> frozenset[type]:
    """Returns the types of some values that are not missing."""
    return frozenset(map(type, values)) - {type(None)}


def type_of(name: str, kinds: Collection[type]) -> pa.DataType:
    """Returns the type of a column that is not documented; text if there is nothing in it."""
    if name.startswith(OWN_MEASURES):
        return pa.float64()
    # A learning rate written as 1 in one trial and 0.5 in another is one float column.
    return _TYPES[float if {*kinds} == {int, float} else next(iter(kinds), str)]


def read(path: Path, study_id: str | None = ANY_STUDY) -> list[dict[str, Any]]:
    """Returns the rows of a table's file; raises what ``read_with_digest`` does."""
    return read_with_digest(path, study_id)[0]


def read_with_digest(
    path: Path, study_id: str | None = ANY_STUDY
) -> tuple[list[dict[str, Any]], str]:
    """Returns the rows of a table's file, none without one, and the digest that it carries, if any.

    Args:
        path: the file.
        study_id: of the study that it must be of; None is one of an older version.

    Raises:
        StorageError: if it cannot be read, or is of another study.
        DamagedError: if it is not what was written, or does not say of which study it is.
        RefusedError: if a newer lttune wrote it.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return [], ""
    is_sealed = verify(path, data)
    with about_bytes(path):
        file = parquet_file(data)
        about = {k.decode(): v.decode() for k, v in (file.schema_arrow.metadata or {}).items()}
        schema = int(about[_SCHEMA]) if _SCHEMA in about else None
    require_known(path, schema, is_sealed, _STUDY in about)
    require_same_study(path, about.get(_STUDY), study_id)
    with about_bytes(path):
        return parquet_rows(file, data), digest_in(data) if is_sealed else ""


@contextlib.contextmanager
def about_bytes(path: Path) -> Iterator[None]:
    """Has whatever a reader raises on bytes that it was given told as what the file is."""
    try:
        yield
    except Exception as error:
        if lacks_memory(error):  # Which says nothing of the bytes.
            raise StorageError(f"{path} cannot be read: memory was refused") from error
        raise DamagedError(f"{path} is damaged: {reason_of(error)}") from None


def require_same_study(
    path: Path, found: object, study_id: str | None, mend: str = MEND_OF_PARTS
) -> None:
    """Checks that a file names the study that its folder's ``study.json`` is of.

    Args:
        path: the file.
        found: what it names; None in files of older versions.
        study_id: that of ``study.json``; None in studies of older versions, all of whose files name
            none. ``ANY_STUDY`` asks nothing.
        mend: what to do if it names another.

    Raises:
        OtherStudyError: if it names another study.
        DamagedError: if it names none, and must.
    """
    if study_id == ANY_STUDY or found == study_id:
        return
    if found is None:
        raise DamagedError(f"{path} is damaged: it does not say of which study it is; {mend}")
    raise OtherStudyError(f"{path} is of another study than the study.json beside it: {mend}")


_TAIL = 8
"""Bytes of a Parquet file after its metadata: how long these are, and a mark."""
_SCHEMA, _SEAL, _STUDY = "lttune.schema", "lttune.seal", "lttune.study"
"""What a table's metadata are named."""
