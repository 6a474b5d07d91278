"""Ray does not start: one line, no traceback."""

from __future__ import annotations

from typing import Any

import pytest
import ray
from digits_study import SMOKE
from ray.exceptions import AuthenticationError

from lttune.errors import ResourceError
from lttune.ray_cluster import QUIET, start_ray


@pytest.mark.parametrize("kind", [Exception, ConnectionError, AuthenticationError])
def test_what_keeps_ray_from_starting_is_one_line(kind, monkeypatch):
    def init(**options: Any) -> None:
        raise kind("The current node timed out during startup.\nThis could happen because ...")

    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ResourceError) as error:
        start_ray(SMOKE)
    line = "Ray cannot be started on this machine: The current node timed out during startup."
    assert str(error.value) == line
