"""How often sequential verdicts are false, and what they save.

``python -m docs.sequential_truths`` writes the page of it.

Studies with planted truths go through the whole engine, from records to the word, under a lock of
the sequential rule. What a p has reached stays reached, so that the verdict at the most replicates
has every look in it: who stops at the first one that suits him finds no more false ones.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import Registry, verdicts
from analysis.claims import lock as locks
from analysis.claims.lock import LockRule
from analysis.statistics.sequential.looks import FIRST_LOOK
from analysis.statistics.verdicts.power import superiority_power
from docs.planted_truths import ALPHA, CASES, NOISES, OWN, PLACES, Case, Noise, records, registry

PAGE = Path(__file__).parent / "sequential-truths.md"
STUDIES, MOST = 100, 30
"""Studies of each truth and noise, and the most replicates of each."""
BATCH = 25
"""Studies that are judged together, for speed."""


def _of_steps(form: str) -> dict[str, Any]:
    return {
        "name": "q",
        "form": form,
        "measure": "steps_ratio",
        "direction": "down",
        "densities": [PLACES[1]],
        "cells": [{"name": "ticket", "at": {"train.lr": 5e-4}}],
    }


RATIOS = {
    "no earlier": Case(
        text="superiority of steps, by ratio: there is a gain; there is none",
        question=_of_steps("superiority"),
        effect=lambda arm, density: 0.0,
        false=("supported", "supported, smaller"),
    ),
    "later by the margin": Case(
        text="no worse in steps, by ratio; it is worse by the margin of 1.25",
        question=_of_steps("no_worse"),
        effect=lambda arm, density: float(np.log(1.25)) * (density < 1),
        false=("supported", "supported, smaller"),
    ),
}
"""Claims about logarithms of ratios, whose effect is that on the median logarithm."""
SHAPES: tuple[str, ...] = ("normal", "skewed to earlier", "skewed to later")
SPREAD = 0.35
"""Deviation of a logarithm of steps, as the committed study's."""
EFFECTS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Means of a difference in its standard deviations; the first is the smallest that matters."""
DEVIATION = OWN * np.sqrt(2)
"""Of a gain: two networks' noise."""
POWER = 0.8
"""For which the fixed rule is planned at the smallest effect."""
PLANS = 100
"""Studies of each effect."""


class Saving(NamedTuple):
    """What an effect takes by both rules."""

    fixed: int
    """Studies that the fixed rule decides for the claim."""
    sequential: int
    replicates: tuple[int, ...]
    """Of each study, when the sequential rule stopped."""


def planned() -> int:
    """Returns the replicates of a fixed rule that are planned for the smallest effect."""
    return next(
        n for n in range(2, 1000) if superiority_power(difference=EFFECTS[0], sd=1, n=n) >= POWER
    )


def words(
    studies: Sequence[pd.DataFrame], known: Registry, n: int, rule: LockRule = "sequential"
) -> list[str]:
    """Returns the verdicts on studies under a lock of n replicates.

    Some are judged in one table, each at a scale of its own: scales are judged apart, and what is
    the same for all is read once.
    """
    return words_and_p(studies, known, n, rule)["verdict"].tolist()


def words_and_p(
    studies: Sequence[pd.DataFrame], known: Registry, n: int, rule: LockRule = "sequential"
) -> pd.DataFrame:
    """Returns a row for each study: its verdict, and p of what speaks against the claim."""
    locked, found = locks.lock(known, n, "2026-01-01T00:00:00+00:00", rule=rule), []
    for batch in (studies[i : i + BATCH] for i in range(0, len(studies), BATCH)):
        rows = [
            one.assign(trial=one["trial"] + 10_000 * i, **{"train.steps": 50_000 + 100 * i})
            for i, one in enumerate(batch)
        ]
        table = verdicts(pd.concat(rows, ignore_index=True), known, lock=locked)
        assert len(table) == len(batch)
        found.append(table[["verdict", "p_against"]])
    return pd.concat(found, ignore_index=True)


