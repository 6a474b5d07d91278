"""A criterion by its name: a row of the table, or a function of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lttune.config.own import is_own_code
from lttune.errors import listed, quoted
from lttune.models.masks import copies
from lttune.models.own.draws import seeded
from lttune.models.own.given import given_tensor, is_real
from lttune.pruning.criteria import CRITERIA, MEASURED, Criterion
from lttune.pruning.criteria.evidence import Evidence
from lttune.records.own import OwnPart, known_part

CRITERION = "prune.criterion"
"""The setting that names criteria."""


def criterion_of(name: str) -> Criterion:
    """Returns the criterion of a name.

    Raises:
        ConfigError: if it is one's own and was not made known.
    """
    if not is_own_code(name):
        return CRITERIA[name]
    part = known_part(CRITERION, name)
    return lambda evidence: _scores(part, evidence)


def reads_examples(name: str) -> bool:
    """Returns whether a criterion is given examples: one's own always is."""
    return name in MEASURED or is_own_code(name)


def is_runnable(name: str) -> bool:
    """Returns whether a criterion can score: of one's own, whether its code is here."""
    return not is_own_code(name) or known_part(CRITERION, name).is_here


def _scores(part: OwnPart, evidence: Evidence) -> dict[str, Tensor]:
    """Returns what a function of one's own gives, looked at; what it looks at are copies.

    What it draws of PyTorch's generator is the same whenever a level is scored.

    Raises:
        ConfigError: if it raises an error, or gives no score for a weight.
    """
    shown = dataclasses.replace(
        evidence,
        initial=copies(evidence.initial),
        trained=copies(evidence.trained),
        mask=copies(evidence.mask),
        inputs=evidence.inputs.clone(),
        labels=evidence.labels.clone(),
    )
    with seeded(int(evidence.rng.integers(2**63))):
        found: Any = part.called(shown)
    if not isinstance(found, Mapping):
        part.refuse(f"must return a score of each weight by its tensor's name, got {quoted(found)}")
    if found.keys() != evidence.mask.keys():
        wanted, got = listed(list(evidence.mask)), listed(list(found)) or "none"
        part.refuse(f"must score the tensors {wanted}, got {got}")
    scores: dict[str, Tensor] = {}
    for name, keep in evidence.mask.items():
        kind, whole = f"score {name} by a tensor of real numbers", f"score every weight of {name}"
        score = given_tensor(part, found[name], keep.shape, is_real, kind, whole)
        scores[name] = score.detach().float().cpu()
        if not scores[name][keep].isfinite().all():
            part.refuse(f"must score every weight by a finite number, got another one in {name}")
    return scores
