"""The verdicts of claims on the records of studies: one row for each claim and scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from analysis.claims import cells as networks
from analysis.claims.claim import Claim
from analysis.claims.curves import Curves, curves, prepared, responses
from analysis.claims.estimand import pieces
from analysis.claims.judge import all_of, judged
from analysis.claims.lock import Lock
from analysis.claims.question import Cell, Question
from analysis.claims.reader import Registry
from analysis.claims.scale import Scale
from analysis.claims.table import Row, table, unit
from analysis.statistics.pair_verdicts import influential, matters_more
from analysis.statistics.verdicts import Verdict, not_tested

if TYPE_CHECKING:
    from analysis.importance.result import Importance

VALIDATION = {"test_accuracy": "val_accuracy", "end_test_accuracy": "end_val_accuracy"}
"""Column of the test set -> the validation set's."""

SEPARATOR = ": "
"""Between a question's name and the piece of it."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table of verdicts is made of the same claims and records."""

    factor: float = 1.0
    """Of every margin and smallest difference of interest."""
    validation: bool = False
    """Whether validation accuracy is read where the claim reads test accuracy."""


def verdicts(
    records: pd.DataFrame | Sequence[pd.DataFrame],
    registry: Registry,
    *,
    layers: pd.DataFrame | None = None,
    lock: Lock | None = None,
    created: str | None = None,
    importances: Mapping[str, Importance] | None = None,
) -> pd.DataFrame:
    """Returns a row for each claim at each scale at which the records hold its networks.

    Args:
        records: of one study, or of several.
        registry: the claims.
        layers: the ``layers.parquet`` of the same studies, for claims about weights.
        lock: fixed before the studies began. Without one every claim is exploratory.
        created: when the first of the studies began.
        importances: what questions about importance read: name of the response -> its indices.

    Claims of a family are corrected by Holm over those that share steps and dataset, exploratory
    ones by Benjamini and Hochberg over all of them. A claim without networks or with fewer
    replicates than planned is not tested.
    """
    return _Engine(records, registry, layers, lock, created, importances or {}).table(Reading())


def sensitivity(
    records: pd.DataFrame | Sequence[pd.DataFrame],
    registry: Registry,
    *,
    layers: pd.DataFrame | None = None,
    lock: Lock | None = None,
    created: str | None = None,
    importances: Mapping[str, Importance] | None = None,
) -> pd.DataFrame:
    """Returns the verdict of each claim and scale under other margins and on validation accuracy.

    Columns: claim, scale, ``margin x 0.5``, ``margin x 1``, ``margin x 2`` and ``validation``; the
    arguments are those of ``verdicts``.
    """
    engine = _Engine(records, registry, layers, lock, created, importances or {})
    readings = {f"margin x {factor:g}": Reading(factor=factor) for factor in (0.5, 1.0, 2.0)}
    readings["validation"] = Reading(validation=True)
    tables = {name: engine.table(reading) for name, reading in readings.items()}
    first = tables["margin x 1"][["claim", "scale"]]
    return first.assign(**{name: table["verdict"] for name, table in tables.items()})


