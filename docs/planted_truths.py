"""How often verdicts are false where the truth is planted: ``python -m docs.planted_truths``.

Records of studies are drawn whose truth is known and lies at the border of what a claim says, where
a false verdict is likeliest, and judged as those of a study are, from the records to the word. The
page counts the false ones of 200 studies for each claim and kind of noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import Registry, as_registry, verdicts
from lttune.config import LotteryConfig

PAGE = Path(__file__).parent / "planted-truths.md"
STUDIES, REPLICATES, LEVELS = 200, 10, 11
ALPHA, MARGIN, SMALLEST = 0.05, 0.002, 0.001
SHARED, OWN = 0.002, 0.001
"""Deviations of accuracy: of what a replicate's networks share, and of each network."""
RATES = (5e-4, 1e-3, 2e-3)
"""Learning rates of a sweep."""
PLACES = (0.8**3, 0.8**7, 0.8**11)
"""Densities that are asked for."""
SUPPORTS, REFUTES = ("supported", "supported, smaller"), ("contradicted",)

Effect = Callable[[int, float], float]
"""What an arm (by its number) and a density add to accuracy."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How the networks of a replicate differ."""

    text: str
    tails: bool = False
    """Whether a network's noise is t-distributed with 3 degrees of freedom."""
    spread: float = 0.0
    """By how much its deviation grows from arm to arm, and towards small densities."""
    shared: float = 0.0
    """Share of its variance that all densities of a trajectory have in common."""
    diverged: bool = False
    """Whether the first replicate's last arm diverges half way."""
    missing: bool = False
    """Whether the last arm lacks a replicate."""


