"""How sure the page's numbers look: shares at a density, intervals, replicates that are equal."""

import dataclasses

import pandas as pd
import pytest
from sample_study import anchor_rows, write_study
from sample_sweeps import design_study
from test_finding import ALL, BATCH, COMMAND, asking, shares
from test_report import words_of

from analysis.report import write as report
from analysis.report.formats import interval, number, percent, share, signed
from analysis.report.page import TEMPLATES, _templates
from analysis.report.question.finding import finding
from analysis.report.rows.shares import shares_by_density
from analysis.report.section import Subject

ENDED = "at density 0.5, 25 % of the trajectories have no value, more than 10 %"
FACTORS = {
    "train__batch_size": (0.0004, 0.0001, 0.0009, False),
    "train__lr": (0.9994, 0.9971, 1.0001, True),
}


@pytest.fixture(scope="module")
def designed(tmp_path_factory):
    config = {"objective": {"name": "accuracy_at", "density": 0.5}, "phases": ["design"]}
    return design_study(tmp_path_factory.mktemp("design"), config=config, command=COMMAND)


def ending(*densities):
    """Importances that end above some densities, which many trajectories lack."""
    found = shares(1.0, 0.64, **FACTORS)
    strip = found.strip[found.strip["status"] == "ok"]
    missing = pd.DataFrame({"density": [1.0, 0.64, *densities]})
    return dataclasses.replace(found, strip=strip, missing=missing, ended=ENDED)


@pytest.mark.parametrize("question", [ALL, BATCH])
def test_where_the_curves_end_above_the_studys_density_the_box_says_so(designed, question):
    study = asking(designed, question)
    short = study.records["trial"] % 4 == 0
    records = study.records[~short | (study.records["level"] < 3)]
    study = dataclasses.replace(study, records=records)
    said = finding(Subject(study=study, design=ending(0.5, 0.41)))
    assert said[0].startswith("At 64.0 % of the weights, over a design of 80 trajectories, ")
    assert said[1] == (f"At 50.0 % that the study is about, the shares are not known ({ENDED}).")
    command = "python studies/own.py --scale quick --phases anchor search --trials 9 --name NAME"
    assert said[2] == (
        "More levels, down to 50.0 % of the weights or below, in the study file, then "
        f"`{command}`, would tell."
    )


def test_more_levels_do_not_help_trajectories_that_diverge(designed):
    study = asking(designed, ALL)
    bad = (study.records["trial"] % 4 == 0) & (study.records["level"] == 2)
    gone = (study.records["trial"] % 4 == 0) & (study.records["level"] > 2)
    records = study.records.assign(diverged=bad)[~gone]
    said = finding(
        Subject(study=dataclasses.replace(study, records=records), design=ending(0.5, 0.41))
    )
    assert said[2].startswith("Ranges of the factors in which fewer trajectories diverge in the")


def test_of_an_unfinished_study_the_rest_is_what_would_tell(designed):
    study = dataclasses.replace(asking(designed, ALL), incomplete="incomplete: 9 of 15 trials")
    said = finding(Subject(study=study, design=ending(0.5, 0.41)))
    assert said[2].startswith("The study is not finished: `python studies/own.py")


def test_curves_that_end_further_away_than_what_is_told_lack_nothing(designed):
    said = finding(Subject(study=asking(designed, ALL), design=ending(0.33)))
    assert not any("not known" in text for text in said)


def test_no_share_looks_as_if_it_were_certain(designed):
    design = ending(0.5)
    said = finding(Subject(study=asking(designed, BATCH), design=design))
    assert "train.batch_size has a share of 0.000 [0.000, 0.001] of the variance" in said[0]
    assert "Most is train.lr with 0.999 [0.997, 1.000]." in said[0]
    columns = {"first": 0.0, "first_low": -0.004, "first_high": 0.004}
    table = design.table.assign(**columns)
    strip = design.strip.assign(q2=0.9)
    drawn = shares_by_density(dataclasses.replace(design, table=table, strip=strip), [1.0])
    assert drawn is not None
    assert drawn["levels"][0]["told"] == [
        ["0.000 [−0.004, 0.004]", "0.000 [0.000, 0.001]"],
        ["0.000 [−0.004, 0.004]", "0.999 [0.997, 1.000]"],
    ]


