"""A point of a design: one configuration, why it is there, and its replicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from lttune.config.design.factors import INERT, Factor
from lttune.config.fields import as_python, is_int, is_number, require
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
        rule = "a dict of dotted paths to values"
        ok = isinstance(self.hparams, Mapping) and all(isinstance(p, str) for p in self.hparams)
        require(ok, "Point.hparams", rule, self.hparams)
        for name in ("replicates", "inert", "controls"):
            object.__setattr__(self, name, as_python(getattr(self, name)))
        object.__setattr__(self, "hparams", as_python(dict(self.hparams)))
        rule = "without the design's inert control factor, which would change what is trained"
        require(INERT not in self.hparams, "Point.hparams", rule, INERT)
        rule = "a list or tuple of different whole numbers >= 0, at least one"
        ok = isinstance(self.replicates, list | tuple | range)
        require(ok, "Point.replicates", rule, self.replicates)
        ids = tuple(self.replicates)
        object.__setattr__(self, "replicates", ids)
        ok = bool(ids) and all(is_int(r) and r >= 0 for r in ids) and len(set(ids)) == len(ids)
        require(ok, "Point.replicates", rule, ids)
        if self.role not in get_args(Role):
            raise unknown("Point.role", self.role, get_args(Role))
        require(isinstance(self.label, str), "Point.label", "a text", self.label)
        ok = self.inert is None or is_number(self.inert)
        require(ok, "Point.inert", "a number or None", self.inert)
        controls = self.controls
        ok = isinstance(controls, list | tuple) and all(isinstance(one, str) for one in controls)
        require(ok, "Point.controls", "a list or tuple of names", controls)
        object.__setattr__(self, "controls", tuple(controls))

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


def require_points(points: Iterable[Point]) -> list[Point]:
    """Returns points as a list; raises ``ConfigError`` unless each is a ``Point``."""
    rule = "a list or tuple of Point"
    ok = isinstance(points, Iterable) and not isinstance(points, str | Mapping)
    require(ok, "points", rule, points)
    found = [*points]
    for one in cast("list[object]", found):
        require(isinstance(one, Point), "points", rule, one)
    return found


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
