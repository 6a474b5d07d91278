"""The committed results: every number of their pages comes out of the committed records."""

import json
import re

import pandas as pd
import pytest

from analysis.claims import read
from analysis.frame import load
from analysis.importance import importance_by_density
from analysis.tables.design.points import design_sample
from analysis.tables.fair_comparison import value_table
from docs.results_page import RESULTS, TEMPLATE, Page, pages
from lttune.store.plain_json import read_json

NAMES = sorted(path.parent.name for path in RESULTS.glob("*/study.json"))
LOCKED = ("claims", "sensitivity")
"""Studies with claims."""
GIVEN = (
    r"LeNet-\d+-\d+|50-17",
    r"95 %|50,000|107",  # Of the intervals; the paper's steps; claims that there are.
    r"2\.5e-5|7 %",  # The paper's smallest rate; a density that a claim names.
    r"commit \w{7}",
    r"\b[A-Z]{1,2}-[A-Z0-9.-]+",
    r"`[^`]*`|\]\([^)]*\)",
    r"\| fraction fc2 - fraction fc1 \|.*\n",
    r"fc[12]|Q2|Sobol'",
)
"""Digits of the template that are names, settings of the paper's, or the heads of a table."""


@pytest.fixture(scope="module")
def results():
    return Page()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_pages_are_those_of_the_records(results):
    for name, text in pages(results).items():
        assert (RESULTS / name).read_text() == text, f"run python -m docs.results_page ({name})"


def test_the_template_has_no_number_of_its_own():
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", (RESULTS / TEMPLATE).read_text(), flags=re.S)
    for given in GIVEN:
        text = re.sub(given, "", text)
    assert re.findall(r".{0,30}\d.{0,30}", text) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_complete_and_of_a_known_commit(name, results):
    study = results.studies[name]
    assert study.incomplete == ""
    code = study.info["code"]
    assert re.fullmatch(r"[0-9a-f]{40}", code["commit"])
    assert not code["dirty"]
    assert code["commit"][:7] in (RESULTS / "README.md").read_text()


@pytest.mark.parametrize("name", LOCKED)
def test_a_study_was_locked_before_it_began(name, results):
    study = results.studies[name]
    locked = read_json(RESULTS / name / "claims.lock.json")
    assert locked["sha256"] == read(RESULTS / "claims" / "claims.yaml").sha256
    assert locked["date"] <= study.info["created"]
    assert set(locked["n"].values()) == {study.info["config"]["replicates"]}


@pytest.mark.parametrize("name", ["sensitivity", "region"])
def test_the_design_is_the_one_that_was_declared(name, results):
    assert results.points(name) == 64
    assert json.dumps(results.studies[name].info["factors"]).count('"path"') == 6


def test_the_region_is_what_is_peeled_from_the_wide_design(results, monkeypatch):
    assert f"({results.region()}), asks" in " ".join((RESULTS / "README.md").read_text().split())
    monkeypatch.setattr(results, "peeled", lambda: {"train.batch_size": (36, 200)})
    assert results.region() == "batch size 36 to 200"


def test_every_figure_has_its_table():
    missing = [
        figure.relative_to(RESULTS)
        for figure in RESULTS.glob("*/figures/*.svg")
        if not figure.with_suffix(".csv").exists()
    ]
    assert missing == []


@pytest.mark.slow
def test_the_figures_importances_are_those_of_the_records():
    key = ["density", "factor"]
    figure = pd.read_csv(RESULTS / "sensitivity" / "figures" / "importance.csv").set_index(key)
    sample = design_sample(load(RESULTS / "sensitivity"))
    assert not isinstance(sample, str)
    # One of its densities, with draws of its own: all of them take two minutes.
    density = figure.index.unique("density")[3]
    here = sample.responses[sample.responses["density"] == density]
    table = importance_by_density(sample.points, here, sample.factors).table.set_index(key)
    figure = figure.loc[[density]]
    assert set(table.index) == set(figure.index)
    for column in ("first", "total", "total_low", "total_high"):
        # The surrogate is fitted by an optimizer, whose last digits are the machine's.
        assert (table[column] - figure[column]).abs().max() < 0.03


def test_the_search_gained_no_accuracy_that_lasts(results):
    # The page says so in words.
    confirmed = results.confirmed("sensitivity")
    for name in ("search", "random"):
        assert confirmed[name]["difference_low"] < 0 < confirmed[name]["difference_high"]


def test_the_optimizers_are_as_the_page_says(results):
    assert results.least_p("accuracy") > 0.05
    assert results.widest("ticket - random")["p_adjusted"] < 0.05
    values = value_table(results.studies["comparison"])
    gaps = values[(values["measure"] == "ticket - reinit") & (values["density"] < 0.3)]
    assert set(gaps["value"]) == {"adam", "sgd", "momentum"}
    assert (gaps["low"] > 0).all()


def test_training_is_not_finished_where_the_page_says_so(results):
    records = results.studies["claims"].records
    dense = records[(records["branch"] == "trunk") & (records["level"] == 0)]
    slow = dense[(dense["train.lr"] == 2.5e-5) & (dense["train.optimizer"] == "adam")]
    assert len(slow) == 6
    assert slow["early_stop_at_end"].all()
