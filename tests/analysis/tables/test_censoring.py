"""Which early stops only bound the true ones."""

import numpy as np
import pandas as pd

from analysis.tables.censoring import is_censored


def networks(**columns):
    count = len(next(iter(columns.values())))
    plain = {"branch": ["trunk"] * count, "early_stop_at_end": [False] * count}
    return pd.DataFrame(plain | columns)


def test_the_last_tenth_of_training_is_censored_and_no_step_before():
    rows = networks(early_stop_step=[0, 899, 900, 901, 1000], **{"train.steps": [1000] * 5})
    assert is_censored(rows).tolist() == [False, False, False, True, True]


def test_the_last_evaluation_is_censored_wherever_training_ended():
    """Of a diverged network, or where nothing says how long it was to be."""
    rows = networks(early_stop_step=[10, 950], early_stop_at_end=[True, False])
    assert is_censored(rows).tolist() == [True, False]
    assert is_censored(rows.assign(**{"train.steps": [1000, np.nan]})).tolist() == [True, False]


def test_on_the_target_its_own_training_counts():
    rows = networks(
        early_stop_step=[950, 950, 950, 1850],
        branch=["trunk", "transfer", "transfer", "transfer"],
        **{"train.steps": [1000] * 4, "target.steps": [2000, 2000, None, 2000]},
    )
    assert is_censored(rows).tolist() == [True, False, True, True]