NOISES = {
    "plain": Noise(text="normal, independent, equal"),
    "heavy tails": Noise(text="t with 3 degrees of freedom", tails=True),
    "unequal variances": Noise(text="up to four times as large by arm and density", spread=1.5),
    "correlated densities": Noise(text="nine tenths shared along a trajectory", shared=0.9),
    "one diverged": Noise(text="a trajectory of one replicate ends half way", diverged=True),
    "missing control": Noise(text="an arm lacks one replicate of the ten", missing=True),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A claim, and a truth at its border."""

    text: str
    question: Mapping[str, Any]
    effect: Effect
    false: tuple[str, ...]
    """Words that are false of it."""


def _gain(**more: Any) -> dict[str, Any]:
    plain = {"name": "q", "measure": "gain", "densities": list(PLACES)}
    return plain | {"cells": [{"name": "ticket", "at": _at(0)}]} | more


def _row(**more: Any) -> dict[str, Any]:
    cells = [{"name": f"rate {i}", "at": _at(i)} for i in range(len(RATES))]
    plain = {"name": "q", "measure": "accuracy", "compare": "columns", "cells": cells}
    return plain | {"densities": [PLACES[1]]} | more


def _at(arm: int) -> dict[str, Any]:
    return {"train.lr": RATES[arm]}


def _pruned(size: float) -> Effect:
    return lambda arm, density: size * (density < 1)


def _by_arm(*sizes: float) -> Effect:
    return lambda arm, density: sizes[arm]


_INTERACTION = [
    {"name": name, "at": _at(arm), "weight": weight}
    for name, arm, weight in (("here", 0, 1.0), ("there", 1, -1.0))
]

CASES = {
    "no gain": Case(
        text="superiority: there is a gain; there is none",
        question=_gain(form="superiority"),
        effect=_pruned(0.0),
        false=SUPPORTS,
    ),
    "gain that matters": Case(
        text="superiority; the gain is the smallest that matters",
        question=_gain(form="superiority"),
        effect=_pruned(SMALLEST),
        false=REFUTES,
    ),
    "gain at some densities": Case(
        text="superiority at each of three densities; there is none at one of them",
        question=_gain(form="superiority", across="each"),
        effect=lambda arm, density: 0.01 * (density < 1) * (density > 0.1),
        false=SUPPORTS,
    ),
    "gain at all densities": Case(
        text="superiority at each of three densities; each is the smallest that matters",
        question=_gain(form="superiority", across="each"),
        effect=_pruned(SMALLEST),
        false=REFUTES,
    ),
    "worse by the margin": Case(
        text="no worse; it is worse by the margin",
        question=_gain(form="no_worse"),
        effect=_pruned(-MARGIN),
        false=SUPPORTS,
    ),
    "apart by the margin": Case(
        text="robust: as accurate as the dense network; it is apart by the margin",
        question=_gain(form="robust"),
        effect=_pruned(MARGIN),
        false=(*SUPPORTS, *REFUTES),
    ),
    "nowhere": Case(
        text="existence: tickets at some density; each loses the margin",
        question=_gain(form="existence", across="columns"),
        effect=_pruned(-MARGIN),
        false=SUPPORTS,
    ),
    "number at its edge": Case(
        text="numeric: the gain is .4 points, give or take a quarter; it is .5",
        question=_gain(form="numeric", number=0.004, tolerance=0.25),
        effect=_pruned(0.005),
        false=(*SUPPORTS, *REFUTES),
    ),
    "row apart by the margin": Case(
        text="robust over three learning rates; two are apart by the margin",
        question=_row(form="robust"),
        effect=_by_arm(0.0, MARGIN, MARGIN / 2),
        false=SUPPORTS,
    ),
    "row not sensitive": Case(
        text="sensitive over three learning rates; two are apart by the margin, no more",
        question=_row(form="sensitive"),
        effect=_by_arm(0.0, MARGIN, MARGIN / 2),
        false=SUPPORTS,
    ),
    "no best": Case(
        text="best value; the second is as good",
        question=_row(form="best_value", value="rate 0"),
        effect=_by_arm(0.0, 0.0, -0.01),
        false=SUPPORTS,
    ),
    "the best": Case(
        text="best value; it is, and the second is as good",
        question=_row(form="best_value", value="rate 0"),
        effect=_by_arm(0.0, 0.0, -0.01),
        false=REFUTES,
    ),
    "no trend": Case(
        text="trend over three learning rates; there is none",
        question=_row(form="trend"),
        effect=_by_arm(0.0, 0.0, 0.0),
        false=SUPPORTS,
    ),
    "no interaction": Case(
        text="interaction: it helps more here than there; it does not",
        question=_gain(form="interaction", cells=_INTERACTION),
        effect=_pruned(0.004),
        false=SUPPORTS,
    ),
}


def records(case: Case, noise: Noise, seed: int, replicates: int = REPLICATES) -> pd.DataFrame:
    """Returns the networks of a study: replicates of each learning rate that is asked about."""
    rng = np.random.default_rng(seed)
    arms = len(case.question["cells"])
    common = rng.normal(0, SHARED, replicates)
    rows = []
    for arm, replicate in itertools.product(range(arms), range(replicates)):
        is_odd = arm == arms - 1 and replicate == 0
        if noise.missing and is_odd:
            continue
        draws = stats.t.rvs(3, size=LEVELS + 1, random_state=rng) / np.sqrt(3)
        own = draws if noise.tails else rng.normal(size=LEVELS + 1)
        own = np.sqrt(noise.shared) * rng.normal() + np.sqrt(1 - noise.shared) * own
        for level in range(LEVELS + 1):
            density = 0.8**level
            scale = OWN * (1 + noise.spread * (arm / 2 + (1 - density)))
            value = 0.97 + case.effect(arm, density) + common[replicate] + scale * own[level]
            bad = noise.diverged and is_odd and level > LEVELS // 2
            rows.append((arm, replicate, level, density, value, value, bad, 100 * arm + replicate))
            if bad:
                break
    names = ["arm", "replicate", "level", "density", "test_accuracy", "val_accuracy", "diverged"]
    table = pd.DataFrame(rows, columns=pd.Index([*names, "trial"]))
    table["train.lr"] = np.array(RATES)[table["arm"]]
    return pd.concat([table, pd.DataFrame([_plain()] * len(table))], axis=1)


@cache
def _plain() -> dict[str, Any]:
    """Returns what all networks have in common: a configuration, and what is not asked about."""
    made = {"study": "planted", "phase": "sweep", "branch": "trunk", "prunable": 266_200, "seed": 0}
    stops = {"early_stop_step": 5_000, "early_stop_at_end": False}
    flat = LotteryConfig().override({"data.validation": 5_000}).flat()
    return {name: value for name, value in flat.items() if name != "train.lr"} | made | stops


def registry(case: Case) -> Registry:
    """Returns the one claim of a case."""
    form = case.question["form"]
    texts = dict.fromkeys(("source", "text", "densities", "family", "cost", "study"), "planted")
    claim = {"id": "X", "network": "lenet-300-100", "dataset": "mnist", "setting": "plain"}
    claim |= {"form": form, "role": "exploratory", "tier": "A", "n": REPLICATES}
    claim |= {"questions": [dict(case.question)], **texts}
    defaults = {"margin": MARGIN, "sesoi": SMALLEST, "alpha": ALPHA}
    settings = {"plain": {"train.steps": 50_000}}
    tree = {"schema": 1, "version": "1", "defaults": defaults, "settings": settings}
    return as_registry(tree | {"claims": [claim]}, "a" * 64)


def words(name: str, kind: str, studies: int = STUDIES) -> list[str]:
    """Returns the verdicts on a case in so many studies with a kind of noise."""
    case, noise = CASES[name], NOISES[kind]
    asked = registry(case)
    return [
        str(verdicts(records(case, noise, seed), asked)["verdict"].iloc[0])
        for seed in range(studies)
    ]


def counted(cell: tuple[str, str]) -> tuple[int, int]:
    """Returns how many verdicts on a case with a kind of noise are false, and how many are any."""
    found = words(*cell)
    false = sum(word in CASES[cell[0]].false for word in found)
    return false, sum(word != "not tested" for word in found)


def main() -> None:
    """Judges all studies and writes the page."""
    cells = list(itertools.product(CASES, NOISES))
    with ProcessPoolExecutor(2) as pool:
        PAGE.write_text(page(dict(zip(cells, pool.map(counted, cells), strict=True))))


def page(counts: Mapping[tuple[str, str], tuple[int, int]]) -> str:
    """Returns the page of what ``counted`` found for each case and kind of noise."""
    lines = [
        "# Planted truths",
        "",
        f"False verdicts among {STUDIES} studies of {REPLICATES} replicates, each with a truth",
        "at the border of what the claim says; `python -m docs.planted_truths` draws them and",
        f"judges them as any records are. At alpha {ALPHA:g} ten are expected; more than {_most()}",
        "come by chance in less than one of a hundred cells. A dash: not tested, for want of a",
        "replicate.",
        "",
        f"| claim; truth | {' | '.join(NOISES)} |",
        f"|---|{'---:|' * len(NOISES)}",
    ]
    for name, case in CASES.items():
        found = [counts[name, kind] for kind in NOISES]
        shown = [f"{false}" if tested else "–" for false, tested in found]
        lines.append(f"| {case.text} | {' | '.join(shown)} |")
    lines += ["", "Noise:", "", *(f"- *{kind}*: {one.text}" for kind, one in NOISES.items())]
    return "\n".join(lines) + "\n"


def _most() -> int:
    return int(stats.binom.ppf(0.99, STUDIES, ALPHA))


if __name__ == "__main__":
    main()
