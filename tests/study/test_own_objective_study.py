"""Studies with an objective of one's own: what is searched, kept, shown, and read again."""

from __future__ import annotations

import base64
import contextlib
import json
import runpy
import sqlite3
import zlib
from pathlib import Path
from statistics import fmean

import optuna
import pytest
from digits_place import empty_database
from own_parts import GAIN_FILES, run_gain, worked_in_copy, write_page
from sealed_cells import sealed_cells

from lttune.__main__ import main as lttune
from lttune.records.own import parts
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.store.sealed import read_object
from lttune.study.tracking.views import TAG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STUDY = Path("results/gain")
NAME = "./gain.py:best_gain"


@pytest.fixture(scope="module")
def gain_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files of an objective, in which its study was run.

    What that printed is in ``printed``.
    """
    folder = tmp_path_factory.mktemp("gain")
    write_page(folder, GAIN_FILES)
    with contextlib.chdir(folder):
        code, said = run_gain(folder)
    assert code == 0, said
    (folder / "printed").write_text(said)
    return folder


@pytest.fixture
def gain_copy(gain_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder, worked in, whose function nobody has made known."""
    return worked_in_copy(gain_home, tmp_path, monkeypatch)


def trials(folder, study="gain"):
    return read_json(folder / "results" / study / "trials.json")["trials"]


def in_phase(found, *names):
    return [trial for trial in found if trial["phase"] in names]


def lead(rows, number):
    """What the page says of its objective, from a study's records: means over replicates."""
    mine = [row for row in rows if row["trial"] == number and row["branch"] == "trunk"]
    curves = {row["replicate"]: {} for row in mine}
    for row in mine:
        curves[row["replicate"]][row["level"]] = row["val_accuracy"]
    return fmean(max(curve[k] - curve[0] for k in curve if k) for curve in curves.values())


def metrics(folder, name="own.best_gain"):
    """Returns number of the trial -> what MLflow's database has of a metric."""
    asked = "select t.value, m.value from latest_metrics m join tags t on t.run_uuid = m.run_uuid"
    asked += " where m.key = ? and t.key = 'lttune.trial'"
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return {int(number): value for number, value in database.execute(asked, (name,))}


def test_the_pages_test_passes(gain_copy):
    runpy.run_path("test_gain.py")["test_best_gain"]()


def test_trials_have_the_number_of_the_function(gain_home):
    rows, found = read(gain_home / STUDY / "records.parquet"), trials(gain_home)
    assert [trial["state"] for trial in found] == ["complete"] * len(found)
    assert {trial["phase"] for trial in found} == {"anchor", "search", "random", "confirm"}
    for trial in found:
        assert trial["values"] == [trial["objective"]]
        assert trial["objective"] == pytest.approx(lead(rows, trial["number"]))
    assert len({trial["objective"] for trial in found}) > 3


def test_trajectories_of_the_search_end_at_its_density(gain_home):
    rows = read(gain_home / STUDY / "records.parquet")
    found = trials(gain_home)
    for trial in in_phase(found, "search", "random"):
        mine = [row["density"] for row in rows if row["trial"] == trial["number"]]
        assert min(mine) <= 0.6 < sorted(set(mine))[1]
    (anchor,) = in_phase(found, "anchor")
    assert {row["level"] for row in rows if row["trial"] == anchor["number"]} == {0, 1, 2, 3}


def confirmed(found):
    """Returns the settings that were confirmed beside the base configuration."""
    return [one["hparams"] for one in in_phase(found, "confirm") if one["hparams"]]


def test_the_best_is_confirmed_and_told(gain_home):
    found = trials(gain_home)
    best = max(in_phase(found, "search", "random"), key=lambda trial: trial["objective"])
    sought = max(in_phase(found, "search"), key=lambda trial: trial["objective"])
    assert sought["hparams"] in confirmed(found)
    printed = (gain_home / "printed").read_text()
    assert "best trials by best_gain (validation)" in printed
    top = next(line for line in printed.splitlines() if f" {best['number']:03d} " in line)
    assert f"{best['objective']:.4f}" in top
    answer = (gain_home / STUDY / "answer.txt").read_text()
    assert "Best of 4 trials of the search by best_gain, on validation data" in answer
    assert f"(trial {sought['number']}), {sought['objective']:.4f}." in answer
    assert "60.0 % of the weights" in answer


def test_the_report_says_what_is_searched(gain_home):
    page = (gain_home / STUDY / "report.html").read_text()
    text = "what ./gain.py:best_gain returns: Largest lead of a ticket over its own dense network"
    assert f"<p>best_gain: {text}, in validation accuracy.</p>" in page
    assert "<th>best_gain</th>" in page
    assert "Search: best_gain against train.lr" in page
    assert "Best best_gain of k trials" in page


def test_the_sheet_says_whose_code_it_was_and_no_network_does(gain_home):
    sheet = read_object(gain_home / STUDY / "study.json")
    (own,) = sheet["own"]
    assert (own["field"], own["name"]) == ("objective.name", NAME)
    assert len(own["source"]) == 64
    assert (sheet["objective"]["name"], sheet["objective"]["directions"]) == (NAME, ["maximize"])
    cells = sealed_cells(gain_home / "results/cells").values()
    assert cells
    assert not any(own["source"] in (cell / "seal.json").read_text() for cell in cells)


