"""Which trajectories are a claim's arms: those of its setting, whatever changes no network."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.claims.networks.arms import trials
from lttune.config import LotteryConfig


@pytest.mark.parametrize(
    ("path", "value", "is_arm"),
    [
        ("train.eval_test", False, True),
        ("train.measure", "./look.py:look", True),
        ("train.epochs", 3.0, True),
        ("prune.fraction", 0.4, False),
    ],
)
def test_what_changes_no_network_keeps_a_trajectory_in_its_arm(path, value, is_arm):
    setting = LotteryConfig()
    row = {**setting.flat(), "key": 0, "branch": "trunk", path: value}
    found = trials(pd.DataFrame([row]), setting)
    assert found.matches({}).tolist() == [is_arm]
