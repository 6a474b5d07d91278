"""A question: which numbers of which networks, and the rule that decides.

It makes one number of each replicate's arms, or a row of them, and names the rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analysis.claims.file.arm import Arm
from analysis.claims.file.fields import (
    require,
    require_choice,
    require_names,
    require_number,
    require_one_of,
    require_text,
)
from analysis.statistics.verdicts.form import FORMS

Quantity = Literal[
    "accuracy",
    "gain",
    "gain_auc",
    "steps",
    "steps_ratio",
    "ticket_density",
    "ticket_weights",
    "importance",
]
"""accuracy: a column of the records at a density; gain: that less the dense network's; gain_auc:
mean gain over log density down to one; steps: early-stopping step; steps_ratio: that over the dense
network's; ticket_density: lowest density of the grid whose gain is within ``within``;
ticket_weights: that times the dense network's weights; importance: total index of a factor."""
Across = Literal["mean", "each", "columns"]
"""What several densities are: averaged, decided one by one (all must hold), or columns."""
Compare = Literal["contrast", "each", "columns"]
"""What several arms are: summed by their weights, decided one by one, or columns."""
RATIOS: dict[str, tuple[float, float]] = {
    "steps": (1.25, 1.1),
    "steps_ratio": (1.25, 1.1),
    "ticket_density": (1.5, 1.25),
    "ticket_weights": (1.5, 1.25),
}
"""Measures that are compared by ratio -> margin and smallest ratio that matters."""
WHOLE = ("gain_auc", "ticket_density", "ticket_weights")
"""Measures that are one number of a whole trajectory."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One number, or row of numbers, of each replicate, and the rule that decides."""

    name: str
    """What is asked, for people; unique in a claim."""
    form: str
    """Which rule decides: a name in ``FORMS``."""
    measure: Quantity = "accuracy"
    """What is read of each trajectory."""
    reads: str = "test_accuracy"
    """Column that accuracies and gains are read from."""
    densities: tuple[float, ...] = ()
    """Where it is read, in (0, 1]; 1 is dense. The floor of gain_auc."""
    survivors: tuple[float, ...] = ()
    """The same as numbers of weights, for networks of different size."""
    across: Across = "mean"
    compare: Compare = "contrast"
    arms: tuple[Arm, ...] = ()
    direction: Literal["up", "down"] = "up"
    """down: the claim is of less, earlier or falling."""
    margin: float
    """Largest difference that counts as none: a share, or a ratio > 1 of measures in ``RATIOS``."""
    sesoi: float
    """Smallest difference of interest, likewise; a difference below supports a smaller claim."""
    number: float | None = None
    """What the paper states, for numeric."""
    tolerance: float = 0.25
    """Share of the number that still agrees with it."""
    value: str | None = None
    """Name of the arm that is claimed to be best, for best_value."""
    rivals: tuple[str, ...] = ()
    """Names of those that it is claimed to beat; none for all others."""
    within: float = 0.001
    """Accuracy that a ticket may lose, for ticket_density and ticket_weights."""
    factors: tuple[str, ...] = ()
    """Hyperparameters, for importance: two to compare, or one."""
    least_steps: int = 0
    """Steps of training below which it is not asked, as ``Claim.least_steps`` for a part of it."""

    @property
    def is_of_counts(self) -> bool:
        """Whether it names numbers of weights, which another size of the input changes."""
        states_number = FORMS[self.form].states == "number"
        return bool(self.survivors) or (self.measure == "ticket_weights" and states_number)

    @property
    def is_ratio(self) -> bool:
        """Whether its numbers are logarithms of ratios."""
        return self.measure in RATIOS

    def check(self, where: str) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        require_text(f"{where}.name", self.name)
        require(":" not in self.name, f"{where}.name", "without a colon", self.name)
        require_one_of(f"{where}.form", self.form, FORMS)
        for name, choices in (
            ("measure", Quantity),
            ("across", Across),
            ("compare", Compare),
        ):
            require_choice(f"{where}.{name}", getattr(self, name), choices)
        require_one_of(f"{where}.direction", self.direction, ("up", "down"))
        least = 1.0 if self.is_ratio else 0.0
        for name in ("margin", "sesoi"):
            value = getattr(self, name)
            require_number(f"{where}.{name}", value, f"a number > {least:g}")
            require(value > least, f"{where}.{name}", f"a number > {least:g}", value)
        require_number(f"{where}.within", self.within, "in [0, 1)")
        require(0 <= self.within < 1, f"{where}.within", "in [0, 1)", self.within)
        require_number(f"{where}.tolerance", self.tolerance, "in (0, 1)")
        require(0 < self.tolerance < 1, f"{where}.tolerance", "in (0, 1)", self.tolerance)
        ok = type(self.least_steps) is int and self.least_steps >= 0
        require(ok, f"{where}.least_steps", "a whole number >= 0", self.least_steps)
        if self.measure == "importance":
            self._check_importance(where)
        else:
            self._check_arms(where)

    def _check_importance(self, where: str) -> None:
        forms = [name for name, form in FORMS.items() if form.factors]
        require(self.form in forms, f"{where}.form", " or ".join(forms), self.form)
        count = FORMS[self.form].factors
        require(len(self.factors) == count, f"{where}.factors", f"{count} paths", self.factors)
        require_names(f"{where}.factors", self.factors)
        require(len(self.densities) <= 1, f"{where}.densities", "one at most", self.densities)

    def _check_arms(self, where: str) -> None:
        of_indices = FORMS[self.form].takes == "indices"
        require(not of_indices, f"{where}.measure", "importance", self.measure)
        require(bool(self.arms), f"{where}.cells", "one cell or more", self.arms)
        for place, arm in enumerate(self.arms):
            arm.check(f"{where}.cells[{place}]")
        names = [arm.name for arm in self.arms]
        require_names(f"{where}.cells", names)
        for density in self.densities:
            require_number(f"{where}.densities", density, "in (0, 1]")
            require(0 < density <= 1, f"{where}.densities", "in (0, 1]", density)
        for count in self.survivors:
            require_number(f"{where}.survivors", count, "> 1")
            require(count > 1, f"{where}.survivors", "> 1", count)
        places = len(self.densities) + len(self.survivors)
        one = bool(self.densities) != bool(self.survivors)
        if self.measure in ("ticket_density", "ticket_weights"):
            require(places == 0, f"{where}.densities", f"left out of {self.measure}", places)
        elif self.measure == "gain_auc":
            require(len(self.densities) == 1, f"{where}.densities", "its floor", self.densities)
        else:
            require(one, f"{where}.densities", "given, or else survivors", self.densities)
        self._check_shape(where, names, places)

    def _check_shape(self, where: str, names: list[str], places: int) -> None:
        columns = [
            size
            for size, kind in ((places, self.across), (len(names), self.compare))
            if kind == "columns"
        ]
        form = FORMS[self.form]
        if form.takes == "number":
            require(not columns, f"{where}.form", "a form of columns", self.form)
        if form.takes == "row":
            require(len(columns) == 1, f"{where}.across", "or compare columns", self.across)
        require(len(columns) <= 1, f"{where}.compare", "no columns of columns", self.compare)
        enough = not columns or columns[0] >= form.fewest
        require(enough, f"{where}.form", f"of {form.fewest} columns or more", self.form)
        if form.states == "value":
            require_one_of(f"{where}.value", self.value, names)
            for rival in self.rivals:
                require_one_of(f"{where}.rivals", rival, [n for n in names if n != self.value])
        if form.states == "number":
            number = math.nan if self.number is None else self.number
            require_number(f"{where}.number", number, "a number other than 0")
            ok = number > 0 or (number < 0 and not self.is_ratio)
            require(ok, f"{where}.number", "other than 0, and > 0 of a ratio", number)
