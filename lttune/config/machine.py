"""By what and where networks are trained: the names alone, so that a command line loads nothing."""

from __future__ import annotations

from typing import Literal

EngineName = Literal["auto", "torch", "sparse", "stacked"]
TOLD = (
    "torch is the reference; sparse computes surviving weights only, on the CPU; stacked trains "
    "several at once, for a GPU. auto is sparse where it can be."
)
"""What a person reads of the engines in ``--help``."""

DeviceName = Literal["cpu", "cuda"]
