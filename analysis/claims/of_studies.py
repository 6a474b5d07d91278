"""The verdicts on the shipped claims for studies as they lie in their folders."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.claims import lock as locks
from analysis.claims.engine import verdicts
from analysis.claims.lock import Lock
from analysis.claims.reader import Registry, read
from analysis.frame import Study


def of_studies(
    studies: Sequence[Study], registry: Registry | None = None, lock: Lock | None = None
) -> pd.DataFrame | None:
    """Returns the table of ``verdicts``, or None if no claim has networks here.

    Args:
        studies: whose records are read together.
        registry: the claims; None is those that are shipped.
        lock: None is the one in the folder of the first study, if there is one.
    """
    registry = registry or read()
    lock = lock or locks.find(studies[0].folder / locks.NAME)
    created = [study.info["created"] for study in studies if study.info.get("created")]
    layers = pd.concat([study.layers for study in studies], ignore_index=True)
    table = verdicts(
        [study.records for study in studies],
        registry,
        layers=layers if len(layers) else None,
        lock=lock,
        created=min(created, default=None),
    )
    return None if (table["verdict"] == "not tested").all() else table
