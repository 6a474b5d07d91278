"""The figures of verdicts."""

import pandas as pd
import pytest
from sample_sweeps import VERDICTS

from analysis.figures import claims as claim_figures
from analysis.report import verdict_section


def test_tested_claims_come_first_with_a_glyph_of_their_own():
    section = verdict_section.verdict_section(VERDICTS)
    assert [row["id"] for row in section.rows] == ["b", "c", "a"]
    assert section.counts == [
        ("✔", "supported", 1),
        ("✘", "contradicted", 1),
        ("–", "not tested", 1),
    ]
    assert len(set(verdict_section.GLYPHS.values())) == len(verdict_section.GLYPHS)
    markers = {(v["marker"], v["markerfacecolor"]) for v in claim_figures.VERDICT_LOOKS.values()}
    assert len(markers) == 4


def test_a_claim_counts_once_at_the_scale_nearest_to_its_source():
    scales = [
        ("contradicted", "confirmatory", ["steps", "network"], 9),
        ("supported", "confirmatory", ["steps"], 5),
        ("not tested", "confirmatory", [], 0),
        ("inconclusive", "exploratory", [], 9),
    ]
    rows = [
        {"claim": "x", "verdict": verdict, "role": role, "deviates": deviates, "n": n}
        | {"p_adjusted": 1.0, "p_against_adjusted": 0.01}
        for verdict, role, deviates, n in scales
    ]
    section = verdict_section.verdict_section(pd.DataFrame(rows))
    assert section.counts == [("✔", "supported", 1)]
    (own,) = section.rows
    assert (own["verdict"], own["n"]) == ("supported", 5)
    assert [row["verdict"] for row in own["others"]] == [
        "contradicted",
        "not tested",
        "inconclusive",
    ]
    # The p that is shown is that of the verdict that is given.
    assert own["p_adjusted"] == 1.0
    assert own["others"][0]["p_adjusted"] == 0.01
    assert section.table["deviates"].tolist() == ["steps; network", "steps", "", ""]


def test_reasons_that_differ_in_numbers_and_names_are_one():
    reasons = [
        "The records lack 1 of 2 cells: sibling. Study: a. Cost: 1 h.",
        "It is of its own. Study: b. Cost: 2 h.",
        "The records lack 12 of 30 cells: rate 0.1. Study: c. Cost: 1 h.",
        "The records have no column 'x.fc1'. Study: d. Cost: 1 h.",
        *["Nothing there. Study: e. Cost: 1 h."] * 3,
        "The records have no column 'y'. Study: f. Cost: 1 h.",
    ]
    table = pd.DataFrame({"claim": list("abcdefgh"), "verdict": "not tested", "reason": reasons})
    section = verdict_section.verdict_section(table)
    found = {reason: [row["id"] for row in rows] for reason, rows in section.reasons}
    assert found == {
        "Nothing there.": ["e", "f", "g"],
        "The records lack some cells": ["a", "c"],
        "The records have no column …": ["d", "h"],
        verdict_section.ALONE: ["b"],
    }
    assert next(iter(found)) == "Nothing there."
    assert section.tested == []
    assert section.rows[0]["why"] == "The records lack 1 of 2 cells: sibling."
    assert section.rows[0]["rest"] == "Study: a. Cost: 1 h."


def test_the_forest_has_a_panel_for_each_unit_and_shares_as_points():
    drawing = verdict_section.verdict_section(VERDICTS).drawing
    assert [ax.get_xlabel() for ax in drawing.figure.axes] == ["percentage points", "ratio"]
    labels = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    assert labels == ["b  ✔ supported, n = 5"]
    # The open end of a one-sided interval is the estimate.
    assert drawing.figure.axes[0].lines[0].get_xdata() == pytest.approx([0.5, 1.0])
    untested = VERDICTS[VERDICTS["verdict"] == "not tested"]
    assert verdict_section.verdict_section(untested).drawing is None