def confirmatory(known: Registry) -> Registry:
    """Returns a registry whose claims may be locked."""
    claims = tuple(dataclasses.replace(claim, role="confirmatory") for claim in known.claims)
    return dataclasses.replace(known, claims=claims)


def false_words(cell: tuple[str, str]) -> tuple[int, int]:
    """Returns how many studies of a case and noise end in a false word, and in any."""
    case, noise = CASES[cell[0]], NOISES[cell[1]]
    known = confirmatory(registry(case))
    studies = [records(case, noise, seed, MOST) for seed in range(STUDIES)]
    return _false(words_and_p(studies, known, MOST), case)


def _false(found: pd.DataFrame, case: Case) -> tuple[int, int]:
    """Returns how many verdicts were false at some look, and how many were given.

    A later look may show the contrary of what an earlier one refuted, whose p stays.
    """
    refuted = (found["p_against"] <= ALPHA) & ("contradicted" in case.false)
    is_false = found["verdict"].isin(case.false) | refuted
    return int(is_false.sum()), int((found["verdict"] != "not tested").sum())


def with_steps(rows: pd.DataFrame, case: Case, shape: str, seed: int) -> pd.DataFrame:
    """Returns records with early stops whose logarithms have the case's effect as their median."""
    rng = np.random.default_rng([seed, SHAPES.index(shape)])
    noise = rng.normal(size=len(rows))
    if shape != "normal":
        noise = rng.exponential(size=len(rows)) - np.log(2)
        noise = noise if shape == "skewed to later" else -noise
    effect = np.array([case.effect(0, density) for density in rows["density"]])
    # The dense network's step is the same in all, so that the ratio is as skewed as its noise.
    steps = 5_000 * np.exp(np.where(rows["level"] > 0, effect + SPREAD * noise, 0.0))
    return rows.assign(early_stop_step=steps)


def false_ratios(cell: tuple[str, str]) -> tuple[int, int]:
    """Returns what ``false_words`` does of a case of ratios and a shape of their noise."""
    case, plain = RATIOS[cell[0]], NOISES["plain"]
    known = confirmatory(registry(case))
    studies = [
        with_steps(records(case, plain, seed, MOST), case, cell[1], seed) for seed in range(STUDIES)
    ]
    return _false(words_and_p(studies, known, MOST), case)


def saving(effect: float) -> Saving:
    """Returns what an effect takes, over ``PLANS`` studies."""
    question = {**CASES["no gain"].question, "densities": [PLACES[1]]}
    question["sesoi"] = EFFECTS[0] * DEVIATION
    size = effect * DEVIATION
    case = dataclasses.replace(
        CASES["no gain"], question=question, effect=lambda arm, density: size * (density < 1)
    )
    known, n = confirmatory(registry(case)), planned()
    most = int(np.ceil(n * locks.SEQUENTIAL_TIMES))
    studies = [records(case, Noise(text="plain"), seed, most) for seed in range(PLANS)]
    planned_ones = [rows[rows["replicate"] < n] for rows in studies]
    fixed = sum(one in case.false for one in words(planned_ones, known, n, "fixed"))
    ours = sum(one in case.false for one in words(studies, known, most))
    return Saving(fixed, ours, _first_decided(studies, known, most))


