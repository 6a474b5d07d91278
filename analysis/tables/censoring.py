"""Whether an early stop is the true one, or training ended before it could be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
    steps = networks["train.steps"].to_numpy(float)
    return at_end | (networks["early_stop_step"].to_numpy(float) > (1 - LAST) * steps)
