"""How long the studies of LeNet-300-100 train below the paper's scale, as settings to override."""

from __future__ import annotations

from typing import Any

DIGITS: dict[str, Any] = {
    "data.name": "digits",
    "data.validation": None,
    "levels": 3,
    "train.steps": 200,
    "train.eval_every": 50,
    "train.eval_test": False,
    "train.eval_train": 0,
}
"""Seconds a trial, on pictures that need no download: does everything run?"""

SHORTENED: dict[str, Any] = {
    "levels": 15,
    "train.steps": 3_000,
    "train.eval_test": False,
    "train.eval_train": 2_000,
}
"""15 levels of a sixteenth of the paper's steps, down to 3.6 % of the weights."""