class _Engine:
    """What stays the same over the claims; curves are read once for each cell."""

    def __init__(
        self,
        records: pd.DataFrame | Sequence[pd.DataFrame],
        registry: Registry,
        layers: pd.DataFrame | None,
        lock: Lock | None,
        created: str | None,
        importances: Mapping[str, Importance],
    ) -> None:
        frames = [records] if isinstance(records, pd.DataFrame) else list(records)
        rows = pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)
        self.registry, self.lock, self.importances = registry, lock, importances
        self.refusal = lock.refusal(registry, created) if lock else ""
        self.reading = Reading()
        self.rows = networks.planned(prepared(rows, layers)) if len(rows) else rows
        self.trials = {
            name: networks.trials(self.rows, setting)
            for name, setting in registry.settings.items()
            if len(self.rows)
        }
        paths = {path for found in self.trials.values() for path in found.raw}
        # Cells are found by ``trials``; without its columns their rows are quick to take.
        self.rows = self.rows.drop(columns=[name for name in paths if name in self.rows]).copy()
        self.selected: dict[tuple[str, ...], pd.DataFrame] = {}
        self.responded: dict[tuple[str, ...], pd.DataFrame] = {}
        self.read: dict[tuple[str, ...], Curves] = {}
        asked = [question for claim in registry.claims for question in claim.questions]
        self.densities = [d for one in asked for d in (*one.densities, *one.survivors)]

    def table(self, reading: Reading) -> pd.DataFrame:
        """Returns the table of verdicts under a reading."""
        self.reading = reading
        rows = [row for claim in self.registry.claims for row in self.claim(claim)]
        return table(rows, self.registry)

    def claim(self, claim: Claim) -> list[Row]:
        """Returns the claim's rows before correction."""
        if not claim.questions:
            return [self._untested(claim, None, claim.why)]
        of_cells = any(question.cells for question in claim.questions)
        some = of_cells and len(self.rows) > 0
        found = networks.scales(self.trials[claim.setting], claim) if some else []
        if not found and of_cells:
            return [self._untested(claim, None, "The records hold none of its networks.")]
        return [self._at(claim, scale) for scale in found or [None]]

    def _at(self, claim: Claim, scale: Scale | None) -> Row:
        if self.refusal and claim.role == "confirmatory":
            verdict = not_tested(claim.form, self.refusal, alpha=claim.alpha)
            return Row(claim=claim, scale=scale, role=claim.role, part="", unit="", verdict=verdict)
        steps = dict(scale.values)["train.steps"] if scale else claim.least_steps
        if steps < claim.least_steps:
            reason = f"It needs trainings of {claim.least_steps:,} steps, these are of {steps:,}."
            return self._untested(claim, scale, reason)
        n = claim.n if self.lock is None else self.lock.n.get(claim.id, claim.n)
        found: list[tuple[str, Verdict]] = []
        for question in claim.questions:
            try:
                found += self._question(claim, question, scale, n)
            except _MissingError as missing:
                return self._untested(claim, scale, str(missing), question.name)
        part, verdict = all_of(found, claim.form, claim.alpha)
        if verdict.verdict == "not tested":
            return self._untested(claim, scale, verdict.reason, part)
        asked = {question.name: question for question in claim.questions}
        measured = unit(asked[part.partition(SEPARATOR)[0]])
        role = self._role(claim, scale)
        return Row(claim=claim, scale=scale, role=role, part=part, unit=measured, verdict=verdict)

    def _question(
        self, claim: Claim, question: Question, scale: Scale | None, n: int
    ) -> list[tuple[str, Verdict]]:
        if question.measure == "importance":
            return [(question.name, self._importance(claim, question))]
        assert scale is not None
        if self.reading.validation:
            reads = VALIDATION.get(question.reads, question.reads)
            question = replace(question, reads=reads)
        read = [self._curves(claim, cell, question, scale) for cell in question.cells]
        absent = [c for c, one in zip(question.cells, read, strict=True) if not one.trained]
        if absent:
            raise _MissingError(
                f"The records lack {len(absent)} of {len(read)} cells: {networks.names(absent)}."
            )
        units = sorted(set.intersection(*(set(one.values.index) for one in read)))
        if len(units) < n:
            raise _MissingError(
                f"{len(units)} of {n} planned replicates are there, {n - len(units)} are missing."
            )
        return [
            (
                f"{question.name}{SEPARATOR}{piece.label}" if piece.label else question.name,
                judged(
                    question,
                    piece,
                    alpha=claim.alpha,
                    name=f"{claim.id} {question.name} {piece.label}",
                    factor=self.reading.factor,
                ),
            )
            # The replicates that were planned, and not as many more as it took.
            for piece in pieces(question, read, units[:n])
        ]

    def _curves(self, claim: Claim, cell: Cell, question: Question, scale: Scale) -> Curves:
        where = (claim.setting, repr(scale), cell.branch, repr(sorted(cell.at.items())))
        if where not in self.selected:
            found = self.trials[claim.setting]
            self.selected[where] = networks.select(self.rows, found, cell, scale)
        what = (
            question.measure,
            question.reads,
            repr(question.densities),
            repr(question.survivors),
            repr(question.within),
        )
        rows = self.selected[where]
        if rows.empty:
            none = pd.DataFrame()
            return Curves(values=none, higher=none, lower=none, trained=0)
        if (*where, *what) not in self.read:
            try:
                self.read[(*where, *what)] = curves(
                    rows, cell.branch, question, lambda reads: self._responses(where, reads)
                )
            except KeyError as column:
                raise _MissingError(f"The records have no column {column}.") from None
        return self.read[(*where, *what)]

    def _responses(self, where: tuple[str, ...], reads: str) -> pd.DataFrame:
        if (*where, reads) not in self.responded:
            rows = self.selected[where]
            self.responded[(*where, reads)] = responses(rows, reads, self.densities)
        return self.responded[(*where, reads)]

    def _importance(self, claim: Claim, question: Question) -> Verdict:
        found = self.importances.get(question.reads)
        if found is None or found.status != "ok":
            raise _MissingError(found.reason if found else "No importances were estimated.")
        missing = [path for path in question.factors if path not in found.total]
        if missing:
            raise _MissingError(f"The design did not vary {', '.join(missing)}.")
        draws = [found.total[path].to_numpy(float) for path in question.factors]
        if question.form == "matters_more":
            return matters_more(draws[0] - draws[1], n=found.trajectories, alpha=claim.alpha)
        table = found.table.set_index("factor")
        floor = float(table["floor"].astype(float)[question.factors[0]])
        return influential(draws[0], floor=floor, n=found.trajectories, alpha=claim.alpha)

    def _role(self, claim: Claim, scale: Scale | None) -> str:
        if claim.role == "exploratory":
            return claim.role
        if self.lock is None:
            return "exploratory (not locked)"
        data = self.registry.settings[claim.setting].data.name
        if scale is not None and dict(scale.values).get("data.name", data) != data:
            return "exploratory (other data)"
        return claim.role

    def _untested(self, claim: Claim, scale: Scale | None, reason: str, part: str = "") -> Row:
        whole = f"{reason} Study: {claim.study}. Cost: {claim.cost}."
        verdict = not_tested(claim.form, whole, alpha=claim.alpha)
        return Row(
            claim=claim,
            scale=scale,
            role=self._role(claim, scale),
            part=part,
            unit="",
            verdict=verdict,
        )


class _MissingError(Exception):
    """A claim cannot be tested; the text is the reason, a sentence."""
