"""The networks of some studies, and what claims have read of them so far."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.claims.file.arm import Arm
from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.file.reader import Registry
from analysis.claims.networks import arms as networks
from analysis.claims.networks.columns import with_columns
from analysis.claims.networks.curves import READ, ArmCurves, curves, responses
from analysis.claims.networks.regime import Regime

Key = tuple[str, ...]


class MissingError(Exception):
    """A claim cannot be tested; the text is the reason, a sentence."""


class Recorded:
    """The networks that the claims of a registry may read; each number is computed once."""

    def __init__(
        self,
        records: pd.DataFrame | Sequence[pd.DataFrame],
        registry: Registry,
        layers: pd.DataFrame | None,
    ) -> None:
        frames = [records] if isinstance(records, pd.DataFrame) else list(records)
        frames = [frame for frame in frames if len(frame)] or frames[:1]
        rows = pd.concat(frames, ignore_index=True)
        self.rows = networks.planned(with_columns(rows, layers)) if len(rows) else rows
        if "trained" in self.rows:
            self.rows["trained"] = pd.to_datetime(
                self.rows["trained"], utc=True, errors="coerce", format="ISO8601"
            )
        # Of a setting that no claim is about, nobody asks for trials.
        about = {claim.setting for claim in registry.claims}
        self.trials = {
            name: networks.trials(self.rows, setting)
            for name, setting in registry.settings.items()
            if len(self.rows) and name in about
        }
        paths = {path for found in self.trials.values() for path in found.raw} - {*READ}
        # Arms are found by ``trials``; without its columns their rows are quick to take.
        self.rows = self.rows.drop(columns=[name for name in paths if name in self.rows]).copy()
        self._selected: dict[Key, pd.DataFrame] = {}
        self._responded: dict[Key, pd.DataFrame] = {}
        self._read: dict[Key, ArmCurves] = {}
        asked = [question for claim in registry.claims for question in claim.questions]
        self._densities = [d for one in asked for d in (*one.densities, *one.survivors)]

    def regimes(self, claim: Claim) -> list[Regime]:
        """Returns the regimes in which there are networks of a claim."""
        return networks.regimes(self.trials[claim.setting], claim) if len(self.rows) else []

    def first_trained(self, claim: Claim, regime: Regime) -> pd.Timestamp | None:
        """Returns when the oldest network of a claim was trained, None if no record says."""
        if "trained" not in self.rows:
            return None
        arms = [arm for question in claim.questions for arm in question.arms]
        dates = [self._networks(claim, arm, regime)[1]["trained"].min() for arm in arms]
        return min((date for date in dates if pd.notna(date)), default=None)

    def networks(self, claim: Claim, arm: Arm, regime: Regime) -> pd.DataFrame:
        """Returns the rows of an arm's networks in a regime."""
        return self._networks(claim, arm, regime)[1]

    def curves(self, claim: Claim, arm: Arm, question: Question, regime: Regime) -> ArmCurves:
        """Returns what a question reads of an arm.

        Raises:
            MissingError: if the records lack the column.
        """
        where, rows = self._networks(claim, arm, regime)
        what = (
            question.measure,
            question.reads,
            repr(question.densities),
            repr(question.survivors),
            repr(question.within),
        )
        if rows.empty:
            none = pd.DataFrame()
            return ArmCurves(values=none, higher=none, lower=none, trained=0)
        branch = arm.branch
        if (*where, *what) not in self._read:
            try:
                self._read[(*where, *what)] = curves(
                    rows, branch, question, lambda reads: self._responses(where, branch, reads)
                )
            except KeyError as column:
                raise MissingError(f"The records have no column {column}.") from None
        return self._read[(*where, *what)]

    def _networks(self, claim: Claim, arm: Arm, regime: Regime) -> tuple[Key, pd.DataFrame]:
        where = (claim.setting, repr(regime), arm.branch, repr(sorted(arm.at.items())))
        if where not in self._selected:
            found = self.trials[claim.setting]
            self._selected[where] = networks.select(self.rows, found, arm, regime)
        return where, self._selected[where]

    def _responses(self, where: Key, branch: str, reads: str) -> pd.DataFrame:
        if (*where, reads) not in self._responded:
            rows = self._selected[where]
            self._responded[(*where, reads)] = responses(rows, branch, reads, self._densities)
        return self._responded[(*where, reads)]
