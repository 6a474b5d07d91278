"""Which trajectories are a claim's arms, by dotted hyperparameters.

A trajectory belongs to an arm if its configuration is the claim's setting with the arm's values,
but for the hyperparameters that make its regime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.claims.file.arm import Arm
from analysis.claims.file.claim import ANY, Claim
from analysis.claims.networks.regime import REGIME, Regime, canonical, native
from lttune.config import DEPTH, LotteryConfig
from lttune.config.control import TRUNK
from lttune.config.lottery.model import is_own_network
from lttune.config.phase import phase_names

UNREAD = (
    *(*DEPTH, "train.eval_test", "train.eval_train", "prune.scoring_examples"),
    *("train.epochs", "pretrain.epochs", "train.measure"),
)
"""Hyperparameters that change no network at a given density; of lengths the steps say all."""
UNREAD_GROUPS = ("supermask.", "target.")
"""Groups that change none either, unless an arm names one of them."""
ONLY_WITH = {
    "model.init_std": ("model.init", ("normal",)),
    "train.momentum": ("train.optimizer", ("momentum", "nesterov")),
    "train.decay": ("train.milestones", ()),
}
"""Hyperparameter -> (another, values of it that read the first)."""


def planned(records: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of the phases that were planned, with columns ``key`` and ``unit``.

    What a search tried is no sample of anything. The key numbers trials over all studies, phase by
    phase. The unit names what is independent: the replicate of a seed. The same replicate
    in another study of the same seed is the same random numbers, and no further replicate.
    """
    rows = records[records["phase"].isin(phase_names(lambda phase: phase.is_read_by_claims))].copy()
    rows["unit"] = [
        f"{int(s):06d}/{int(r):06d}" for s, r in zip(rows["seed"], rows["replicate"], strict=True)
    ]
    rows["key"] = rows.groupby(["phase", "study", "trial"], sort=True).ngroup()
    return rows


