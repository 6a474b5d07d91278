"""A study whose files hold other things than they should: one line with file, field and value."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_study import anchor_rows, search_trials, trial, write_study

from analysis import load
from lttune.__main__ import main
from lttune.config import LotteryConfig
from lttune.errors import StorageError, quoted
from lttune.records.columns import OF_EVERY_NETWORK

ROW = trial(0)


def complaint(capsys, folder, command="report"):
    assert main([command, str(folder)]) == 74
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert not (folder / "report.html").exists()
    return text.removeprefix(f"lttune: error: {folder}/").rstrip()


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (3, " must hold a list of trials, each with number, phase, label, hparams, state"),
        ([3], " must hold a list of trials, each with number, phase, label, hparams, state"),
        ([{"number": 0}], " must hold a list of trials, each with number, phase, label,"),
        ([ROW, ROW | {"hparams": 3}], ": trials[1].hparams must be an object, got 3"),
        ([ROW | {"objective": "x"}], ": trials[0].objective must be a number or null, got 'x'"),
        ([ROW | {"replicates": []}], ": trials[0].replicates must be a list of whole numbers >= 0"),
        ([ROW | {"values": [1, "x"]}], ": trials[0].values must be a list of numbers or null"),
    ],
)
@pytest.mark.parametrize("command", ["report", "importance"])
def test_other_trials_are_one_line(tmp_path, capsys, command, listed, expected):
    folder = write_study(tmp_path)
    (folder / "trials.json").write_text(json.dumps({"trials": listed}))
    assert complaint(capsys, folder, command).startswith(f"trials.json{expected}")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("train.lr", "x", "a number"),
        ("train.lr", True, "a number"),
        ("train.lr", None, "a number"),
        ("train.steps", 0.5, "a whole number"),
        ("data.name", 5, "a text"),
        ("target.data", [], "a text"),
        ("rescale", 1, "true or false"),
        ("prune.exclude", "out", "a list"),
        ("prune.fractions", 0.2, "an object"),
        ("prune.fractions.fc1", {}, "a number"),
    ],
)
def test_a_hyperparameter_of_another_kind_is_one_line(tmp_path, capsys, name, value, rule):
    trials = [trial(0), trial(1, hparams={"train.momentum": 0.9, name: value})]
    expected = f"trials.json: trials[1]: {name} must be {rule}, got {quoted(value)}"
    assert complaint(capsys, write_study(tmp_path, trials=trials)) == expected


def test_hyperparameters_of_their_kinds_and_of_older_versions_are_read(tmp_path):
    hparams = {"train.lr": 1, "target.lr": None, "target.data": "digits", "prune.exclude": ["out"]}
    hparams |= {"train.milestones": [], "rescale": False, "levels": 3, "prune.fractions": {}}
    hparams |= {"prune.fractions.fc1": 1, "train.nesterov_of_old": [{"a": None}]}
    study = load(write_study(tmp_path, trials=[trial(0), trial(1, hparams=hparams)]))
    assert study.trials["hparams"][1] == hparams
    assert study.hparams["train.nesterov_of_old"][1] == [{"a": None}]


def test_a_plan_of_no_numbers_is_one_line(tmp_path, capsys):
    folder = write_study(tmp_path, planned={"anchor": "many"})
    expected = "trials.json: planned must be a whole number for each phase"
    assert complaint(capsys, folder) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": 3}, "name must be a text, got 3"),
        ({"lottery": [1]}, "lottery must be an object, got [1]"),
        ({"lottery": {"train": 3}}, "lottery.train must be an object, got 3"),
        ({"lottery": {"train": {"steps": "x"}}}, "lottery.train.steps must be a whole number"),
        ({"space": {"train.lr": {}}}, "space must be an object of choices, or of low and high"),
        ({"objective": "x"}, "objective must be an object, got 'x'"),
        ({"config": {"phases": 3}}, "config.phases must be a list of texts, got 3"),
        ({"config": {"objective": 3}}, "config.objective must be an object or null, got 3"),
        ({"created": "today"}, "created must be a time in ISO 8601, got 'today'"),
        ({"runs": [1]}, "runs must be a list of objects or null, got [1]"),
        ({"config": True}, "config must be an object, got True"),
        ({"objective": [1]}, "objective must be an object, got [1]"),
        ({"factors": 3}, "factors must be a list of objects, got 3"),
    ],
)
def test_a_sheet_of_other_types_is_one_line(tmp_path, capsys, change, expected):
    folder = write_study(tmp_path, trials=[trial(0), *search_trials(2)], **change)
    assert complaint(capsys, folder).startswith(f"study.json: {expected}")


def test_a_sheet_that_says_nothing_is_no_page_of_nothing(tmp_path, capsys):
    folder = write_study(tmp_path)
    (folder / "study.json").write_text("{}")
    assert complaint(capsys, folder) == "study.json lacks name, lottery"


def test_records_of_other_columns_are_one_line(tmp_path, capsys):
    folder = write_study(tmp_path)
    pq.write_table(pa.table({"phase": ["anchor"], "x": [1]}), folder / "records.parquet")
    assert complaint(capsys, folder).startswith("records.parquet lacks study, role, inert, trial,")


@pytest.mark.parametrize("name", ["study", "density", "test_accuracy", "cell"])
@pytest.mark.parametrize("command", ["report", "importance"])
def test_records_that_lack_a_column_are_one_line(tmp_path, capsys, command, name):
    folder = write_study(tmp_path)
    path = folder / "records.parquet"
    pq.write_table(pq.read_table(path).drop_columns([name]).replace_schema_metadata(None), path)
    assert complaint(capsys, folder, command) == f"records.parquet lacks {name}"


def test_what_is_left_out_of_an_older_study_is_no_fault(tmp_path):
    folder = write_study(tmp_path)
    sheet = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps({n: sheet[n] for n in ("name", "lottery")}))
    assert load(folder).info["name"] == "sample"
    (folder / "study.json").write_text(json.dumps({"lottery": {}}))
    with pytest.raises(StorageError, match="lacks name"):
        load(folder)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '"'])
def test_a_damaged_figure_of_importances_is_one_line_for_claims(tmp_path, capsys, text):
    folder = write_study(tmp_path)
    (folder / "figures").mkdir()
    (folder / "figures" / "importance.csv").write_text(text)
    assert main(["claims", "check", str(folder)]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {folder}/figures/importance.csv cannot be read: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("change", [{"n": 3}, {"n": {"a": "x"}}, {"sha256": 3}, {"version": None}])
def test_a_lock_of_other_types_is_one_line(tmp_path, capsys, change):
    folder = write_study(tmp_path)
    lock = {"sha256": "0", "version": "1", "date": "2026-11-23", "n": {"a": 3}}
    (folder / "claims.lock.json").write_text(json.dumps(lock | change))
    assert main(["claims", "check", str(folder)]) == 74
    told = capsys.readouterr().err
    assert told.startswith(f"lttune: error: {folder}/claims.lock.json is no lock: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("name", OF_EVERY_NETWORK)
@pytest.mark.parametrize("lacking", [[7], range(39)], ids=["one", "all"])
def test_a_network_without_a_measure_that_each_has_is_one_line(tmp_path, capsys, name, lacking):
    rows = [row | {name: None} if n in lacking else row for n, row in enumerate(anchor_rows())]
    folder = write_study(tmp_path, rows)
    assert complaint(capsys, folder).startswith(f"records.parquet: {name} must be ")


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("train.steps", "many", "a whole number"),
        ("train.steps", 0.5, "a whole number"),
        ("train.lr", True, "a number"),
        ("train.lr", float("nan"), "a finite number"),
        ("model.name", 3, "a text"),
        ("prune.fractions.fc1", float("inf"), "a finite number"),
        ("density.fc1", 1.5, "in [0, 1]"),
        ("density.fc1", "a", "a number"),
        ("train.batch_size", None, "a whole number"),
        ("data.name", None, "a text"),
    ],
)
def test_a_setting_of_another_kind_is_one_line(tmp_path, capsys, name, value, rule):
    rows = [row | {name: value} for row in anchor_rows()]
    if value is None:  # A column without any value is of no kind.
        rows[3:] = [row | {name: LotteryConfig().flat()[name]} for row in rows[3:]]
    folder = write_study(tmp_path, rows)
    assert complaint(capsys, folder) == f"records.parquet: {name} must be {rule}, got {value!r}"


def test_settings_that_a_trial_lacks_are_gaps(tmp_path):
    rows = [row | {"train.lr": 1, "prune.fractions.fc1": None} for row in anchor_rows()]
    assert load(write_study(tmp_path, rows)).records["train.lr"].eq(1).all()
