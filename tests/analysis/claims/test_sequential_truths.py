"""The page of sequential verdicts: what it must show, and that a study of it can be drawn again."""

import re

import numpy as np
from scipy import stats

from docs import sequential_truths
from docs.sequential_truths import CASES, EFFECTS, NOISES, PAGE, PLACES, RATIOS, STUDIES


def rows():
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines()]
    return {text.strip(): [cell.strip() for cell in cells] for text, *cells in lines if cells}


def test_no_kind_of_noise_makes_verdicts_false_beyond_alpha_whenever_one_stops():
    found = rows()
    for cases, kinds in ((CASES, NOISES), (RATIOS, sequential_truths.SHAPES)):
        counts = np.array([[int(cell) for cell in found[c.text]] for c in cases.values()])
        assert counts.shape == (len(cases), len(kinds))
        assert (counts.mean(axis=0) <= 0.05 * STUDIES).all()
        assert (counts.mean(axis=1) <= 0.05 * STUDIES).all()
        # One cell in a hundred tables of a rate of alpha would have more.
        assert counts.max() <= stats.binom.ppf(1 - 0.01 / counts.size, STUDIES, 0.05)


def test_over_the_effects_six_tenths_of_the_fixed_replicates_are_enough_at_no_less_power():
    found = rows()
    shares = []
    for effect in EFFECTS:
        fixed, ours, _, share, _ = found[f"{effect:g}"]
        assert float(ours.split()[0]) >= float(fixed.split()[0])
        shares.append(float(share))
    assert np.mean(shares) <= 0.6
    assert re.search(r"takes 0\.\d\d of the fixed", PAGE.read_text())


def test_studies_that_are_judged_together_have_the_verdicts_of_each_alone():
    case = CASES["worse by the margin"]
    known = sequential_truths.confirmatory(sequential_truths.registry(case))
    studies = [sequential_truths.records(case, NOISES["plain"], seed, 8) for seed in range(6)]
    for i, size in ((2, -0.006), (4, 0.006)):
        pruned = (studies[i]["density"] < 1).to_numpy()
        studies[i] = studies[i].assign(
            test_accuracy=studies[i]["test_accuracy"] + size * pruned,
        )
    together = sequential_truths.words(studies, known, 8)
    assert together == [sequential_truths.words([one], known, 8)[0] for one in studies]
    assert together[2] == "contradicted"
    assert together[4] == "supported"


def test_skewed_steps_have_the_planted_median():
    case = RATIOS["later by the margin"]
    plain = sequential_truths.records(case, NOISES["plain"], 1, 300)
    for shape in sequential_truths.SHAPES:
        found = sequential_truths.with_steps(plain, case, shape, 1)
        there = np.isclose(found["density"], PLACES[1])
        logs = np.log(found.loc[there, "early_stop_step"] / 5_000)
        assert abs(logs.median() - np.log(1.25)) < 0.08
