"""The one table that every analysis reads: a row for each (trial, replicate, branch, level).

A study's table is ``records.parquet``: the columns of ``MEASURES`` below, one column for each
field of the trial's configuration under its dotted path (``train.lr``, ``prune.fractions.fc1``),
and one ``density.<layer>`` for each prunable layer. A row is one trained network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lttune.files import write_atomically

MEASURES: dict[str, tuple[pa.DataType, str]] = {
    "study": (pa.string(), "Name of the study."),
    "phase": (pa.string(), "What the trial is for: anchor, search, ..."),
    "trial": (pa.int64(), "Number of the trial in its study, from 0."),
    "replicate": (pa.int64(), "Index of the independent repetition, from 0."),
    "branch": (pa.string(), "trunk (the lottery ticket itself), or the control: reinit, random."),
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
    "steps_trained": (pa.int64(), "Optimizer steps that were run for this network."),
    "train_time_s": (pa.float64(), "Wall time of training, evaluations included, in seconds."),
    "eval_time_s": (pa.float64(), "Share of train_time_s spent in evaluations, in seconds."),
    "reused": (pa.bool_(), "True if the network was taken from the store, not trained now."),
    "seed": (pa.int64(), "Root of the study's random streams."),
    "numerics": (pa.string(), "Engine, device, dtype, threads and version that made the bytes."),
    "cell": (pa.string(), "Key of the trained network in the cell store."),
}
"""Column -> (type, meaning). At a diverged network the ``end_*`` accuracies are chance."""

_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def schema(rows: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Returns the table's schema: the measures, then the other columns in sorted order."""
    fields = [pa.field(n, t, metadata={"doc": doc}) for n, (t, doc) in MEASURES.items()]
    for name in sorted({name for row in rows for name in row} - MEASURES.keys()):
        values = [row[name] for row in rows if row.get(name) is not None]
        types = {type(v) for v in values}
        # A learning rate written as 1 in one trial and 0.5 in another is one float column.
        kind = float if types == {int, float} else next(iter(types), str)
        fields.append(pa.field(name, _TYPES[kind]))
    return pa.schema(fields)


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes the table, sorted by trial, replicate, branch and level, in one atomic replacement."""
    order = ("trial", "replicate", "branch", "level")
    ordered = sorted((dict(row) for row in rows), key=lambda row: [row[name] for name in order])
    table = pa.Table.from_pylist(ordered, schema=schema(ordered))
    with write_atomically(path) as temporary:
        pq.write_table(table, temporary)


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of a table; none if the file does not exist yet."""
    return pq.read_table(path).to_pylist() if path.exists() else []
