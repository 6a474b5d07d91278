"""Ray does not start, or a worker does not: one line, no traceback."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, call

import pytest
import ray
from digits_study import SMOKE
from ray.exceptions import AuthenticationError

from lttune.errors import ResourceError
from lttune.records.ledger import Trial
from lttune.study.workers.cluster import QUIET, start_ray
from lttune.study.workers.tune import _Bridge


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


def test_a_trial_whose_worker_never_started_has_failed():
    # Ray tells of its error without having told of its start.
    mine = Trial(number=3, phase="search", label="search", hparams={}, replicates=[0], controls=[])
    ledger, listener = Mock(), Mock()
    searcher = Mock(trial_of={"abc": mine}.__getitem__)
    bridge = _Bridge(ledger, searcher, listener)
    bridge.on_trial_error(0, [], SimpleNamespace(trial_id="abc"))
    assert (mine.state, mine.error) == (
        "failed",
        "its worker died; out of memory is the usual cause",
    )
    assert listener.mock_calls == [call.started(mine), call.ended(mine)]
    ledger.save.assert_called_once_with()