@dataclass(frozen=True, kw_only=True)
class Trials:
    """The trials of the records, with every hyperparameter of a setting."""

    setting: LotteryConfig
    raw: pd.DataFrame
    """Row per trial, its index the key: each dotted path's value."""
    text: Mapping[str, np.ndarray]
    """Path -> the same values as text that is equal where they are."""
    branches: Mapping[str, frozenset[int]]
    """Branch -> keys of the trials that have it."""
    matched: dict[str, np.ndarray] = field(default_factory=dict)
    """What ``matches`` has found: claims ask for the same arms."""
    sized: dict[tuple[str, str, tuple[str, ...]], list[tuple[Any, ...]]] = field(
        default_factory=dict
    )
    """What ``sizes`` has found."""

    def matches(self, at: Mapping[str, Any]) -> np.ndarray:
        """Returns which trials have the setting's values but for these, whatever their regime."""
        key = repr(sorted(at.items()))
        if key not in self.matched:
            self.matched[key] = _matches(self, at)
        return self.matched[key]

    def sizes(self, arm: Arm, paths: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Returns the values of some hyperparameters at which there are networks of an arm."""
        key = (arm.branch, repr(sorted(arm.at.items())), paths)
        if key not in self.sized:
            ok = self.matches(arm.at) & self.raw.index.isin(self.branches.get(arm.branch, ()))
            # Their texts are equal where they are, and sooner compared.
            texts = [self.text[path] for path in paths]
            first: dict[tuple[str, ...], int] = {}
            for place in np.flatnonzero(ok).tolist():
                first.setdefault(tuple(text[place] for text in texts), place)
            values = self.raw.iloc[[*first.values()]][list(paths)]
            self.sized[key] = list(values.itertuples(index=False, name=None)) if first else []
        return self.sized[key]


def trials(rows: pd.DataFrame, setting: LotteryConfig) -> Trials:
    """Returns the trials of ``planned`` rows; hyperparameters that old records lack are default."""
    first = rows.drop_duplicates("key").set_index("key")
    fractions = [str(name) for name in first if str(name).startswith("prune.fractions.")]
    paths = list(dict.fromkeys([*setting.flat(), *fractions]))
    defaults = LotteryConfig().flat()
    columns = {path: first[path] if path in first else defaults.get(path) for path in paths}
    raw = pd.DataFrame(columns, index=first.index, dtype=object)
    # Of a hundred columns a row takes longer to be made than to be read.
    read = [path for path in paths if path.startswith("prune.fraction")]
    values = raw[read].to_dict("records")
    for path in read:
        if path.startswith("prune.fractions."):
            raw[path] = [_fraction(row, path) for row in values]
    text = {path: np.array([canonical(value) for value in raw[path]], object) for path in paths}
    branches = {str(name): frozenset(group["key"]) for name, group in rows.groupby("branch")}
    return Trials(setting=setting, raw=raw, text=text, branches=branches)


def regimes(found: Trials, claim: Claim) -> list[Regime]:
    """Returns the regimes in which there are networks of a claim, those with most arms only."""
    arms = [arm for question in claim.questions for arm in question.arms]
    varied = tuple(path for path in REGIME if any(path in arm.at for arm in arms))
    fixed = tuple(path for path in REGIME if path not in varied)
    unnamed = ("data.name",) if claim.dataset == ANY else ()
    held: dict[Regime, set[tuple[str, str]]] = {}
    for arm in arms:
        for values in found.sizes(arm, fixed):
            if _is_of_kind(dict(zip(fixed, values, strict=True)), found.setting):
                shared = tuple((p, native(v)) for p, v in zip(fixed, values, strict=True))
                key = Regime(values=shared, varied=varied, unnamed=unnamed)
                held.setdefault(key, set()).add((arm.branch, repr(sorted(arm.at.items()))))
    most = max((len(arms) for arms in held.values()), default=0)
    return [regime for regime, arms in held.items() if len(arms) == most]


def select(rows: pd.DataFrame, found: Trials, arm: Arm, regime: Regime) -> pd.DataFrame:
    """Returns the networks of an arm: its branch and the trunk it left, one trajectory a unit.

    Where several trials trained the same unit, the first counts.
    """
    ok = found.matches(arm.at)
    for path, value in regime.values:
        ok = ok & (found.text[path] == canonical(value))
    mine = rows[rows["key"].isin(found.raw.index[ok]) & rows["branch"].isin([TRUNK, arm.branch])]
    mine = mine.assign(place=mine["unit"] + " " + mine["key"].astype(str))
    has = mine[mine["branch"] == arm.branch].sort_values("key", kind="stable")
    return mine[mine["place"].isin(has.drop_duplicates("unit")["place"])]


def _fraction(values: Mapping[Any, Any], path: str) -> Any:
    """Returns a layer's fraction: its own, else its kind's, else the common one."""
    kind = path.rpartition(".")[2].rstrip("0123456789.")
    for name in (path, f"prune.fractions.{kind}", "prune.fraction"):
        value = native(values.get(name))
        if value is not None:
            return value
    return None


def _matches(found: Trials, at: Mapping[str, Any]) -> np.ndarray:
    wanted = found.setting.override(at).flat()
    ok = np.ones(len(found.raw), bool)
    for path, text in found.text.items():
        free = path in REGIME and path not in at
        if free or path in UNREAD or _unread(path, wanted):
            continue
        group = f"{path.partition('.')[0]}."
        if group in UNREAD_GROUPS and not any(name.startswith(group) for name in at):
            continue
        is_fraction = path.startswith("prune.fractions.")
        value = _fraction(wanted, path) if is_fraction else wanted.get(path)
        ok &= text == canonical(value)
    return ok


def _unread(path: str, wanted: Mapping[str, Any]) -> bool:
    if path not in ONLY_WITH:
        return False
    other, values = ONLY_WITH[path]
    return wanted[other] not in values if values else not wanted[other]


def _is_of_kind(values: Mapping[str, Any], setting: LotteryConfig) -> bool:
    """Returns whether a network is of the setting's kind: any LeNet for a LeNet.

    Of what somebody else's code makes, whatever its file is called, nobody knows that.
    """
    name = str(values.get("model.name", setting.model.name))
    own = is_own_network(name)
    return not own and name.partition("-")[0] == setting.model.name.partition("-")[0]


def names(arms: Iterable[Arm]) -> str:
    """Returns the names of arms, at most three of them."""
    listed = [arm.name for arm in arms]
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
