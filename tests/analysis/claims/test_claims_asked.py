"""The page that sets each claim's text beside what is asked of it."""

import dataclasses
import re
from typing import get_args

import pytest

from analysis.claims import read
from analysis.claims.file.question import Quantity, Question
from analysis.statistics.verdicts.form import FORMS
from docs.claims_asked import COLUMNS, GUIDE, MEASURES, PAGE, guide, not_asked, page, question_words

CLAIMS = read().claims
ASKED = [(claim, question) for claim in CLAIMS for question in claim.questions]
MODELS = r"\b(?:conv|resnet|vgg)-?\d*|\bGNMT|\binception|\bmobilenet"


def test_the_page_is_that_of_the_file():
    assert PAGE.read_text() == page(read()), "run python -m docs.claims_asked"


def test_the_forms_of_the_guide_are_those_of_the_table(monkeypatch):
    text = GUIDE.read_text()
    assert guide(text) == text, "run python -m docs.claims_asked"
    changed = dataclasses.replace(FORMS["trend"], says="it goes up", takes="either")
    monkeypatch.setitem(FORMS, "trend", changed)
    assert "| `trend` | it goes up | either |\n\n" in guide(text)
    assert len(guide(text).splitlines()) == len(text.splitlines())


def test_every_claim_has_a_row_without_an_empty_cell():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [one.id for one in CLAIMS]
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row


def test_what_is_not_asked_names_something_or_says_nothing():
    for claim in CLAIMS:
        said = not_asked(claim)
        if not claim.questions:
            assert said == f"no question: {claim.why}"
            assert not claim.omits, claim.id
        else:
            assert said.startswith(claim.omits or "nothing")


def test_networks_of_the_source_that_none_reads_are_named():
    """Of several networks that a source is about, those without a question are left out."""
    for claim in CLAIMS:
        arms = [arm for question in claim.questions for arm in question.arms]
        if not arms:
            continue
        setting = read().settings[claim.setting].model.name
        used = {str(arm.at.get("model.name", setting)) for arm in arms}
        here = claim.network.partition("; here")[0].partition(" (")[0]
        others = {name.lower() for name in re.findall(MODELS, here)} - used
        assert not others or claim.omits or claim.why, (claim.id, sorted(others))


def test_no_question_stands_twice_in_a_claim():
    for claim in CLAIMS:
        alone = [dataclasses.replace(question, name="") for question in claim.questions]
        assert all(alone.count(question) == 1 for question in alone), claim.id


def test_hints_name_what_there_is():
    for claim in CLAIMS:
        for module in re.findall(r"lttune\.[\w.]+", f"{claim.study} {claim.why} {claim.note}"):
            assert module == "lttune.config.design.SWEEPS", claim.id


def test_there_are_words_for_all_that_a_question_may_ask():
    assert all(form.asks for form in FORMS.values())
    assert set(MEASURES) == set(get_args(Quantity))
    assert {question.reads.partition(".")[0] for _, question in ASKED} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        (
            "FC-REINIT-ACC",
            1,
            "test accuracy at the early stop, less dense, at 21.1 %, of reinit: is below 0, by 0.1 "
            "points or more.",
        ),
        (
            "FC-SPEED",
            2,
            "step of the early stop over dense's, at 3.6 %, of ticket: is 1 within a factor of "
            "1.25.",
        ),
        (
            "G-SIZE-RETURN",
            0,
            "fewest weights with test accuracy at the early stop at most 0 points below dense, of "
            "each of 100-34 [name lenet-100-34], 300-100 [name lenet-300-100], 900-300 [name "
            "lenet-900-300]: it is 12,000, give or take 25 %.",
        ),
        (
            "X-LIU19-LO",
            1,
            "test accuracy at the end, mean at 41 and 22 %, of lr 0.1 - lr 0.01: is above 0, by "
            "0.25 points or more.",
        ),
    ],
)
def test_a_question_in_words(name, place, words):
    assert question_words(read().claim(name).questions[place]) == words


def test_importances_in_words():
    question = Question(
        name="lr",
        form="sensitive",
        measure="importance",
        factors=("train.lr",),
        margin=0.1,
        sesoi=0.1,
    )
    assert question_words(question) == (
        "share of the variance of test accuracy at the early stop, of train.lr: is above a tenth, "
        "and above what chance reaches."
    )
