"""The committed results: every number of their pages comes out of the committed records."""

import re
from pathlib import Path

import pytest

from analysis.claims import of_studies, read
from analysis.claims.markdown import page
from analysis.frame import load
from lttune.files import read_json

RESULTS = Path(__file__).parent.parent / "docs" / "results"
CLAIMS = RESULTS / "claims"
README = (RESULTS / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_verdicts_are_those_of_the_records():
    # Under the claims as they were locked: the registry goes on, these results do not.
    registry = read(CLAIMS / "claims.yaml")
    table = of_studies([load(CLAIMS)], registry)
    assert (RESULTS / "verdicts.md").read_text() == page(table, registry)
    counts = table["verdict"].value_counts()
    judged = table[table["verdict"] != "not tested"]
    for verdict in ("supported", "contradicted", "inconclusive"):
        assert f"{counts[verdict]} {verdict}" in README
    assert f"{judged['claim'].nunique()} claims" in README


@pytest.mark.parametrize("name", ["claims", "sensitivity"])
def test_a_study_is_complete_and_was_locked_before_it_began(name):
    folder = RESULTS / name
    study = load(folder)
    assert study.incomplete == ""
    locked = read_json(folder / "claims.lock.json")
    assert locked["sha256"] == read(CLAIMS / "claims.yaml").sha256
    assert locked["date"] <= study.info["created"]
    assert set(locked["n"].values()) == {study.info["config"]["replicates"]}
    code = study.info["code"]
    assert re.fullmatch(r"[0-9a-f]{40}", code["commit"])
    assert code["commit"][:7] in README


def test_the_design_is_the_one_that_was_declared():
    trials = load(RESULTS / "sensitivity").trials
    roles = trials[trials["phase"] == "design"]["role"].value_counts()
    assert roles["design"] + roles["repeat"] // 3 == 64
