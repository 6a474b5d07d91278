"""The page of false verdicts: of which cases it is, and that it can be drawn again."""

import re

import numpy as np
import pytest

from analysis.claims import verdicts
from docs import planted_truths
from docs.planted_truths import CASES, NOISES, PAGE, REPLICATES, STUDIES


def table() -> dict[str, list[str]]:
    """Returns the counts of the page by the text of their case."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line[:1] == "|"]
    return {text.strip(): [cell.strip() for cell in cells] for text, *cells in rows[2:]}


def test_the_page_has_every_case_and_kind_of_noise():
    found = table()
    assert list(found) == [case.text for case in CASES.values()]
    assert {len(cells) for cells in found.values()} == {len(NOISES)}
    assert all(re.fullmatch(r"\d+|–", cell) for cells in found.values() for cell in cells)


def test_no_kind_of_noise_makes_verdicts_false_beyond_alpha():
    """Over all cases with a kind of noise: single cells may be above it by chance."""
    counts = np.array(
        [[np.nan if cell == "–" else int(cell) for cell in cells] for cells in table().values()]
    )
    known = counts[:, ~np.isnan(counts).any(axis=0)]
    assert known.shape[1] >= len(NOISES) - 1
    assert (known.mean(axis=0) <= 0.05 * STUDIES).all()


@pytest.mark.parametrize("kind", NOISES)
def test_a_kind_of_noise_is_what_it_says(kind):
    case = CASES["no interaction"]
    rows = planted_truths.records(case, NOISES[kind], 3)
    assert rows.groupby("arm")["replicate"].nunique().tolist()[0] == REPLICATES
    assert rows["diverged"].sum() == (kind == "one diverged")
    last = rows[rows["arm"] == 1]["replicate"].nunique()
    assert last == REPLICATES - (kind == "missing control")
    word = verdicts(rows, planted_truths.registry(case))["verdict"].iloc[0]
    assert (word == "not tested") == (kind == "missing control")


def test_a_border_is_where_a_claim_ends():
    """A little within it there is support, far from it none: the case asks what its text says."""
    case = CASES["worse by the margin"]
    for size, word in ((0.0, "supported"), (-0.006, "contradicted")):
        moved = planted_truths.Case(
            text=case.text,
            question=case.question,
            effect=lambda arm, density, size=size: size * (density < 1),
            false=case.false,
        )
        rows = planted_truths.records(moved, NOISES["plain"], 1)
        assert verdicts(rows, planted_truths.registry(moved))["verdict"].iloc[0] == word
