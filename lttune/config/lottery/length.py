"""Lengths that are given in epochs: which fields hold them, and which the steps that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lttune.config.fields import is_number
from lttune.config.lottery.data import DATASET_SETTINGS
from lttune.config.rules import Rules, every_rule

STEPS_OF = {f"{group}.epochs": f"{group}.steps" for group in ("train", "pretrain", "target")}
"""Path of a length in epochs -> that of its steps, which are counted as soon as the data is there
(``lttune.data.epochs``)."""
COUNTED_BY = (
    *DATASET_SETTINGS,
    *("train.batch_size", "target.batch_size", "pretrain.task"),
    *("data.validation", "data.subsample", "data.task"),
)
"""Settings besides that decide how many steps an epoch has."""


def check_epochs(rules: Rules, group: str, config: object) -> None:
    """Notes a group's ``epochs`` that are no finite number > 0, and makes them a float.

    None is a length in steps.
    """
    value = getattr(config, "epochs")  # noqa: B009
    ok = value is None or (is_number(value) and value > 0)
    rules.require(ok, f"{group}.epochs", "a finite number > 0 or None", value)
    if ok and value is not None:
        object.__setattr__(config, "epochs", float(value))


def in_last_unit(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Returns hyperparameters that give up a length in epochs wherever they give it in steps.

    Raises:
        ConfigError: if they give one in both.
    """
    found = dict(hparams)
    with every_rule(part=False) as rules:
        for epochs, steps in STEPS_OF.items():
            if hparams.get(steps) is not None:
                value = hparams.get(epochs)
                rules.require(value is None, epochs, f"left out where {steps} is given", value)
                found[epochs] = None
    return found


def joined_settings(base: Mapping[str, Any], hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a trial's settings by dotted path, as far as they are known without its data.

    Args:
        base: those of the base configuration.
        hparams: what the trial changes.

    Returns:
        All but the steps of a length in epochs of which the trial has a number of its own.
    """
    found = {**base, **hparams}
    for epochs, steps in STEPS_OF.items():
        if hparams.get(steps) is not None:
            if epochs in base:
                found[epochs] = None
        elif found.get(epochs) is not None and not hparams.keys().isdisjoint((epochs, *COUNTED_BY)):
            found.pop(steps, None)
    return found
