"""A clock that is set by hand, in the place of the module ``time``."""

from __future__ import annotations

from types import ModuleType

import pytest


class HandClock:
    """Its time goes on where a test says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def hand_clock(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> HandClock:
    """Returns the clock that a module has from now on."""
    made = HandClock()
    monkeypatch.setattr(module, "time", made)
    return made
