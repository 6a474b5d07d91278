"""By what and where networks are trained: the names alone, so that a command line loads nothing."""

from __future__ import annotations

from typing import Literal

EngineName = Literal["auto", "torch", "sparse", "stacked"]
DeviceName = Literal["cpu", "cuda"]
