"""Columns of a table that somebody else may have written: each holds what its reader expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import pyarrow as pa

from lttune.config import LotteryConfig, flatten
from lttune.config.fields import is_number
from lttune.config.lottery.length import STEPS_OF
from lttune.config.rules import MOST_LEVELS, MOST_STEPS
from lttune.errors import ConfigError, DamagedError, StorageError, listed, quoted
from lttune.records.schema import MEASURES, OWN_MEASURES, Columns

_NUMBER = pa.float64()
_TYPES = {bool: pa.bool_(), int: pa.int64(), float: _NUMBER, str: pa.string()}
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
OF_EVERY_ROW = ("phase", "trial", "replicate", "branch", "level", "layer")
"""What tells the rows of a table apart, as far as it has it; each of them has a value."""
OF_EVERY_NETWORK = (
    *("density", "prunable", "early_stop_step", "early_stop_at_end", "val_accuracy", "diverged"),
    "seed",
)
"""Measures of which no network lacks a value; evaluations that are not always made may be null."""

_Range = tuple[str, Callable[[float], bool]]
"""In words and as a test."""


def _between(low: float, high: float) -> _Range:
    return f"in [{low:g}, {high:g}]", lambda value: low <= value <= high


QUOTIENT_ERROR = 1e-6
"""By how much of one weight a density, which is a quotient, may be off."""
LARGEST_LOSS = 1e39
"""Above every cross-entropy of float32 logits, in nats; its square is a number, too."""
_SHARE = _between(0, 1)
_LOSS: _Range = (
    f"at most {LARGEST_LOSS:g} away from 0, or not finite",
    lambda value: abs(value) <= LARGEST_LOSS or not math.isfinite(value),
)
_STEPS, _SECONDS = _between(0, MOST_STEPS), _between(0, 1e12)
_COUNT: _Range = ("at least 0", lambda value: value >= 0)

RANGES: dict[str, _Range] = {
    "density": ("in (0, 1]", lambda value: 0 < value <= 1),
    "prunable": ("at least 1", lambda value: value >= 1),
    "trial": _COUNT,
    "replicate": _COUNT,
    "surviving": _COUNT,
    "level": _between(0, MOST_LEVELS),
    "early_stop_step": _STEPS,
    "steps_trained": _STEPS,
    "train_time_s": _SECONDS,
    "eval_time_s": _SECONDS,
    **{name: _between(-1, 1) for name in MEASURES if name.startswith("barrier_")},
    **{name: _SHARE for name in MEASURES if name.endswith("_accuracy")},
    **{name: _LOSS for name in MEASURES if name.endswith("_loss")},
}
"""Column of the records -> its rule: means, logarithms, shares and axes are made of these. What
diverged has the accuracy of chance."""


def _is_double(value: float | None) -> bool:
    """Returns whether a column of numbers can hold a value: not every whole one."""
    return not isinstance(value, int) or abs(value) <= 1 << 53


def require_columns(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    names: Collection[str],
    documented: Columns = MEASURES,
    gaps: Collection[str] = (),
) -> None:
    """Checks that columns are there and hold values of their documented types.

    Args:
        path: the table's file.
        rows: what was read of it.
        names: the columns that are read.
        documented: the types of the table's columns.
        gaps: those of them in which a value may be missing.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    if rows and (missing := [name for name in names if name not in rows[0]]):
        raise DamagedError(f"{path} lacks {listed(missing)}")
    for name in names:
        words, types = _HELD[documented[name][0]]
        held = types | {NoneType} if name in gaps else types
        found = {type(row[name]) for row in rows}
        may_be_long = int in found and float in types
        if may_be_long or not found <= held:
            for value in (row[name] for row in rows):
                if type(value) not in held or (may_be_long and not _is_double(value)):
                    raise DamagedError(f"{path}: {name} must be {words}, got {quoted(value)}")
        if name in RANGES and documented is MEASURES:  # A layer may have lost all its weights.
            rule, holds = RANGES[name]
            for row in rows:
                if row[name] is not None and not holds(row[name]):
                    raise DamagedError(f"{path}: {name} must be {rule}, got {quoted(row[name])}")
    if rows and documented is MEASURES and {"density", "prunable"} <= {*names}:
        for row in rows:
            density, prunable = row["density"], row["prunable"]
            if None not in (density, prunable) and density * prunable < 1 - QUOTIENT_ERROR:
                text = f"density must be at least 1 of prunable ({prunable}), got {density!r}"
                raise DamagedError(f"{path}: {text}")


def require_settings(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks the columns of records that are not documented by name.

    These are settings, shares of layers, and measurements of one's own.

    Args:
        path: the table's file.
        rows: what was read of it.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    names = rows[0].keys() if rows else ()
    shares = [name for name in names if name.startswith(_OF_LAYERS)]
    own = [name for name in names if name.startswith(OWN_MEASURES)]
    known = {**SETTINGS, **dict.fromkeys([*shares, *own], (_NUMBER, "Of a layer, or one's own."))}
    settings = [name for name in names if name in known]
    gaps = [name for name in settings if name not in OF_EVERY_TRIAL]
    require_columns(path, rows, settings, known, gaps)
    rule, holds = _SHARE
    for name in settings:
        for value in {row[name] for row in rows} - {None}:
            if isinstance(value, float) and not math.isfinite(value):
                raise DamagedError(f"{path}: {name} must be a finite number, got {value}")
            if name in shares and not holds(value):
                raise DamagedError(f"{path}: {name} must be {rule}, got {quoted(value)}")


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


def require_table(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Columns = MEASURES
) -> None:
    """Checks a whole table: it has the columns of all versions, and in each what belongs there.

    Args:
        path: the table's file.
        rows: all that was read of it.
        columns: those that are documented.

    Raises:
        DamagedError: naming the column, its rule and the first value that breaks it.
    """
    if not rows:
        return
    whole = [name for name in (*OF_EVERY_ROW, *OF_EVERY_NETWORK) if name in columns]
    mine = [name for name in columns if name in rows[0] or name not in NOT_IN_ALL]
    require_columns(path, rows, mine, columns, gaps=[name for name in mine if name not in whole])
    if columns is MEASURES:
        require_settings(path, rows)
    for name in rows[0].keys() - columns.keys():
        if not {type(row[name]) for row in rows} <= {*_TYPES, NoneType}:
            bad = next(row[name] for row in rows if type(row[name]) not in {*_TYPES, NoneType})
            words = "texts, numbers or truth values"
            raise DamagedError(f"{path}: {name} must be {words}, got {quoted(bad)}")


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
    require_columns(path, [row], steps, SETTINGS)
    try:
        return config.override({name: row[name] for name in steps})
    except ConfigError as error:
        raise DamagedError(f"{path}: {error}") from error
