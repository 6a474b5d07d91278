"""By what and where networks are trained and tracked: the names alone, which load nothing."""

from __future__ import annotations

from typing import Literal

EngineName = Literal["auto", "torch", "sparse", "stacked"]
TOLD = (
    "torch is the reference; sparse computes surviving weights only, on the CPU; stacked trains "
    "several at once, for a GPU. auto is sparse where it can be."
)
"""What a person reads of the engines in ``--help``."""

DeviceName = Literal["cpu", "cuda"]

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
"""Where MLflow is if nothing else is said; the file is of the folder that is worked in."""
