"""How large a study is, and how that differs from what a claim's source did.

Hyperparameters of ``REGIME`` may differ from a claim's setting: they are reported. But all arms of
a claim come from one *regime*, the column ``scale`` of the verdicts: networks trained for 3,000
steps are never compared with networks trained for 50,000.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lttune.config import LotteryConfig

REGIME = (
    "train.steps",
    "model.name",
    "data.name",
    "train.batch_size",
    "train.eval_every",
    "train.milestones",
    "train.precision",
    "data.pool",
    "data.blur",
    "data.subsample",
    "data.validation",
)
"""Hyperparameters that say how large a study is; the first four are the tag."""
PROXY = ("model.name", "data.name", "data.pool")
"""Those that make another network or other pictures: what is found there is found of a proxy."""


@dataclass(frozen=True, kw_only=True)
class Regime:
    """The part of the configuration that all arms of a claim share within a study's size."""

    values: tuple[tuple[str, Any], ...]
    """Hyperparameter -> value, for those of ``REGIME`` that the claim does not vary."""
    varied: tuple[str, ...] = ()
    """Those that it does."""
    unnamed: tuple[str, ...] = ()
    """Those of which the source names no value, so that each is its own."""

    @property
    def tag(self) -> str:
        """The regime in words: steps, network, data, batch."""
        values = dict(self.values) | dict.fromkeys(self.varied, "varied")
        steps = values["train.steps"]
        text = steps if isinstance(steps, str) else f"{int(steps):,}"
        batch = values["train.batch_size"]
        batch = batch if isinstance(batch, str) else int(batch)
        pooled = values.get("data.pool", 1) or 1
        data = f"{values['data.name']}" + (f" / {int(pooled)}" if pooled != 1 else "")
        return f"{text} steps, {values['model.name']}, {data}, batch {batch}"

    @property
    def group(self) -> tuple[Any, Any]:
        """Steps and dataset: corrections count the claims that share them."""
        values = dict(self.values)
        return values.get("train.steps"), values.get("data.name")

    def is_proxy(self, setting: LotteryConfig) -> bool:
        """Returns whether network or pictures are others than the source's."""
        return any(path in PROXY for path, _ in self._differing(setting))

    def described(self, setting: LotteryConfig) -> str:
        """Returns the tag, which says of a proxy that it is one."""
        return f"{self.tag}, proxy" if self.is_proxy(setting) else self.tag

    def other_inputs(self, setting: LotteryConfig) -> str:
        """Returns the pooling that makes inputs of another size, empty if it is the source's."""
        pools = [one for path, one in self._differing(setting) if path == "data.pool"]
        return f"data.pool is {pools[0]:g} instead of {setting.data.pool}" if pools else ""

    def deviations(self, setting: LotteryConfig) -> list[str]:
        """Returns "path value instead of value" where it differs from the source's."""
        flat = setting.flat()
        return [
            f"{path} {_text(value)} instead of {_text(flat[path])}"
            for path, value in self._differing(setting)
        ]

    def _differing(self, setting: LotteryConfig) -> list[tuple[str, Any]]:
        flat = setting.flat()
        return [
            (path, value)
            for path, value in self.values
            # Rows of a version before there was the setting hold nothing there.
            if path not in self.unnamed
            and None not in (flat[path], native(value))
            and not same(value, flat[path])
        ]


def same(a: Any, b: Any) -> bool:
    """Returns whether two values of a hyperparameter are one, to nine digits."""
    return canonical(a) == canonical(b)


def native(value: Any) -> Any:
    """Returns a value of a table as Python's own; None where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return None
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def canonical(value: Any) -> str:
    """Returns a value as text that is equal where values are, to nine digits."""
    value = native(value)
    if value is None or isinstance(value, str | bool):
        return str(value)
    return f"{float(value):.9g}"


def _text(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:,.10g}" if number else str(value)
