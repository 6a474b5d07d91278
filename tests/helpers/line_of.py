"""The one line in which a call is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lttune.errors import ConfigError


def line_of(call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Returns what a call that is refused says, which must be one line."""
    with pytest.raises(ConfigError) as refusal:
        call(*args, **kwargs)
    assert "\n" not in str(refusal.value), str(refusal.value)
    return str(refusal.value)
