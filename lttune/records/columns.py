"""Columns of a table that somebody else may have written: each holds what its reader expects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lttune.config import LotteryConfig, flatten
from lttune.config.fields import is_number
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import MOST_LEVELS, MOST_STEPS
from lttune.errors import ConfigError, DamagedError, StorageError, listed, quoted
from lttune.records.schema import LAYERS, MEASURES, OWN_MEASURES, Columns

_NUMBER = pa.float64()
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: _NUMBER, str: pa.string()}
_LONGEST = 1 << 53
"""Up to here each whole number is one of double precision."""
_NOT_GIVEN: dict[str, type] = {
    **dict.fromkeys(("pretrain.data", "target.data", "target.optimizer"), str),
    **dict.fromkeys(("pretrain.lr", "prune.one_shot", "target.lr", *STEPS_OF), float),
    **dict.fromkeys(("data.validation", "prune.step", "target.batch_size", "target.steps"), int),
}
"""Settings whose default is that they are not given."""
SETTINGS: Columns = {
    path: (_TYPES[_NOT_GIVEN.get(path, type(value))], "A setting of the trial.")
    for path, value in LotteryConfig().flat().items()
}
"""Columns of the records that hold settings of the trial."""
_LISTS = {p for p, value in flatten(LotteryConfig().nested()).items() if isinstance(value, list)}
"""Settings that are lists; in the records they are texts."""
_FRACTIONS = "prune.fractions"
OF_EVERY_TRIAL = ("train.steps", "train.batch_size", "model.name", "data.name")
"""Settings that no trial lacks, whichever version wrote it."""
_OF_LAYERS = ("density.", f"{_FRACTIONS}.")
"""How the names of columns begin that hold a share for each layer."""

_HELD: dict[pa.DataType, tuple[str, set[type]]] = {
    pa.string(): ("a text", {str}),
    pa.bool_(): ("true or false", {bool}),
    pa.int64(): ("a whole number", {int}),
    _NUMBER: ("a number", {int, float}),
}
"""Type of a documented column -> what each of its values is, in words and in Python's types."""

NOT_IN_ALL = ("trained", "host")
"""Columns of the tables that those of some older studies lack."""
OF_EVERY_ROW = ("phase", "trial", "replicate", "branch", "level", "layer", "step")
"""What tells the rows of a table apart, as far as it has it; each of them has a value."""
OF_EVERY_NETWORK = (
    *("density", "prunable", "early_stop_step", "early_stop_at_end", "val_accuracy", "diverged"),
    "seed",
)
"""Measures of which no network lacks a value; evaluations that are not always made may be null."""

_Range = tuple[str, Callable[[np.ndarray], np.ndarray]]
"""In words and as a test of each of some numbers."""


def _between(low: float, high: float) -> _Range:
    return f"in [{low:g}, {high:g}]", lambda values: (low <= values) & (values <= high)


QUOTIENT_ERROR = 1e-6
"""By how much of one weight a density, which is a quotient, may be off."""
LARGEST_LOSS = 1e39
"""Above every cross-entropy of float32 logits, in nats; its square is a number, too."""
_SHARE = _between(0, 1)
_LOSS: _Range = (
    f"at most {LARGEST_LOSS:g} away from 0, or not finite",
    lambda values: (np.abs(values) <= LARGEST_LOSS) | ~np.isfinite(values),
)
_FINITE: _Range = "a finite number", np.isfinite
_STEPS, _SECONDS = _between(0, MOST_STEPS), _between(0, 1e12)
_COUNT: _Range = ("at least 0", lambda values: values >= 0)

RANGES: dict[str, _Range] = {
    "density": ("in (0, 1]", lambda values: (values > 0) & (values <= 1)),
    "prunable": ("at least 1", lambda values: values >= 1),
    "trial": _COUNT,
    "replicate": _COUNT,
    "surviving": _COUNT,
    "level": _between(0, MOST_LEVELS),
    "early_stop_step": _STEPS,
    "step": _STEPS,
    "steps_trained": _STEPS,
    "train_time_s": _SECONDS,
    "eval_time_s": _SECONDS,
    **{name: _between(-1, 1) for name in MEASURES if name.startswith("barrier_")},
    **{name: _SHARE for name in MEASURES if name.endswith("_accuracy")},
    **{name: _LOSS for name in MEASURES if name.endswith("_loss")},
}
"""Column of the records -> its rule: means, logarithms, shares and axes are made of these. What
diverged has the accuracy of chance."""


def _kind(column: pa.ChunkedArray) -> type | None:
    """Returns what each value of a column is in Python; None of a column that has none."""
    kind = column.type
    if column.null_count == len(column):
        return None
    if pa.types.is_integer(kind):
        return int
    known = {held: python for python, held in _TYPES.items()}
    return known.get(kind, object)


