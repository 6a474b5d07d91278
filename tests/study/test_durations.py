"""Times that a run is given: how they are written."""

from __future__ import annotations

import pytest

from lttune.config.fields import duration_s
from lttune.errors import ConfigError
from lttune.study.settings import StudyConfig


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("1.5h", 5400), ("1h1m1s", 3661)],
)
def test_a_duration_is_read(text, seconds):
    assert duration_s("x", text) == seconds
    assert StudyConfig(name="x", max_time=text).limit_s == seconds


@pytest.mark.parametrize(
    "text",
    ["", "90", "2 h", "h", "30m1h", "-1h", "0s", "1..5h", "1d", "two hours", 5, f"{'9' * 400}h"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError, match="max_time must be a time such as 2h, 90m, 1h30m or 45s"):
        StudyConfig(name="x", max_time=text)


def test_a_bad_time_is_told_with_other_mistakes(refused, cwd):
    code, text = refused("--max-time", "soon", "--trials", "0")
    assert code == 2
    assert "max_time must be a time such as 2h, 90m, 1h30m or 45s, got 'soon'" in text
    assert "trials must be a whole number >= 1, got 0" in text
    assert list(cwd.iterdir()) == []
