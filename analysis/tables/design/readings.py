"""When a ticket is good enough: the two readings of "robust" that widths are asked for."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

KEPT_WITHIN = 0.01
"""Accuracy that may be lost to the reference network."""


def keeps(responses: pd.DataFrame, margin: float, reference: float) -> tuple[pd.Series, float]:
    """Returns the gain over the own dense network, and the study's margin."""
    return responses["gain"].astype(float), margin


def is_near(responses: pd.DataFrame, margin: float, reference: float) -> tuple[pd.Series, float]:
    """Returns the lead over a fixed dense network, and what may be lost to it."""
    return responses["accuracy"].astype(float) - reference, KEPT_WITHIN


READINGS: dict[str, Callable[[pd.DataFrame, float, float], tuple[pd.Series, float]]] = {
    "keeps its own dense accuracy": keeps,
    "within 1 point of the reference": is_near,
}
"""Reading -> responses, margin, reference accuracy -> values and what may be lost of them.

The first is about pruning alone, and is met by a network that never learned, too. The second is
not."""


def reference_of(responses: pd.DataFrame, dense: pd.DataFrame) -> float:
    """Returns the accuracy of the dense network that the second reading compares with.

    Args:
        responses: accuracies and gains; the best mean over replicates of a trial's dense network
            is taken if there is no base configuration.
        dense: the base configuration's dense networks.
    """
    if len(dense):
        return float(dense["test_accuracy"].astype(float).mean())
    own = (responses["accuracy"] - responses["gain"]).astype(float)
    return float(own.groupby(responses["trial"]).mean().max())