def require_columns(
    path: Path,
    table: pa.Table,
    names: Collection[str],
    documented: Columns = MEASURES,
    gaps: Collection[str] = (),
) -> None:
    """Checks that columns are there and hold values of their documented types.

    Args:
        path: the table's file.
        table: what was read of it.
        names: the columns that are read.
        documented: the types of the table's columns.
        gaps: those of them in which a value may be missing.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    if not len(table):
        return
    if missing := [name for name in names if name not in table.column_names]:
        raise DamagedError(f"{path} lacks {listed(missing)}")
    for name in names:
        column = table[name]
        words, held = _HELD[documented[name][0]]
        _require_kind(f"{path}: {name} must be {words}", column, held, name in gaps)
        if name in RANGES and documented is not LAYERS:  # A layer may have lost all its weights.
            _require_each(f"{path}: {name}", column, RANGES[name])
    if documented is MEASURES and {"density", "prunable"} <= {*names}:
        _require_weights(path, table)


def _require_kind(
    rule: str, column: pa.ChunkedArray, held: Collection[type], has_gaps: bool
) -> None:
    """Raises ``DamagedError`` at the first value that is of another kind, or missing."""
    kind, wrong = _kind(column), list[int]()
    if column.null_count and not has_gaps:
        wrong.append(pc.index(column.is_null(), True).as_py())
    if kind is not None and kind not in held:
        wrong.append(pc.index(column.is_valid(), True).as_py())
    elif kind is int and float in held:  # Not every whole number can be one of a column of these.
        longest = pa.scalar(_LONGEST, column.type)  # Else Arrow compares as int64, or raises.
        is_long = pc.call_function("greater", [column, longest])
        if column.type != pa.uint64():
            is_short = pc.call_function("less", [column, -_LONGEST])
            is_long = pc.call_function("or", [is_long, is_short])
        if (first := pc.index(is_long, True).as_py()) >= 0:
            wrong.append(first)
    if wrong:
        raise DamagedError(f"{rule}, got {quoted(column[min(wrong)].as_py())}")


def _require_each(what: str, column: pa.ChunkedArray, rule: _Range) -> None:
    """Raises ``DamagedError`` at the first number of a column that breaks a rule."""
    words, holds = rule
    values = column.drop_null()
    if len(values) and not (held := holds(values.to_numpy())).all():
        first = values[int(np.argmin(held))].as_py()
        raise DamagedError(f"{what} must be {words}, got {quoted(first)}")


def _require_weights(path: Path, table: pa.Table) -> None:
    """Raises ``DamagedError`` at the first row whose density leaves less than a weight."""
    both = table.select(["density", "prunable"]).drop_null()
    density, prunable = (column.to_numpy() for column in both.columns)
    few = density * prunable < 1 - QUOTIENT_ERROR
    if few.any():
        row = both.slice(int(np.argmax(few)), 1).to_pylist()[0]
        text = f"density must be at least 1 of prunable ({row['prunable']}), got {row['density']!r}"
        raise DamagedError(f"{path}: {text}")


def require_settings(path: Path, table: pa.Table) -> None:
    """Checks the columns of records that are not documented by name.

    These are settings, shares of layers, and measurements of one's own.

    Args:
        path: the table's file.
        table: what was read of it.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    names = table.column_names
    shares = [name for name in names if name.startswith(_OF_LAYERS)]
    own = [name for name in names if name.startswith(OWN_MEASURES)]
    known = {**SETTINGS, **dict.fromkeys([*shares, *own], (_NUMBER, "Of a layer, or one's own."))}
    settings = [name for name in names if name in known]
    gaps = [name for name in settings if name not in OF_EVERY_TRIAL]
    require_columns(path, table, settings, known, gaps)
    for name in settings:
        if _kind(table[name]) is float:
            _require_each(f"{path}: {name}", table[name], _FINITE)
        if name in shares:
            _require_each(f"{path}: {name}", table[name], _SHARE)


def require_hparams(where: str, hparams: Mapping[str, Any]) -> None:
    """Checks the hyperparameters that a list of trials gives one of them: each is of its kind.

    A field of the configuration that an older version had is taken as it is.

    Args:
        where: what stands before the name of a hyperparameter in a message.
        hparams: dotted hyperparameters.

    Raises:
        StorageError: naming the hyperparameter, its rule and its value.
    """
    for path, value in hparams.items():
        found = _kind_of(path)
        if found is None or (value is None and path in _NOT_GIVEN):
            continue
        words, types = found
        if type(value) not in types or (float in types and not is_number(value)):
            raise StorageError(f"{where}{path} must be {words}, got {quoted(value)}")


def _kind_of(path: str) -> tuple[str, set[type]] | None:
    """Returns what a hyperparameter's value is, in words and in Python's types; None of others."""
    if path == _FRACTIONS:
        return "an object", {dict}
    if path in _LISTS:
        return "a list", {list}
    if path.startswith(f"{_FRACTIONS}."):
        return _HELD[_NUMBER]
    return _HELD[SETTINGS[path][0]] if path in SETTINGS else None


def require_table(path: Path, table: pa.Table, columns: Columns = MEASURES) -> None:
    """Checks a whole table: it has the columns of all versions, and in each what belongs there.

    Args:
        path: the table's file.
        table: all that was read of it.
        columns: those that are documented.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    if not len(table):
        return
    names = table.column_names
    whole = [name for name in (*OF_EVERY_ROW, *OF_EVERY_NETWORK) if name in columns]
    mine = [name for name in columns if name in names or name not in NOT_IN_ALL]
    require_columns(path, table, mine, columns, gaps=[name for name in mine if name not in whole])
    if columns is MEASURES:
        require_settings(path, table)
    for name in names:
        if name not in columns and _kind(table[name]) is object:
            bad = quoted(table[name].drop_null()[0].as_py())
            raise DamagedError(f"{path}: {name} must be texts, numbers or truth values, got {bad}")


def as_trained(path: Path, config: LotteryConfig, row: Mapping[str, Any]) -> LotteryConfig:
    """Returns a trial's configuration with the steps that a row has of its lengths in epochs.

    Args:
        path: the table's file.
        config: as it was asked for.
        row: of a network of the trial.

    Raises:
        DamagedError: if the row has none, or such as a trial cannot have.
    """
    asked = config.flat()
    steps = [steps for epochs, steps in STEPS_OF.items() if asked[epochs] is not None]
    require_columns(path, pa.Table.from_pylist([dict(row)]), steps, SETTINGS)
    try:
        return config.override({name: row[name] for name in steps})
    except ConfigError as error:
        raise DamagedError(f"{path}: {error}") from error
