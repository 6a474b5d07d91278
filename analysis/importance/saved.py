"""Importances that were estimated before: a file that spares a finished study the seconds again.

Keyed by all that determines the numbers: the design's points and responses, the declared factors,
and the estimator itself. A file with another key, or a damaged one, is as good as none.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType
from typing import Any

import pandas as pd

from lttune.config import design
from lttune.config.design import Factor
from lttune.errors import DamagedError
from lttune.store.plain_json import parse_json
from lttune.store.sealed import read_bytes, require_known, verify, write_object

NAME = "importance.json"
"""The file in a study's folder."""

PACKAGES = ("numpy", "scipy", "scikit-learn", "pandas")
"""Packages whose versions are part of the estimator."""


TYPES = ("bool", "float64", "int64", "object", "str")
"""Types of the tables' columns. Those of pandas beside them can be of any width."""
MOST_KEPT_COLUMNS = 32
"""Columns of a table at most; it takes memory and time for each, however short it is."""


@dataclass(frozen=True, kw_only=True)
class Importances:
    """What is shown of importances at each density, without the draws behind them."""

    table: pd.DataFrame
    """As ``ImportanceCurves.table``."""
    strip: pd.DataFrame
    """As ``ImportanceCurves.strip``."""
    left_out: pd.DataFrame
    """As ``left_out_table``."""
    missing: pd.DataFrame
    """As ``missing_table``."""
    ranks: pd.DataFrame
    """As ``rank_table``."""
    leads: pd.DataFrame
    """As ``lead_table``."""
    changes: pd.DataFrame
    """As ``change_table``."""
    widths: pd.DataFrame
    """Columns density, reading, factor and those of ``Width``."""
    diverges: pd.DataFrame
    """As ``Divergence.table``; empty where nothing diverged or it cannot be explained."""
    given_ok: pd.DataFrame
    """As ``GivenOk.shapley`` with a column ``density``; empty where nothing diverged."""
    sample: str
    """SHA-256 of what they were estimated from: of a study that has grown since it is another."""
    ended: str
    """As ``ImportanceCurves.ended``."""
    divergence: str
    """What there is to say of divergence, empty if no trajectory diverged."""


FRAMES = tuple(field.name for field in fields(Importances) if field.type == "pd.DataFrame")
"""Its tables."""
TEXTS = tuple(field.name for field in fields(Importances) if field.name not in FRAMES)
"""Its texts."""


def key_of(
    points: pd.DataFrame, responses: pd.DataFrame, factors: Sequence[Factor], **options: Any
) -> str:
    """Returns the SHA-256 of what determines the importances.

    Args:
        points: as for ``importance_by_density``.
        responses: likewise.
        factors: likewise.
        options: all others of it.
    """
    declared = [factor.plain() for factor in factors]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    digest = hashlib.sha256(json.dumps([declared, options, versions], sort_keys=True).encode())
    for frame in (points, responses):
        digest.update(frame.to_csv(index=False).encode())
    for folder in (Path(__file__).parent, Path(design.__file__).parent):
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def find(path: Path, key: str | None, study_id: str | None = None) -> Importances | None:
    """Returns the tables of a file, None without a whole file of this key.

    Args:
        path: the file.
        key: as of ``key_of``; None is any, for who looks at ``Importances.sample``.
        study_id: a file of another study is none, and so is one that names none; None is any.

    Raises:
        StorageError: if it is there and cannot be read.
        RefusedError: if a newer lttune wrote it.
    """
    try:
        values = kept(path)
        if values is None or key not in (None, values["key"]):
            return None
        if study_id and values.get("study_id") != study_id:
            return None
        found: dict[str, Any] = {name: _frame(values[name]) for name in FRAMES}
        found |= {name: str(values[name]) for name in TEXTS}
        return Importances(**found)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None


def kept(path: Path) -> dict[str, Any] | None:
    """Returns what a file holds, whatever its key; None if there is no file, or a damaged one.

    Raises:
        StorageError: if it is there and cannot be read.
        RefusedError: if a newer lttune wrote it.
    """
    try:
        data = read_bytes(path)
        is_sealed = verify(path, data)
        values = parse_json(data)
        # The digest of a version before its files had seals names the study, too.
        require_known(path, values.pop("schema", None), is_sealed, names_study=False)
        if values.pop("seal", None) is None and values.pop("digest") != _digest(values):
            return None
    except (FileNotFoundError, DamagedError, AttributeError, KeyError, TypeError, ValueError):
        return None
    # Earlier versions did not say of which records they are.
    return {"sample": ""} | values


def save(path: Path, key: str, found: Importances, study_id: str | None = None) -> None:
    """Writes the tables.

    Args:
        path: the file.
        key: as of ``key_of``.
        found: the tables.
        study_id: what ``study.json`` beside it is known by; None in studies of older versions.
    """
    values: dict[str, Any] = {"study_id": study_id} if study_id else {}
    values |= {"key": key, **{name: getattr(found, name) for name in TEXTS}}
    values |= {name: _plain(getattr(found, name)) for name in FRAMES}
    write_object(path, values)


_PLAIN = (bool, float, int, str, NoneType)


def _digest(values: dict[str, Any]) -> str:
    """Returns the digest that earlier versions wrote of all else in the file."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _plain(frame: pd.DataFrame) -> dict[str, Any]:
    """Returns columns and their types; a missing number is None, which JSON has."""
    columns = {
        str(name): [None if pd.isna(value) else value for value in column.tolist()]
        for name, column in frame.items()
    }
    return {"types": {str(n): str(t) for n, t in frame.dtypes.items()}, "columns": columns}


def _frame(values: dict[str, Any]) -> pd.DataFrame:
    """Returns the table that ``_plain`` was given.

    Raises:
        ValueError: if it can be none of ours: its memory would not follow the bytes of the file.
        KeyError: if its columns or their types are missing.
    """
    columns, types = values["columns"], values["types"]
    if not isinstance(columns, dict) or not isinstance(types, dict):
        raise ValueError("columns and their types must be objects")
    if len(columns) > MOST_KEPT_COLUMNS or columns.keys() != types.keys():
        raise ValueError(f"there must be up to {MOST_KEPT_COLUMNS} columns, each of a type")
    if not all(kind in TYPES for kind in types.values()):
        raise ValueError(f"types must be of {', '.join(TYPES)}")
    # pandas would take an object for a column of rows that its keys name.
    if not all(isinstance(column, list) for column in columns.values()):
        raise ValueError("columns must be lists")
    if {type(value) for column in columns.values() for value in column} - {*_PLAIN}:
        raise ValueError("values must be texts, numbers or truth values")
    return pd.DataFrame(columns).astype(types)
