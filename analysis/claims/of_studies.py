"""The verdicts on claims for studies as they lie in their folders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims import lock as locks
from analysis.claims.file.reader import Registry, read
from analysis.claims.lock import Lock
from analysis.claims.networks.shares import Kept
from analysis.claims.verdicts import verdicts
from analysis.frame import StudyFrame
from analysis.importance import saved
from analysis.statistics.verdicts.verdict import UNTESTED
from analysis.tables.design.current import outdated
from lttune.config.rules import CLAIMS_LOCK
from lttune.errors import StorageError
from lttune.records.schema import require_same_study
from lttune.store.files import reason_of

FIGURE = Path("figures") / "importance.csv"
"""The CSV of the figure of importances in a study's folder."""
OF_DENSITY = ("density", "trajectories")
"""Columns of numbers that a verdict reads of the strip."""
OF_FACTOR = ("density", "total", "total_low", "total_high", "floor")
"""Columns of numbers that it reads of the table."""
_MADE_BY = "report"


def of_studies(
    studies: Sequence[StudyFrame], registry: Registry | None = None, lock: Lock | None = None
) -> pd.DataFrame:
    """Returns the table of ``verdicts``.

    Args:
        studies: whose records are read together.
        registry: the claims; None is those that are shipped.
        lock: None is the one in the folder of the first study, if there is one.

    Raises:
        StorageError: if a file there is no lock, or the figure of importances cannot be read.
    """
    return verdicts(registry=registry or read(), **grounds(studies, lock))


def grounds(studies: Sequence[StudyFrame], lock: Lock | None = None) -> dict[str, Any]:
    """Returns what ``verdicts`` and ``sensitivity`` are given of studies, but for the claims."""
    layers = [study.layers for study in studies if len(study.layers)]
    created = [study.info["created"] for study in studies if study.info.get("created")]
    return {
        "records": [study.records for study in studies],
        "layers": pd.concat(layers, ignore_index=True) if layers else None,
        "lock": lock or locks.read_lock(studies[0].folder / CLAIMS_LOCK),
        "created": min(created, default=None),
        "importances": kept_importances(studies),
    }


def kept_importances(studies: Sequence[StudyFrame]) -> dict[str, Kept | str]:
    """Returns the importances that the first study with any keeps, by the column they are of.

    They are those of its report: ``importance.json``, or where that is missing or damaged the CSV
    of the figure. Claims estimate none themselves: of those that a study outgrew, and has no
    others, it is said instead why they are not read.

    Raises:
        StorageError: if a file that is read cannot be, or is of another study.
    """
    refused = ""
    for study in studies:
        found = _saved(study)
        # Beside a whole file its figure is no newer, and drawn of the same.
        found = _drawn(study) if found is None else found
        if isinstance(found, Kept):
            return {"test_accuracy": found}
        refused = refused or found or ""
    return {"test_accuracy": refused} if refused else {}


def _saved(study: StudyFrame) -> Kept | str | None:
    path = study.folder / saved.NAME
    values = saved.kept(path) or {}
    found = saved.find(path, None)
    if found is None:
        return None
    require_same_study(path, values.get("study_id"), study.study_id, study.made_anew(_MADE_BY))
    if why := outdated(study, path, found.sample or None, f"{_MADE_BY} {study.folder}"):
        return why
    with _read_errors(path):
        return _kept(found.table, found.strip)


def _drawn(study: StudyFrame) -> Kept | str | None:
    path = study.folder / FIGURE
    if not path.exists():
        return None
    with _read_errors(path):
        both = study.read_own(path, _MADE_BY)
        named = both["sample"].iloc[0] if "sample" in both else None
        if why := outdated(study, path, named, f"{_MADE_BY} {study.folder}"):
            return why
        both = both.assign(reason=both["reason"].astype(object).where(both["reason"].notna(), ""))
        strip = both.drop_duplicates("density")
        return _kept(both[both["factor"].notna()], strip)


def _kept(table: pd.DataFrame, strip: pd.DataFrame) -> Kept:
    """Returns indices that a verdict can be computed of.

    Raises:
        KeyError: if a column is missing.
        ValueError: if it does not hold numbers.
    """
    strip = strip.assign(**{name: _numbers(strip, name) for name in OF_DENSITY})
    if not np.isfinite(strip["trajectories"]).all():
        raise ValueError("trajectories must be finite numbers")
    if len(table):
        table = table.assign(**{name: _numbers(table, name) for name in OF_FACTOR})
    return Kept(table=table, strip=strip[[*OF_DENSITY, "status", "reason"]])


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    return pd.to_numeric(table[name]).astype(float)


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Has what is wrong with a file of importances told in one line."""
    try:
        yield
    except (ArithmeticError, OSError, TypeError, ValueError, KeyError) as error:
        raise StorageError(f"{path} cannot be read: {reason_of(error)}") from None


def is_any_tested(table: pd.DataFrame) -> bool:
    """Returns whether a table of verdicts has one on a claim that was tested."""
    return bool((table["verdict"] != UNTESTED).any())
