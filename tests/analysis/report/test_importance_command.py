"""`lttune importance`: what it prints, writes and refuses, and how the report shows it."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from sample_study import write_study
from sample_sweeps import LOTTERY, design_study
from test_report import words_of

from analysis import load
from analysis.report import write as report
from analysis.report.rows.importance import OPTUNA
from analysis.tables.design.points import design_sample
from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.study.search.optuna_importance import QUESTIONS

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def test_the_command_prints_what_each_method_answers_and_the_report_shows_it(tmp_path, capsys):
    study = design_study(tmp_path, points=64, name="d")
    assert main(["importance", str(study.folder)]) == 0
    out = capsys.readouterr().out
    for method, question in QUESTIONS.items():
        assert f"{method} (n = 64): {question}" in out
    assert f"{OPTUNA}: lttune report {study.folder} shows it" in out
    table = pd.read_csv(study.folder / "figures" / OPTUNA)
    assert table["response"].unique().tolist() == ["accuracy at 100 %", "accuracy_auc"]
    # Every trial has the same objective: there is nothing to be best in.
    none = table[table["response"] == "accuracy_auc"]
    assert none["importance"].isna().all()
    assert "not known of accuracy_auc (the response is constant: all 64 are the same)" in out
    table = table[table["response"] == "accuracy at 100 %"]
    assert set(table["method"]) == set(QUESTIONS)
    assert table.groupby("method")["importance"].sum().tolist() == pytest.approx([1.0] * 3)
    assert (table[table["rank"] == 1]["factor"] == "train.lr").all()


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_report_shows_the_table_of_the_command(tmp_path):
    study = design_study(tmp_path, points=24, factors=[])
    (study.folder / "figures").mkdir()
    rows = [
        {"response": "accuracy at 100 %", "method": "ped_anova", "question": "what <is> right"}
        | {"n": 24, "factor": name, "importance": value, "rank": rank}
        for rank, (name, value) in enumerate([("train.lr", 0.75), ("inert", 0.25)], 1)
    ]
    pd.DataFrame(rows).to_csv(study.folder / "figures" / OPTUNA, index=False)
    said = words_of(report.write(study.folder).read_text())
    assert "Other importances, and the question each answers" in said
    assert "ped_anova what <is> right. n = 24 points." in said
    assert "train.lr0.75 (1.) inert0.25 (2.)" in said
    reason = "the best tenth and the better half are the same 40 of 64 trials: they are tied"
    none = [{**row, "importance": None, "rank": None, "unknown": reason} for row in rows]
    pd.DataFrame(none).to_csv(study.folder / "figures" / OPTUNA, index=False)
    said = words_of(report.write(study.folder).read_text())
    assert "train.lr– inert–" in said
    assert f"Not known of accuracy at 100 % ({reason})." in said
    (study.folder / "figures" / OPTUNA).write_text("a,b\n1,2\n")
    with pytest.raises(StorageError, match="no table of lttune importance"):
        report.write(study.folder)


def test_the_command_needs_a_design_and_enough_points(tmp_path, capsys):
    assert main(["importance", str(tmp_path)]) == 74
    assert main(["importance", str(write_study(tmp_path / "a"))]) == 2
    assert "declares no factors" in capsys.readouterr().err
    assert main(["importance", str(design_study(tmp_path / "b").folder)]) == 2
    said = "design must have 20 points with a response or more, for a best tenth, got 16"
    assert said in capsys.readouterr().err


def test_a_point_that_nothing_was_trained_of_yet_is_left_out():
    study = load(RESULTS / "sensitivity")
    points = study.records[study.records["role"] == "design"]
    trained = study.records[study.records["trial"] != points["trial"].iloc[0]]
    whole, rest = design_sample(study), design_sample(dataclasses.replace(study, records=trained))
    assert not isinstance(whole, str)
    assert not isinstance(rest, str)
    assert len(rest.points) == len(whole.points) - 1
    nothing = study.records[study.records["trial"] < 0]
    told = design_sample(dataclasses.replace(study, records=nothing))
    assert told == "0 points of the design are trained, and importances take 16 or more."


@pytest.mark.parametrize(
    ("factor", "told"),
    [
        ({"path": "no.such"}, "trials of the design lack no.such, a factor in study.json, so"),
        ({"high": 1e-3}, "(train.lr has points outside of its declared range), so importances are"),
        ({"path": "model.name", "kind": "uniform"}, "factors of study.json are not those of its"),
    ],
)
def test_factors_that_trials_do_not_have_are_told(tmp_path, capsys, factor, told):
    declared = {"path": "train.lr", "kind": "log_uniform", "low": 1e-4, "high": 1e-2, "linked": {}}
    lottery = {**LOTTERY, "model": {"name": "lenet5"}}
    study = design_study(tmp_path, factors=[declared | factor], lottery=lottery)
    assert told in design_sample(study)
    assert main(["importance", str(study.folder)]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert main(["report", str(study.folder)]) == 0
