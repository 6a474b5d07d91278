"""The box at the top answers the study's own question, or says what is missing for it."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from sample_study import anchor_rows, search_trials, trial, write_study
from sample_sweeps import LOTTERY, design_study, swept_study

from analysis import load
from analysis.frame import StudyFrame
from analysis.importance.saved import Importances
from analysis.report import write as report
from analysis.report.question.asked import asked_paths, asks_for_all
from analysis.report.question.finding import finding
from analysis.report.section import Subject
from lttune.records.folder import read_answer

ALL = "Which hyperparameters decide whether LeNet has winning tickets?"
BATCH = "Does the batch size decide whether LeNet has winning tickets?"
RATE = "Does the learning rate decide?"


def asking(study: StudyFrame, question: str, **info) -> StudyFrame:
    return dataclasses.replace(study, info=study.info | {"question": question} | info)


def shares(*densities: float, **factors: tuple[float, float, float, bool]) -> Importances:
    """Returns importances of known numbers: factor -> ST, its interval, whether it is seen."""
    rows = [
        {"factor": name.replace("__", "."), "density": density, "total": total}
        | {"total_low": low, "total_high": high, "detected": seen}
        for density in densities
        for name, (total, low, high, seen) in factors.items()
    ]
    facts = {"reason": "", "trajectories": 80}
    strip = [{"density": d, "status": "ok", **facts} for d in densities]
    strip.append({"density": 0.02, "status": "inconclusive", **facts})
    empty = {field.name: pd.DataFrame() for field in dataclasses.fields(Importances)}
    ranks = pd.DataFrame(
        [
            {"density": d, "leader": "train.lr", "share": 1, "tau": 1, "tau_low": 1}
            for d in densities
        ]
    )
    changes = pd.DataFrame({"factor": ["train.lr"], "density": [float("nan")]})
    known = {"table": pd.DataFrame(rows), "strip": pd.DataFrame(strip), "ranks": ranks}
    return Importances(
        **empty | known | {"changes": changes, "sample": "", "ended": "", "divergence": ""}
    )


DESIGN = shares(
    1.0,
    0.4,
    train__batch_size=(0.05, 0.0, 0.12, False),
    train__lr=(0.71, 0.6, 0.8, True),
    prune__fraction=(0.22, 0.1, 0.3, True),
    inert=(0.9, 0.8, 1.0, True),
)


@pytest.fixture(scope="module")
def designed(tmp_path_factory):
    config = {"objective": {"name": "accuracy_at", "density": 0.41}, "phases": ["design"]}
    return design_study(tmp_path_factory.mktemp("design"), config=config)


def test_which_hyperparameters_decide_names_factors_shares_intervals_and_densities(designed):
    said = finding(Subject(study=asking(designed, ALL), design=DESIGN))
    assert said[0] == (
        "At 40.0 % of the weights, over a design of 80 trajectories, these decide the tickets' "
        "test accuracy, by their shares of its variance with all interactions (ST, 95 % "
        "intervals): train.lr 0.71 [0.60, 0.80]; prune.fraction 0.22 [0.10, 0.30]. No more than "
        "chance gives is seen of train.batch_size."
    )
    assert said[1].startswith("From 100.0 % to 40.0 % of the weights train.lr has the highest ST")
    assert not any("no base configuration" in sentence for sentence in said)


def test_a_question_about_the_batch_size_speaks_of_the_batch_size(designed):
    said = finding(Subject(study=asking(designed, BATCH), design=DESIGN))
    assert said[0] == (
        "At 40.0 % of the weights, over a design of 80 trajectories, train.batch_size has a share "
        "of 0.05 [0.00, 0.12] of the variance of the tickets' test accuracy with all interactions "
        "(ST, 95 % interval): no more than chance gives, so it is not shown to decide. Most is "
        "train.lr with 0.71 [0.60, 0.80]."
    )
    said = finding(Subject(study=asking(designed, RATE), design=DESIGN))
    assert "it is shown to decide, as number 1 of 3 factors." in said[0]


@pytest.mark.parametrize("question", [ALL, BATCH])
def test_where_only_dense_networks_have_shares_the_box_says_why_and_what_would_tell(
    designed, question
):
    reason = "surrogate too poor: leave-one-out Q2 0.47, below 0.5"
    lacking = {"density": 0.4, "status": "inconclusive", "trajectories": 80, "reason": reason}
    found = shares(1.0, train__batch_size=(0.7, 0.6, 0.8, True), train__lr=(0.1, 0.0, 0.2, False))
    strip = pd.concat([found.strip, pd.DataFrame([lacking])], ignore_index=True)
    study = asking(designed, question, scale="quick", command="python studies/own.py")
    design = dataclasses.replace(found, strip=strip)
    said = finding(Subject(study=study, design=design))
    assert said[0].startswith("At 100.0 % of the weights, over a design of 80 trajectories, ")
    assert "the dense networks' test accuracy" in said[0]
    assert said[1] == (
        "At 40.0 %, nearer to the 41.0 % that the study is about, the shares are not known "
        f"({reason})."
    )
    assert said[2] == "`python studies/own.py --scale paper` has a design of more points."
    assert not any("has the highest ST" in sentence for sentence in said)
    # Further away than what is known, nothing is missed.
    assert not any("not known" in text for text in finding(Subject(study=study, design=DESIGN)))


def test_what_is_asked_for_and_not_in_the_design_is_said(designed):
    study = asking(designed, "Does the optimizer decide?", space={"train.optimizer": {}})
    said = finding(Subject(study=study, design=DESIGN))
    assert said[0] == "The design does not vary train.optimizer."


COMMAND = "python studies/own.py --scale quick --phases anchor search --plan --trials 9"


@pytest.mark.parametrize(
    ("info", "lacks", "command"),
    [
        (
            {"factors": [{"path": "train.lr"}]},
            "no design, points spread over all factors, was trained",
            "`python studies/own.py --scale quick --trials 9 --phases design`",
        ),
        (
            {"factors": []},
            "the study file declares none",
            "`python studies/own.py --scale quick --trials 9 --phases design` would tell",
        ),
        (
            # The first run asked a cluster that is no more.
            {"command": f"{COMMAND} --address a:1", "runs": [{}, {"command": COMMAND}]},
            "the study file declares none",
            "`python studies/own.py --scale quick --trials 9 --phases design` would tell",
        ),
        ({"command": "python 'x"}, "the study file declares none", "`python STUDY.py --phases"),
        (
            {"factors": [{"path": "train.lr"}], "command": "", "runs": [{"command": ""}]},
            "no design, points spread over all factors, was trained",
            "trained. The same call with `phases=('design',)` trains it and adds",
        ),
    ],
)
def test_without_a_design_the_command_is_named_that_would_tell(tmp_path, info, lacks, command):
    trials = [*(trial(n) for n in range(3)), *search_trials(8)]
    folder = write_study(tmp_path, trials=trials, question=ALL, **{"command": COMMAND} | info)
    said = finding(Subject(study=load(folder)))
    assert said[0].startswith("Which hyperparameters decide is not known: ")
    assert lacks in said[0]
    assert command in said[0]
    # What the search found follows by its settings, then the base configuration's tickets.
    assert said[1].startswith("Best of 8 trials of the search by accuracy_auc")
    assert "lr=" in said[1]
    assert any("the ticket's mean test accuracy" in sentence for sentence in said[2:])


def test_a_design_of_too_few_points_says_so_and_which_scale_has_more(tmp_path):
    config = {"objective": {"name": "accuracy_at", "density": 0.41}, "phases": ["design"]}
    study = design_study(
        tmp_path, points=4, question=ALL, config=config, command=COMMAND, scale="smoke"
    )
    folder = study.folder
    said = report.write(folder).read_text()
    kept = read_answer(folder)
    assert kept[0] == (
        "Which hyperparameters decide is not known: 4 points of the design are trained, and "
        "importances take 16 or more."
    )
    command = "python studies/own.py --trials 9 --scale quick"
    assert kept[1] == f"`{command}` has a design of more points."
    assert f"<p><code>{command}</code> has a design of more points.</p>" in said


def test_a_design_of_which_no_point_is_trained_yet_says_so(tmp_path):
    waiting = [trial(n, phase="design", state="waiting", objective=None) for n in (3, 4)]
    trials = [*(trial(n) for n in range(3)), *waiting]
    folder = write_study(tmp_path, trials=trials, question=ALL, command=COMMAND)
    said = finding(Subject(study=load(folder)))
    assert said[0] == (
        "Which hyperparameters decide is not known: no point of the design is trained yet."
    )


def test_a_larger_scale_that_the_study_lacks_is_not_named(tmp_path):
    config = {"objective": {"name": "accuracy_at", "density": 0.41}, "phases": ["design"]}
    asked = {"question": ALL, "config": config, "command": COMMAND, "scale": "smoke"}
    study = design_study(tmp_path, points=4, scales=["smoke", "night"], **asked)
    said = finding(Subject(study=study))
    assert said[1].startswith("A design of more points in the study file, then `python studies/own")


def test_a_larger_scale_has_the_time_it_takes(tmp_path):
    config = {"objective": {"name": "accuracy_at", "density": 0.41}, "phases": ["design"]}
    command = "python mine.py --max_time 20s --seed 1 --name short"
    asked = {"question": ALL, "config": config, "command": command, "scale": "smoke"}
    study = design_study(tmp_path, points=4, scales=["smoke", "quick"], **asked)
    said = finding(Subject(study=study))
    assert said[1] == "`python mine.py --seed 1 --scale quick` has a design of more points."


def test_a_sweep_of_what_is_asked_for_answers_before_what_is_missing(tmp_path):
    study = asking(swept_study(tmp_path), RATE)
    said = finding(Subject(study=study))
    assert said[0].startswith(
        "Sweep of lr: with 51.2 % of the weights, the nearest there is to 21.1 %, the ticket's mean"
    )
    assert said[1].startswith("Whether train.lr decides is not known: ")
    assert sum(sentence.startswith("Sweep of lr") for sentence in said) == 1


def test_what_no_trial_varies_is_said(tmp_path):
    said = finding(Subject(study=load(write_study(tmp_path, question=BATCH, space={}))))
    assert said[0] != "No trial varies train.batch_size."  # The sample's trials name it.
    trials = [trial(n, hparams={}) for n in range(3)]
    study = load(write_study(tmp_path / "b", trials=trials, question=BATCH, space={}))
    said = finding(Subject(study=study))
    assert said[0] == "No trial varies train.batch_size."
    assert said[1].startswith("Whether train.batch_size decides is not known: ")


def test_a_question_about_claims_counts_verdicts_or_says_what_they_take(tmp_path):
    study = load(write_study(tmp_path, question="Which of the literature's claims hold?"))
    said = finding(Subject(study=study))
    assert said[0].startswith("No claim could be tested: a verdict takes two replicates")
    assert f"`lttune claims power {tmp_path}`" in said[0]


def test_a_question_of_another_kind_is_answered_by_the_base_configurations_tickets(tmp_path):
    said = finding(Subject(study=load(write_study(tmp_path, anchor_rows()))))
    assert "the ticket's mean test accuracy" in said[0]


@pytest.mark.parametrize(
    ("question", "named", "is_of_all"),
    [
        (ALL, [], True),
        (BATCH, ["train.batch_size"], False),
        ("Do learning rates and the pruning scope matter?", ["train.lr"], False),
        ("Does the scope matter?", ["prune.scope"], False),
        ("Which factors matter?", [], True),
        ("Which of the literature's claims hold?", [], False),
        ("What is the name of the data?", [], False),
        ("", [], False),
    ],
)
def test_the_question_is_read_by_its_words(tmp_path, question, named, is_of_all):
    study = load(write_study(tmp_path, question=question, lottery=LOTTERY))
    found = asked_paths(study)
    assert [path for path in found if path != "prune.scope" or named == ["prune.scope"]] == named
    assert asks_for_all(study) == is_of_all


def test_a_part_of_another_name_is_not_what_a_question_names(tmp_path):
    question = "Which hyperparameters decide whether conv-2 of ./fc.py:net has winning tickets?"
    space = {f"prune.fractions.{layer}": {"low": 0.1, "high": 0.3} for layer in ("conv", "fc")}
    study = load(write_study(tmp_path, question=question, space=space))
    assert asked_paths(study) == []
    assert finding(Subject(study=study))[0].startswith("Which hyperparameters decide is not known")
    assert asked_paths(asking(study, "Does the conv layers' fraction decide?")) == [
        "prune.fractions.conv"
    ]


def test_who_asks_for_all_is_told_of_all_whatever_else_is_named(designed, tmp_path):
    question = "Which hyperparameters decide whether late rewinding gives LeNet winning tickets?"
    study = asking(designed, question, space={"rewind_step": {}})
    said = finding(Subject(study=study, design=DESIGN))
    assert said[0] == finding(Subject(study=asking(designed, ALL), design=DESIGN))[0]
    assert not any("does not vary" in text for text in said)
    bare = asking(load(write_study(tmp_path)), question, space={"rewind_step": {}})
    assert finding(Subject(study=bare))[0].startswith("Which hyperparameters decide is not known")


@pytest.mark.parametrize(
    ("phases", "command"),
    [
        (["tune"], "python studies/own.py --scale quick --trials 9 --phases tune confirm"),
        (
            ["tune", "confirm"],
            "python studies/own.py --scale quick --phases anchor search --trials 9",
        ),
    ],
)
def test_a_comparison_without_a_confirmation_says_what_trains_it(tmp_path, phases, command):
    info = {"compared": "train.optimizer", "config": {"phases": phases}, "command": COMMAND}
    study = load(write_study(tmp_path, question="Has every optimizer winning tickets?", **info))
    assert finding(Subject(study=study))[0] == (
        "Which train.optimizer has winning tickets is not known: none of their choices is trained "
        f"on fresh replicates. `{command}` trains them."
    )
