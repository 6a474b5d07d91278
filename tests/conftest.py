"""Every test has an environment of its own: no MLflow server, no token, no user's setting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Small matrices: on more threads the linear algebra of a test mostly waits for itself.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray reads these when it is first imported. Without a mode of its own it would write a token into
# the user's home.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# lttune sets this before it imports MLflow; some tests import MLflow before lttune does.
os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
    os.environ.pop(name, None)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of its own to work in."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
