from __future__ import annotations

import io
import json
import shlex
import sys
import urllib.request
from pathlib import Path

import pytest
from rich.console import Console

from docs import mlflow_page
from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.console.outcome import BEST_SHOWN, Outcome, show, show_absence
from lttune.study.settings import StudyConfig
from lttune.study.tracking.tracker import Tracker


def outcome(exit_code: int = 0, **changes: str) -> Outcome:
    values = {"tracking": "sqlite:////there/mlflow.db (experiment 1)", "not_tracked": ""}
    return Outcome(exit_code=exit_code, report=Path("results/x/report.html"), **values | changes)


def rows(trial: int) -> list[dict]:
    common = {"trial": trial, "branch": "trunk", "replicate": 0, "diverged": False}
    return [
        {**common, "density": density, "val_accuracy": 0.9, "test_accuracy": 0.9 + trial / 100}
        for density in (1.0, 0.1)
    ]


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    """Six complete trials; the objective of trial n is 0.n."""
    book = Ledger(path=tmp_path / "trials.json", planned={"search": 6}, wall_s=125)
    for number in range(6):
        trial = book.add("search", f"lr=0.{number}", {"train.lr": number / 10}, [0], [])
        trial.state, trial.objective, trial.seconds = "complete", number / 10, 30
        trial.values = [number / 10]
    return book


def printed(ledger: Ledger, outcome: Outcome, config: StudyConfig | None = None) -> str:
    file = io.StringIO()
    asked, console = config or StudyConfig(name="x"), Console(file=file, width=100)
    show(outcome, ledger, lambda trial: rows(trial.number), asked, 10, console)
    return file.getvalue()


def order(text: str) -> list[str]:
    """Returns the numbers of the trials in the table of the best."""
    return [line.split()[1] for line in text.splitlines() if " search " in line]


def test_a_complete_study_says_what_is_best_and_where_everything_is(ledger):
    text = printed(ledger, outcome())
    assert "best trials by accuracy_auc (validation)" in text
    assert order(text) == ["005", "004", "003", "002", "001"]
    assert len(order(text)) == BEST_SHOWN
    best = next(line for line in text.splitlines() if "005" in line)
    assert [part for part in best.split() if part not in "│"][-5:] == [
        "0.5000",
        "95.00%",
        "95.00%",
        "30",
        "s",
    ]
    assert "complete: 6 of 6 trials in 2 min over all runs" in text
    assert "report: results/x/report.html" in text
    assert "mlflow ui" in text
    assert "incomplete" not in text
    assert "not in MLflow" not in text


def test_the_smallest_ticket_comes_first(ledger):
    config = StudyConfig(name="x", objective=ObjectiveConfig(name="ticket_density"))
    assert order(printed(ledger, outcome(), config))[0] == "000"


def test_of_two_numbers_the_front_is_shown(ledger):
    config = StudyConfig(name="x", objective=ObjectiveConfig(name="pareto"))
    for trial, density in zip(ledger.trials, (0.5, 0.1, 0.2, 0.3, 0.05, 0.4), strict=True):
        trial.values = [trial.number / 10, density]
    text = printed(ledger, outcome(), config)
    assert "Pareto front by ticket_accuracy and ticket_density (validation)" in text
    assert order(text) == ["005", "004"]


def test_confirmations_are_no_candidates_and_stopped_trials_have_ended(ledger):
    ledger.trials[4].state, ledger.trials[4].values = "stopped", None
    best = ledger.add("confirm", "search trial 5 replicate=100000", {}, [100_000], [], "fresh")
    best.state, best.values, best.seconds = "complete", [0.99], 1
    ledger.planned["confirm"] = 1
    text = printed(ledger, outcome())
    assert "confirm" not in text
    assert order(text) == ["005", "003", "002", "001", "000"]
    assert "complete: 7 of 7 trials, 1 of them stopped early, in 2 min" in text
    assert "incomplete" not in text


def test_a_failed_trial_is_named_and_the_study_incomplete(ledger):
    ledger.trials[2].state, ledger.trials[2].error = "failed", "ValueError: [b]no[/b]"
    text = printed(ledger, outcome(1))
    assert "failed: 002 search lr=0.2: ValueError: [b]no[/b]" in text
    assert "incomplete: 5 of 6 trials" in text
    assert "run the same command again" in text


NET = "./net.py:late"
MEND = f"mend {NET} and give another --name, since its code is part of what a study is: "


def test_code_of_ones_own_that_failed_is_to_be_mended_under_another_name(ledger):
    for number in (2, 3):
        ledger.trials[number].state, ledger.trials[number].error = "failed", "no"
        ledger.to_mend[number] = NET
    text = printed(ledger, outcome(1))
    assert f"\n{MEND}what does not depend on it is not trained again\n" in text
    assert "same command again" not in text
    rest = "\nthe same command again goes on with the rest\n"
    assert rest in printed(ledger, outcome(130))
    ledger.trials[4].state, ledger.trials[4].error = "failed", "its worker died"
    text = printed(ledger, outcome(1))
    assert MEND in text
    assert rest in text
    ledger.to_mend[2] = "./other.py:part"
    assert f"mend {NET}, ./other.py:part and give another --name" in printed(ledger, outcome(1))
    late = printed(ledger, outcome(124, left_out="no time"))
    assert " and give another --name" in late
    assert "no time" in late


