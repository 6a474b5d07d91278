"""The verdicts on claims for studies as they lie in their folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.claims import lock as locks
from analysis.claims.engine import verdicts
from analysis.claims.lock import Lock
from analysis.claims.reader import Registry, read
from analysis.frame import Study


def of_studies(
    studies: Sequence[Study], registry: Registry | None = None, lock: Lock | None = None
) -> pd.DataFrame:
    """Returns the table of ``verdicts``.

    Args:
        studies: whose records are read together.
        registry: the claims; None is those that are shipped.
        lock: None is the one in the folder of the first study, if there is one.

    Raises:
        StorageError: if a file there is no lock.
    """
    return verdicts(registry=registry or read(), **evidence(studies, lock))


def evidence(studies: Sequence[Study], lock: Lock | None = None) -> dict[str, Any]:
    """Returns what ``verdicts`` and ``sensitivity`` are given of studies, but for the claims."""
    layers = [study.layers for study in studies if len(study.layers)]
    created = [study.info["created"] for study in studies if study.info.get("created")]
    return {
        "records": [study.records for study in studies],
        "layers": pd.concat(layers, ignore_index=True) if layers else None,
        "lock": lock or locks.find(studies[0].folder / locks.NAME),
        "created": min(created, default=None),
    }


def is_any_tested(table: pd.DataFrame) -> bool:
    """Returns whether a table of verdicts has one that is not "not tested"."""
    return bool((table["verdict"] != "not tested").any())
