"""The verdicts on claims for studies as they lie in their folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.claims import lock as locks
from analysis.claims.file.reader import Registry, read
from analysis.claims.lock import Lock
from analysis.claims.networks.shares import Kept
from analysis.claims.verdicts import verdicts
from analysis.frame import LOCK_FILE, StudyFrame
from analysis.importance import saved
from analysis.statistics.verdicts.verdict import UNTESTED
from lttune.errors import StorageError
from lttune.store.files import reason_of
from lttune.store.regular import regular_size

FIGURE = Path("figures") / "importance.csv"
"""The CSV of the figure of importances in a study's folder."""


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
    return verdicts(registry=registry or read(), **evidence(studies, lock))


def evidence(studies: Sequence[StudyFrame], lock: Lock | None = None) -> dict[str, Any]:
    """Returns what ``verdicts`` and ``sensitivity`` are given of studies, but for the claims."""
    layers = [study.layers for study in studies if len(study.layers)]
    created = [study.info["created"] for study in studies if study.info.get("created")]
    return {
        "records": [study.records for study in studies],
        "layers": pd.concat(layers, ignore_index=True) if layers else None,
        "lock": lock or locks.read_lock(studies[0].folder / LOCK_FILE),
        "created": min(created, default=None),
        "importances": kept_importances(studies),
    }


def kept_importances(studies: Sequence[StudyFrame]) -> dict[str, Kept]:
    """Returns the importances that the first study with any keeps, by the column they are of.

    They are those of its report: ``importance.json``, or where that is missing or damaged the CSV
    of the figure. Claims estimate none themselves.
    """
    for study in studies:
        found = _saved(study.folder / saved.NAME) or _drawn(study.folder / FIGURE)
        if found is not None:
            return {"test_accuracy": found}
    return {}


def _saved(path: Path) -> Kept | None:
    values = saved.kept(path) or {}
    found = saved.find(path, str(values.get("key")))
    return Kept(table=found.table, strip=found.strip) if found else None


def _drawn(path: Path) -> Kept | None:
    if not path.exists():
        return None
    try:
        regular_size(path)
        both = pd.read_csv(path)
        both = both.assign(reason=both["reason"].astype(object).where(both["reason"].notna(), ""))
        strip = both.drop_duplicates("density")
        return Kept(table=both[both["factor"].notna()], strip=strip)
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{path} cannot be read: {reason_of(error)}") from None


def is_any_tested(table: pd.DataFrame) -> bool:
    """Returns whether a table of verdicts has one on a claim that was tested."""
    return bool((table["verdict"] != UNTESTED).any())
