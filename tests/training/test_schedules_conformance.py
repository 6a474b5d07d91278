"""What every schedule must do. A schedule is tested here by being in SCHEDULES.

The checks are those of ``lttune.testing``, which a schedule of one's own is asked as well.
"""

from __future__ import annotations

from typing import get_args

import pytest
from own_files import writer

from lttune.config.lottery.train import ScheduleName
from lttune.errors import ConfigError
from lttune.testing import check_schedule
from lttune.training.schedule import SCHEDULES


@pytest.fixture
def own(tmp_path):
    return writer(tmp_path, "train, step")


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_the_table(name):
    assert name in get_args(ScheduleName)
    check_schedule(name)


def test_one_of_ones_own(own):
    check_schedule(own("return train.lr / (1 + step)"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("seen.append(step); return train.lr / len(seen)", "same rate whenever it is asked"),
        ("return 0", "must not be 0 at every step"),
        ("import torch; return float(torch.rand(()))", "draw from the stream that it is given"),
    ],
)
def test_what_no_schedule_may_do_is_found(own, body, told):
    with pytest.raises(AssertionError, match=told):
        check_schedule(own(body))


@pytest.mark.parametrize(
    "body", ["return -1", "return 1 / step", "return float('nan')", "return 10**400"]
)
def test_what_is_no_rate_is_refused_as_in_a_study(own, body):
    with pytest.raises(ConfigError, match=r"^train\.schedule: \S+/own\.py:part "):
        check_schedule(own(body))