@pytest.mark.parametrize(
    ("estimate", "told"),
    [
        ((0.7, 0.6, 0.8), ("0.70", "[0.60, 0.80]")),
        ((-0.001, -0.12, 0.1), ("0.00", "[−0.12, 0.10]")),
        ((0.00001, -0.00002, 0.00003), ("0.000", "[−0.001, 0.001]")),
        ((1.0, 0.99999, 1.0), ("1.000", "[0.999, 1.000]")),
        ((0.4, 0.4, 0.4), ("0.40", "")),
        ((float("nan"),) * 3, ("–", "")),
    ],
)
def test_an_interval_of_a_share_shows_its_width(estimate, told):
    assert share(estimate) == told


def test_there_is_one_minus_sign_and_no_negative_zero():
    assert (percent(-0.00001), percent(-0.5, 0)) == ("0.00 %", "−50 %")
    assert (signed(-0.001, 2), number(-0.5), number(1e-05)) == ("+0.00", "−0.5", "1e-05")
    assert interval((-0.00002, -0.00001, 3), "points") == "[−0.002, −0.001]"
    assert interval((float("nan"), float("nan"), 3), "points") == "equal"
    assert interval((float("nan"), float("nan"), 1), "points") == ""


def test_templates_leave_the_writing_of_decimals_to_the_filters():
    for path in TEMPLATES.rglob("*.jinja"):
        assert "format(" not in path.read_text(), path


NONE = float("nan")
EQUAL = {"mean": 0.0083, "low": NONE, "high": NONE, "n": 2, "p_adjusted": NONE, "accuracy": 0.9}


@pytest.mark.usefixtures("undrawn")
def test_equal_differences_have_no_interval_in_table_and_csv(tmp_path):
    rows = anchor_rows()
    for row in rows:
        row["test_accuracy"] = 0.9 + 0.0125 * (row["branch"] == "trunk" and row["level"] > 0)
    folder = write_study(tmp_path, rows)
    said = words_of(report.write(folder).read_text())
    assert "80.00 % +1.25 equal, n = 3" in said
    table = pd.read_csv(folder / "figures" / "differences.csv")
    assert len(table)
    assert table[["low", "high"]].isna().all(axis=None)
    curves = pd.read_csv(folder / "figures" / "accuracy.csv")
    assert curves[["low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize("measure", ["accuracy", "gain"])
def test_equal_values_have_no_interval_in_a_comparison(measure):
    rows = [{"value": "a", "first": "a", "second": "b", "measure": measure, "cells": {0.5: EQUAL}}]
    table = {"densities": [0.5], "rows": rows}
    page = _templates().get_template("sections/fair.html.jinja")
    said = words_of(page.render(figures=[], fair_values=table, fair_pairs=table))
    assert said.count("equal") == 2
    assert "equaln = 2" in said
    assert "+0.83 equalp = –" in said


def test_equal_values_have_no_interval_in_a_sweep_or_a_confirmation():
    rows = [{"value": "0.1", "cells": {0.5: EQUAL}}]
    sweeps = _templates().get_template("sections/sweeps.html.jinja")
    swept = [{"factor": "lr", "densities": [0.5], "rows": rows}]
    assert "+0.83 equaln = 2, 90.0 %" in words_of(sweeps.render(figures=[], gains=swept))
    row = {"name": "a", "settings": "lr=1", "at": 0.5, "accuracy": 0.9, "n": 3}
    row |= dict.fromkeys(["low", "high", "difference_low", "difference_high"], NONE)
    row |= {"difference": 0.0083, "pairs": 3, "selected": NONE, "fresh": NONE}
    page = _templates().get_template("sections/confirmation.html.jinja")
    said = words_of(page.render(figures=[], confirmed=[row], objective={}))
    assert "90.00 %equal, n = 3" in said
    assert "+0.83equal, n = 3" in said


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("name", "head"), [("gain", "objective gain"), ("loss", "loss")])
def test_an_objective_of_a_columns_name_is_told_from_it(tmp_path, name, head):
    objective = {"name": f"./own.py:{name}", "text": "Mine."}
    said = report.write(write_study(tmp_path, objective=objective)).read_text()
    heads = said[said.index("<th>Trial</th>") :].split("</thead>")[0]
    assert f"<th>{head}</th>" in heads
    assert heads.count("<th>gain</th>") == 1
