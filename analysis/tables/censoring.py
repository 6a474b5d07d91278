"""Whether an early stop is the true one, or training ended before it could be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.tables.controls import TARGET_PARTS

LAST = 0.1
"""Share of training, at its end, in which a minimum of the validation loss is not taken for the
true one: a loss that still falls has its minimum at one of the last evaluations, and which of them
is chance. Measured on SGD at a rate of .025, whose loss falls to the end: a fifth of its networks
stop at the very last evaluation, all in the last tenth."""


def is_censored(networks: pd.DataFrame) -> np.ndarray:
    """Returns whether the early-stopping step of each network only bounds the true one from below.

    Args:
        networks: rows of the records. Without ``train.steps`` only a stop at the very last
            evaluation is known to be one.
    """
    at_end = networks["early_stop_at_end"].to_numpy(bool)
    if "train.steps" not in networks:
        return at_end
    stops = networks["early_stop_step"].to_numpy(float)
    return at_end | (stops > (1 - LAST) * _steps(networks))


def _steps(networks: pd.DataFrame) -> np.ndarray:
    """Returns the step at which each training ended: on the target it may be another."""
    steps = networks["train.steps"].to_numpy(float)
    if "target.steps" not in networks:
        return steps
    there = networks["target.steps"].to_numpy(float)
    is_there = networks["branch"].isin(list(TARGET_PARTS)).to_numpy(bool) & ~np.isnan(there)
    return np.where(is_there, there, steps)
