"""What a pilot says of each question's noise: how far its replicates differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry
from analysis.claims.judgement import Judgement
from analysis.claims.networks.recorded import MissingError
from analysis.statistics.verdicts.form import FORMS

Spreads = Mapping[tuple[str, str], float]
"""Claim and question -> standard deviation over replicates, in the unit of its numbers."""


def pilot_spreads(
    records: pd.DataFrame | Sequence[pd.DataFrame],
    registry: Registry,
    layers: pd.DataFrame | None = None,
) -> Spreads:
    """Returns the deviation of every question of which a pilot has two replicates or more.

    Of several scales the source's own network counts before a proxy, and of those the one with most
    replicates; of a question in parts the part that differs most. Ratios are logarithms.

    Args:
        records: of one study, or of several.
        registry: the claims.
        layers: the ``layers.parquet`` of the same studies, for claims about weights.
    """
    judgement = Judgement(records, registry, layers, None, None, {})
    found: dict[tuple[str, str], float] = {}
    for claim in registry.claims:
        setting = registry.settings[claim.setting] if claim.questions else None
        regimes = judgement.recorded.regimes(claim) if claim.questions else []
        for question in claim.questions:
            best = (False, 1)
            for regime in regimes if question.arms else []:
                try:
                    parts = judgement.pieces(claim, question, regime)
                except MissingError:
                    continue
                n = min(len(part.values) for part in parts)
                rank = (setting is not None and not regime.is_proxy(setting), n)
                spread = max(_spread(question, part.values) for part in parts)
                if rank > best and np.isfinite(spread) and spread > 0:
                    best, found[claim.id, question.name] = rank, float(spread)
    return found


def _spread(question: Question, values: np.ndarray) -> float:
    """Returns the standard deviation of a number, or the largest of a difference of two columns."""
    if values.ndim == 1:
        columns = [values]
    elif not FORMS[question.form].needs_whole_rows:
        columns = list(values.T)  # Each column is a difference, and one is enough.
    else:
        columns = [values[:, i] - values[:, j] for i, j in combinations(range(values.shape[1]), 2)]
    known = [column[~np.isnan(column)] for column in columns]
    return max((float(x.std(ddof=1)) for x in known if len(x) > 1), default=float("nan"))