def test_mlflow_sorts_by_it(gain_home):
    found = {trial["number"]: trial["objective"] for trial in trials(gain_home)}
    assert metrics(gain_home) == found
    asked = f"select value from experiment_tags where key like '{TAG}%'"
    with contextlib.closing(sqlite3.connect(gain_home / "mlflow.db")) as database:
        packed = [json.loads(one)["state"] for (one,) in database.execute(asked)]
    states = [zlib.decompress(base64.b64decode(one.removeprefix("deflate;"))) for one in packed]
    orders = {(view["orderByKey"], view["orderByAsc"]) for view in map(json.loads, states)}
    assert orders == {("metrics.`own.best_gain`", False)}


READING = [
    ["report", "results/gain"],
    ["export", "results/gain", "--csv"],
    ["export", "results/gain", "--optuna"],
    ["export", "results/gain", "--deepcave"],
    ["export", "results/gain", "--level", "1"],
    ["doctor", "results/gain"],
    ["doctor", "results/gain", "--repair"],
    ["watch", "results/gain"],
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_no_command_that_reads_a_study_runs_the_code_that_it_names(gain_copy, words, capsys):
    (gain_copy / "gain.py").write_text("open('ran', 'w').close()\n")
    rows, listing = read(STUDY / "records.parquet"), trials(gain_copy)
    if "--repair" in words:
        (STUDY / "records.parquet").unlink()
    assert lttune(words) == 0
    assert not (gain_copy / "ran").exists()
    assert {part.code for part in parts.KNOWN_PARTS.values()} <= {None}
    assert trials(gain_copy) == listing
    assert len(read(STUDY / "records.parquet")) == len(rows)
    if words[0] == "report":
        assert "best_gain, on validation data" in (STUDY / "answer.txt").read_text()
    if words[0] == "watch":
        assert "by best_gain" in capsys.readouterr().out


def test_sync_sends_what_was_recorded_and_runs_nothing(gain_copy):
    (gain_copy / "gain.py").write_text("open('ran', 'w').close()\n")
    (gain_copy / "mlflow.db").write_bytes(empty_database())
    uri = f"sqlite:///{gain_copy}/mlflow.db"
    assert lttune(["sync", "results/gain", "--tracking-uri", uri]) == 0
    assert not (gain_copy / "ran").exists()
    found = {trial["number"]: trial["objective"] for trial in trials(gain_copy)}
    assert metrics(gain_copy) == found


def test_an_optuna_database_has_its_numbers_direction_and_name(gain_copy):
    assert lttune(["export", "results/gain", "--optuna"]) == 0
    study = optuna.load_study(study_name="gain", storage=f"sqlite:///{STUDY}/optuna.db")
    assert study.metric_names == ["best_gain"]
    assert study.direction.name == "MAXIMIZE"
    known = {trial["number"]: trial["objective"] for trial in trials(gain_copy)}
    assert study.trials
    assert all(one.value == known[one.user_attrs["trial"]] for one in study.trials)


def test_changed_code_is_another_study_that_trains_nothing_anew(gain_copy):
    text = (gain_copy / "gain.py").read_text()
    (gain_copy / "gain.py").write_text(text.replace("return max", "return 2 * max"))
    code, told = run_gain(gain_copy)
    assert code == 3
    assert "another configuration (source of ./gain.py:best_gain: " in told
    assert "give another --name" in told
    assert told.count("\n") == 1
    phases = ("--phases", "anchor", "random")
    assert run_gain(gain_copy, "--name", "twice", *phases)[0] == 0
    rows = read(gain_copy / "results/twice/records.parquet")
    assert all(row["reused"] for row in rows)
    before = in_phase(trials(gain_copy), "anchor", "random")
    after = trials(gain_copy, "twice")
    doubled = {repr(trial["hparams"]): 2 * trial["objective"] for trial in before}
    assert {repr(trial["hparams"]): trial["objective"] for trial in after} == doubled


def test_a_moved_file_is_the_same_objective_under_another_name(gain_copy):
    (gain_copy / "elsewhere").mkdir()
    (gain_copy / "gain.py").rename(gain_copy / "elsewhere/moved.py")
    flags = ("--name", "again", "--objective.name", "elsewhere/moved.py:best_gain")
    assert run_gain(gain_copy, *flags)[0] == 0
    rows = read(gain_copy / "results/again/records.parquet")
    assert all(row["reused"] for row in rows)
    found = [[one["objective"] for one in trials(gain_copy, name)] for name in ("again", "gain")]
    assert found[0] == found[1]


def test_less_can_be_better(gain_copy):
    flags = ("--name", "less", "--objective.direction", "minimize", "--trials", "3")
    code, said = run_gain(gain_copy, *flags)
    assert code == 0, said
    found = trials(gain_copy, "less")
    sought = min(in_phase(found, "search"), key=lambda trial: trial["objective"])
    assert sought["hparams"] in confirmed(found)
    assert len({trial["objective"] for trial in in_phase(found, "search")}) > 1
    answer = (gain_copy / "results/less/answer.txt").read_text()
    assert f"(trial {sought['number']}), {sought['objective']:.4f}." in answer


def test_a_plan_tries_it_and_writes_nothing(gain_copy):
    code, said = run_gain(gain_copy, "--name", "plan", "--plan")
    assert code == 0, said
    assert "search" in said
    assert not (gain_copy / "results/plan").exists()