def _first_decided(studies: Sequence[pd.DataFrame], known: Registry, most: int) -> tuple[int, ...]:
    """Returns after how many replicates each study is decided, ``most`` if it is not by then.

    What is decided stays so: the first is found by halving, from the small numbers on.
    """
    low, high = np.full(len(studies), FIRST_LOOK - 1), np.full(len(studies), most)
    while (places := np.flatnonzero(high - low > 1)).size:
        # Most are decided early: twice what is known to be too few, before the middle.
        half = np.minimum((low + high) // 2, low + (low - FIRST_LOOK + 2))
        cut = [studies[i][studies[i]["replicate"] < half[i]] for i in places.tolist()]
        for i, one in zip(places.tolist(), words(cut, known, most), strict=True):
            if one in ("inconclusive", "not tested"):
                low[i] = half[i]
            else:
                high[i] = half[i]
    return tuple(high.tolist())


def interval(count: int, of: int) -> str:
    """Returns a share in percent with its exact 95 % interval (Clopper & Pearson 1934)."""
    low, high = stats.binomtest(count, of).proportion_ci()
    return f"{100 * count / of:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def page(
    counts: Mapping[tuple[str, str], tuple[int, int]],
    ratios: Mapping[tuple[str, str], tuple[int, int]],
    savings: Mapping[float, Saving],
) -> str:
    """Returns the page of what was found."""
    n = planned()
    every = [count for count, of in [*counts.values(), *ratios.values()] for _ in range(of > 0)]
    total = sum(of for _, of in [*counts.values(), *ratios.values()])
    means = [np.mean(one.replicates) for one in savings.values()]
    most, chance = (
        int(np.ceil(n * locks.SEQUENTIAL_TIMES)),
        int(stats.binom.ppf(0.99, STUDIES, ALPHA)),
    )
    lines = [
        "# Sequential verdicts on planted truths",
        "",
        "Made by `python -m docs.sequential_truths`: studies with a known truth go through all of",
        "the engine, from records to the word, as in [planted-truths.md](planted-truths.md),",
        f"under a lock of the sequential rule. Alpha is {ALPHA:g}.",
        "",
        "## False verdicts under optional stopping",
        "",
        f"Of {STUDIES} studies of up to {MOST} replicates, in how many some look gives a false",
        "verdict. The truth lies at the border of what the claim says.",
        f"{ALPHA * STUDIES:g} are allowed; of a cell of that rate more than {chance} come by",
        f"chance once in a hundred. All cells together: {interval(sum(every), total)} %,",
        "as if they were independent; cells of one row share seeds, so that the interval is wider.",
        "",
        *_table(CASES, list(NOISES), counts),
        "",
        "Ratios of steps, of which the sign rule reads the median:",
        "",
        *_table(RATIOS, list(SHAPES), ratios),
        "",
        "## What is saved",
        "",
        f"Superiority where the smallest effect that matters is {EFFECTS[0]:g} deviations of the",
        f"difference. The fixed rule is planned for it with power {POWER:g}: {n} replicates. The",
        f"sequential one stops when it is decided, at {most} at the latest. {PLANS} studies each",
        "of an effect; power in percent with its 95 % interval.",
        "",
        "| effect | power, fixed | power, sequential | mean n | of the fixed n | nine of ten by |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for effect, one in savings.items():
        mean, late = np.mean(one.replicates), np.quantile(one.replicates, 0.9)
        powers = f"{interval(one.fixed, PLANS)} | {interval(one.sequential, PLANS)}"
        lines.append(f"| {effect:g} | {powers} | {mean:.1f} | {mean / n:.2f} | {late:.0f} |")
    lines += [
        "",
        f"Over these effects it takes {np.mean(means) / n:.2f} of the fixed rule's replicates on",
        f"average, and {means[0] / n:.2f} at the smallest that matters.",
    ]
    return "\n".join(lines) + "\n"


def _table(
    cases: Mapping[str, Case],
    kinds: Sequence[str],
    counts: Mapping[tuple[str, str], tuple[int, int]],
) -> list[str]:
    lines = [f"| claim; truth | {' | '.join(kinds)} |", f"|---|{'---:|' * len(kinds)}"]
    for name, case in cases.items():
        shown = [str(counts[name, kind][0]) if counts[name, kind][1] else "–" for kind in kinds]
        lines.append(f"| {case.text} | {' | '.join(shown)} |")
    return lines


def main() -> None:
    """Judges all studies and writes the page."""
    cells = list(itertools.product(CASES, NOISES))
    ratios = list(itertools.product(RATIOS, SHAPES))
    with ProcessPoolExecutor(2) as pool:
        counts = dict(zip(cells, pool.map(false_words, cells), strict=True))
        found = dict(zip(ratios, pool.map(false_ratios, ratios), strict=True))
        savings = dict(zip(EFFECTS, pool.map(saving, EFFECTS), strict=True))
    PAGE.write_text(page(counts, found, savings))


if __name__ == "__main__":
    main()
