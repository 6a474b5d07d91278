"""One Pareto front, whoever reads it: console, confirmation and report."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from sample_study import network, trial, write_study

from analysis import load
from analysis.figures.search.pareto import pareto_table
from analysis.tables.trials import front_table
from lttune.records.best import non_dominated
from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.console.outcome import Outcome, show
from lttune.study.phases.confirmation import Confirmation
from lttune.study.settings import StudyConfig

VALUES = [[0.95, 0.2], [0.95, 0.2], [0.9, 0.1], [0.9, 0.2]]
FRONT = [0, 2]
"""The first stands for its equal; the last is beaten."""
PARETO = ObjectiveConfig(name="pareto")


@pytest.fixture
def folder(tmp_path):
    trials = [
        trial(number, "search", values[0], values=values, replicates=[0])
        for number, values in enumerate(VALUES)
    ]
    for one in trials:
        one |= {"controls": [], "hparams": {"train.lr": 0.1 + one["number"]}}
    rows = [
        network("search", number, 0, "trunk", level, 0.9)
        for number in range(len(VALUES))
        for level in range(5)
    ]
    about = {"name": "pareto", "text": "accuracy; density", "texts": list(PARETO.texts)}
    about |= {"direction": PARETO.directions[0], "directions": list(PARETO.directions)}
    write_study(tmp_path, rows, trials, {"search": len(trials)}, objective=about)
    path = tmp_path / "trials.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"wall_s": 1.0}))
    return tmp_path


def test_the_front_is_one_function():
    assert non_dominated(VALUES, PARETO.directions) == FRONT


def test_the_console_shows_the_front(folder, tmp_path):
    ledger, file = Ledger.open(folder / "trials.json"), io.StringIO()
    outcome = Outcome(exit_code=0, report=folder / "report.html", tracking="", not_tracked="")
    config = StudyConfig(name="x", objective=PARETO)
    rows = load(folder).records.to_dict("records")

    def rows_of(mine):
        return [row for row in rows if row["trial"] == mine.number]

    show(outcome, ledger, rows_of, config, 10, Console(file=file, width=100))
    lines = [line.split() for line in file.getvalue().splitlines() if " search " in line]
    assert [int(line[1]) for line in lines] == FRONT


def test_the_front_is_confirmed(folder):
    ledger = Ledger.open(folder / "trials.json")
    Confirmation(objective=PARETO, replicates=1).add_missing(ledger, "confirm")
    labels = [f"search trial {number} replicate=100000" for number in FRONT]
    assert [one.label for one in ledger.of("confirm")] == [*labels, "base replicate=100000"]


def test_the_report_shows_the_front(folder):
    study = load(folder)
    assert front_table(study)["trial"].tolist() == FRONT
    table = pareto_table(study)
    assert table.loc[table["is_front"], "trial"].tolist() == FRONT
