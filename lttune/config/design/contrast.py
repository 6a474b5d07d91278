"""Whether responses differ enough for shares of how they differ.

An estimator that normalises gives shares of anything: of rounding, of the one trial that failed, of
two points. They look like those of a contrast, so what has none is refused before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

HANDFUL = 5
"""Responses on either side of a contrast, below which it says nothing."""
FLAT = 1e-5
"""Range of responses, as a share of the largest, below which they are one: a test set of ten
thousand examples has no accuracies that are nearer."""
ROUNDING = 1e-9
"""Difference of two, as a share of the largest response, below which they are tied."""
TINY = 1e-12
"""Range of responses below which they are one, whatever the largest."""


def are_alike(responses: ArrayLike) -> bool:
    """Returns whether responses, of which there is one, are all one number but for rounding."""
    values = np.asarray(responses, dtype=float)
    return bool(np.ptp(values) <= max(TINY, FLAT * float(np.abs(values).max())))


def lacking_contrast(responses: ArrayLike) -> str:
    """Returns why responses tell nothing apart, empty if they may.

    Args:
        responses: a number for each trial or point; the mean of its replicates, if it has several.
    """
    values = np.sort(np.asarray(responses, dtype=float))
    if len(values) < 2:
        return f"there {'is one response' if len(values) else 'are no responses'} to compare"
    if are_alike(values):
        return f"the response is constant: all {len(values)} are the same"
    steps = np.diff(values) > max(TINY, ROUNDING * float(np.abs(values).max()))
    apart = len(values) - int(np.bincount(np.concatenate([[0], steps.cumsum()])).max())
    if apart >= HANDFUL:
        return ""
    return f"{apart} of {len(values)} responses differ from all others, fewer than {HANDFUL}"
