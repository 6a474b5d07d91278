"""The verdicts of claims on the records of studies: one row for each claim and scale."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.claims.file.reader import Registry
from analysis.claims.judgement import Judgement, Reading
from analysis.claims.lock import Lock
from analysis.claims.networks.shares import KeptImportances


def verdicts(
    records: pd.DataFrame | Sequence[pd.DataFrame],
    registry: Registry,
    *,
    layers: pd.DataFrame | None = None,
    lock: Lock | None = None,
    created: str | None = None,
    importances: KeptImportances | None = None,
) -> pd.DataFrame:
    """Returns a row for each claim at each scale at which the records hold its networks.

    Args:
        records: of one study, or of several.
        registry: the claims.
        layers: the ``layers.parquet`` of the same studies, for claims about weights.
        lock: fixed before the studies began. Without one every claim is exploratory.
        created: when the first of the studies began.
        importances: what questions about importance read: column of the response -> its indices.

    Confirmatory claims of a family are corrected by Holm over those that share steps and dataset,
    exploratory ones, those on a proxy among them, by Benjamini and Hochberg over all of them. A
    claim without networks or with fewer replicates than planned is not tested.
    """
    return Judgement(records, registry, layers, lock, created, importances or {}).table(Reading())


def sensitivity(
    records: pd.DataFrame | Sequence[pd.DataFrame],
    registry: Registry,
    *,
    layers: pd.DataFrame | None = None,
    lock: Lock | None = None,
    created: str | None = None,
    importances: KeptImportances | None = None,
) -> pd.DataFrame:
    """Returns the verdict of each claim and scale under other margins and on validation accuracy.

    Columns: claim, scale, ``margin x 0.5``, ``margin x 1``, ``margin x 2`` and ``validation``; the
    arguments are those of ``verdicts``.
    """
    engine = Judgement(records, registry, layers, lock, created, importances or {})
    readings = {f"margin x {factor:g}": Reading(factor=factor) for factor in (0.5, 1.0, 2.0)}
    readings["validation"] = Reading(validation=True)
    tables = {name: engine.table(reading) for name, reading in readings.items()}
    first = tables["margin x 1"][["claim", "scale"]]
    return first.assign(**{name: table["verdict"] for name, table in tables.items()})
