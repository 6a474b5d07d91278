"""A point of a design: one configuration, why it is there, and its replicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lttune.config import require
from lttune.config.design.factors import INERT, Factor
from lttune.errors import unknown

Role = Literal["paper", "sweep", "beyond", "design", "repeat", "tune", "fresh"]
"""paper: the paper's own setting; sweep, beyond: a value of a one-factor sweep, on the paper's grid
or outside it; design: space-filling; repeat: space-filling with several replicates, for the pure
error; tune: nuisance search of a fair comparison; fresh: its winner on untouched replicates."""

SPREAD: tuple[Role, ...] = ("design", "repeat")
"""Roles of the points that a design spreads over its factors; the paper's own point is none."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One trial of a design."""

    hparams: dict[str, Any]
    """Dotted path -> value: what the base configuration is overridden with. Never the inert one."""
    replicates: tuple[int, ...]
    """Replicate ids, the same random numbers in every trial (``lttune.config.seeding``)."""
    role: Role
    """Why the point is in the design."""
    label: str
    """Its name for people, unique in a design."""
    inert: float | None = None
    """Value of the inert control factor, None if the design has none. It is recorded, not used."""
    controls: tuple[str, ...] = ()
    """Controls that are trained beside the ticket (``lttune.trajectory.branches``)."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        object.__setattr__(self, "replicates", tuple(self.replicates))
        object.__setattr__(self, "controls", tuple(self.controls))
        if self.role not in get_args(Role):
            raise unknown("point.role", self.role, get_args(Role))
        rule = "without the design's inert control factor, which would change what is trained"
        require(INERT not in self.hparams, "point.hparams", rule, INERT)
        ids = self.replicates
        ok = bool(ids) and len(set(ids)) == len(ids) and all(type(r) is int and r >= 0 for r in ids)
        require(ok, "point.replicates", "different whole numbers >= 0, at least one", ids)

    @property
    def coordinates(self) -> dict[str, Any]:
        """The hyperparameters and the inert factor: a row of the table that analysis reads."""
        return self.hparams if self.inert is None else {**self.hparams, INERT: self.inert}

    def plain(self) -> dict[str, Any]:
        """Returns plain JSON values; ``from_plain`` reads them back."""
        return {
            "hparams": dict(self.hparams),
            "replicates": list(self.replicates),
            "role": self.role,
            "label": self.label,
            "inert": self.inert,
            "controls": list(self.controls),
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Point:
        """Returns the point of plain values.

        Raises:
            ConfigError: if a value breaks its rule.
        """
        return cls(**values)


def point(
    factors: Sequence[Factor],
    unit: Iterable[float],
    *,
    replicates: Sequence[int],
    role: Role,
    label: str,
    fixed: Mapping[str, Any] | None = None,
) -> Point:
    """Returns the point at unit coordinates, with hyperparameters that hold in all of a design."""
    hparams = dict(fixed or {})
    inert = None
    for factor, u in zip(factors, unit, strict=True):
        value = factor.distribution.from_unit(float(u))
        hparams |= factor.hparams(value)
        inert = float(value) if factor.path == INERT else inert
    return Point(hparams=hparams, replicates=tuple(replicates), role=role, label=label, inert=inert)
