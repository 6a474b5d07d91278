"""A claim as data: what is said, and the questions that decide it. It holds if all of them do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.claims.file.fields import (
    require,
    require_choice,
    require_names,
    require_number,
    require_one_of,
    require_text,
)
from analysis.claims.file.question import Question
from analysis.statistics.verdicts.form import FORMS

ClaimRole = Literal["confirmatory", "exploratory"]
Tier = Literal["A", "A-", "B", "C"]
"""Smallest machine: A minutes on 2 cores, A- long training there, B hours there, C a GPU."""

ANY = "any"
"""Value of ``dataset`` of a source that names none: no pictures are a proxy of it."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement of the literature, and how it is decided."""

    id: str
    source: str
    """Paper, section and figure."""
    text: str
    """The claim in our words, one sentence."""
    says: str = ""
    """The numbers that the source gives; empty if it gives none."""
    network: str
    dataset: str
    """The source's, for people; ``ANY`` if it names none."""
    densities: str
    """Range of densities that the source speaks of."""
    setting: str = ""
    """Name of the configuration that its arms start from; empty without questions."""
    form: str
    """Form of its main question, a name in ``FORMS``."""
    family: str
    """The hyperparameter it is about: corrections count the claims of one family."""
    role: ClaimRole
    tier: Tier
    cost: str
    """What a replicate costs."""
    study: str
    """The study that would test it."""
    margin: float
    """Default margin of its questions, as a share of accuracy."""
    sesoi: float
    """Default smallest difference of interest, likewise."""
    alpha: float
    n: int
    """Replicates that are planned; no verdict is given on fewer."""
    least_steps: int = 0
    """Steps of training below which it says nothing; 0 if a shorter training only deviates."""
    questions: tuple[Question, ...] = ()
    why: str = ""
    """Why no records of ours decide it, or decide it as the source meant; empty if they do."""
    omits: str = ""
    """What of the claim or of its source no question asks; empty if all is asked."""
    presumes: str = ""
    """CLAIM: QUESTION that must be supported at the same scale, or its networks say nothing about
    this claim: where the paper's own setting has no tickets, no sweep tells where they are lost."""
    conflicts: tuple[str, ...] = ()
    """Claims that cannot hold at the same time."""
    note: str = ""

    def check(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        for name in ("source", "text", "network", "dataset", "densities", "family", "cost"):
            require_text(f"{self.id}: {name}", getattr(self, name))
        require_text(f"{self.id}: study", self.study)
        for name in ("says", "setting", "why", "omits", "presumes", "note"):
            value = getattr(self, name)
            require(isinstance(value, str), f"{self.id}: {name}", "text", value)
        ok = isinstance(self.conflicts, tuple)
        require(ok, f"{self.id}: conflicts", "a list of claims", self.conflicts)
        require_one_of(f"{self.id}: form", self.form, FORMS)
        for name, choices in (("role", ClaimRole), ("tier", Tier)):
            require_choice(f"{self.id}: {name}", getattr(self, name), choices)
        for name, low, high in (("margin", 0, 1), ("sesoi", 0, 1), ("alpha", 0, 0.5)):
            value = getattr(self, name)
            require_number(f"{self.id}: {name}", value, f"in ({low}, {high})")
            require(low < value < high, f"{self.id}: {name}", f"in ({low}, {high})", value)
        require(type(self.n) is int and self.n >= 2, f"{self.id}: n", "a whole number >= 2", self.n)
        ok = type(self.least_steps) is int and self.least_steps >= 0
        require(ok, f"{self.id}: least_steps", "a whole number >= 0", self.least_steps)
        ok = bool(self.questions) or bool(self.why)
        require(ok, f"{self.id}: questions", "given, or why there are none", self.questions)
        ok = bool(self.questions) or self.role == "exploratory"
        require(ok, f"{self.id}: role", "exploratory without questions", self.role)
        ok = bool(self.setting) == bool(self.questions)
        require(ok, f"{self.id}: setting", "given with questions, and only then", self.setting)
        for place, question in enumerate(self.questions):
            question.check(f"{self.id}: questions[{place}]")
        require_names(f"{self.id}: questions", [question.name for question in self.questions])
