"""Machines that share a store behind a URL."""

import pytest


@pytest.fixture
def another(monkeypatch, tmp_path):
    """Makes this process one of another machine, whose cache is empty."""

    def begin(name="other"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"{name}-caches"))

    return begin