def test_an_interrupted_study_says_how_to_go_on(ledger):
    ledger.trials[5].state = "waiting"
    text = printed(ledger, outcome(130))
    assert "interrupted: every finished network is kept" in text
    assert "run the same command again to go on where it stopped" in text


def test_phases_of_an_earlier_command_are_no_reason_to_repeat_this_one(ledger):
    ledger.planned["design"] = 4
    config = StudyConfig(name="x", phases=("search",))
    text = printed(ledger, outcome(), config)
    assert "incomplete: 6 of 10 trials" in text
    assert "the phases of this command are complete; `--phases design` goes on" in text
    assert "run the same command again" not in text
    assert "run the same command again" in printed(ledger, outcome(130), config)


def test_without_a_trial_there_is_no_table(ledger):
    for trial in ledger.trials:
        trial.state = "waiting"
    assert "best trials" not in printed(ledger, outcome(130))


@pytest.mark.parametrize(
    ("uri", "address", "hint"),
    [
        (
            None,
            "sqlite:////there/mlflow.db (experiment 1)",
            "mlflow ui --backend-store-uri sqlite:////there/mlflow.db`, experiment x",
        ),
        (
            "sqlite:///m.db",
            "sqlite:////there/m.db (experiment 1)",
            "mlflow ui --backend-store-uri sqlite:////there/m.db`, experiment x",
        ),
        (
            "sqlite:///runs (old)/m.db",
            "sqlite:////there/runs (old)/m.db (experiment 1)",
            "mlflow ui --backend-store-uri 'sqlite:////there/runs (old)/m.db'`, experiment x",
        ),
        (
            "sqlite:///m.db?timeout=9&mode=rw",
            "sqlite:////there/m.db?timeout=9&mode=*** (experiment 1)",
            "--backend-store-uri 'sqlite:////there/m.db?timeout=9&mode=***'` (with what *** stands",
        ),
        (
            None,
            "postgresql://***/db (experiment 1)",
            'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"`, experiment x',
        ),
        ("databricks", "databricks (experiment 1)", "MLflow: databricks, experiment x"),
        (
            "http://host:5000",
            "http://host:5000/#/experiments/1/runs",
            "MLflow: http://host:5000/#/experiments/1/runs",
        ),
    ],
)
def test_how_to_open_mlflow(ledger, uri, address, hint):
    config = StudyConfig(name="x", tracking_uri=uri)
    assert hint in printed(ledger, outcome(tracking=address), config)


def test_what_mlflow_lacks_is_said_and_what_sends_it(ledger):
    text = printed(ledger, outcome(not_tracked="3 of 9 entries."))
    wanted = "not in MLflow: 3 of 9 entries. `lttune sync results/x` sends what is missing at any"
    assert wanted in text
    config = StudyConfig(name="x", tracking_uri="http://TOKEN@host")
    text = printed(ledger, outcome(not_tracked="3 of 9 entries."), config)
    assert "`lttune sync results/x --tracking-uri 'http://***@host'`" in text


def test_a_server_that_is_away_is_one_line():
    file = io.StringIO()
    config = StudyConfig(name="x", tracking_uri="http://TOKEN@host")
    console = Console(file=file, width=40)
    show_absence("http://***@host", "no [b]answer[/b]", config, console)
    assert file.getvalue() == (
        "MLflow cannot be used at http://***@host (no [b]answer[/b]); the study goes on. "
        "`lttune sync results/x --tracking-uri 'http://***@host'` sends what is missing at any "
        "later time.\n"
    )


def test_the_mlflow_that_is_named_is_the_one_beside_this_python(ledger, monkeypatch, tmp_path):
    ours = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", ours)
    assert "MLflow: run `mlflow ui " in printed(ledger, outcome())
    other = tmp_path / "mlflow"
    other.touch(mode=0o755)
    for path in (str(tmp_path), ""):
        monkeypatch.setenv("PATH", path)
        assert f"MLflow: run `{sys.executable} -m mlflow ui " in printed(ledger, outcome())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_that_is_printed_opens_mlflow_beside_files_of_an_old_one(
    ledger, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    old = tmp_path / "mlruns" / "0"
    old.mkdir(parents=True)
    (old / "meta.yaml").write_text("experiment_id: '0'\nname: Default\nlifecycle_stage: active\n")
    tracker = Tracker(None, "x")
    tracker.start(description="", params={}, tags={}, files=[], dataset=None)
    tracker.finish("FINISHED", [])
    assert tracker.close(240) == ""
    text = printed(ledger, outcome(tracking=tracker.address))
    command = text.partition("MLflow: run `")[2].partition("`, experiment x")[0]
    with mlflow_page.running(shlex.split(command)) as address:
        asked = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name=x"
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["experiment"]["name"] == "x"
