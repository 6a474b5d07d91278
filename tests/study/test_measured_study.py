"""Studies with measurements of one's own: what is recorded, shown, refused, read again."""

from __future__ import annotations

import contextlib
import csv
import runpy
from pathlib import Path

import micro_study
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from digits_place import lasting
from measures import SEEN
from own_networks import page_block
from own_parts import PARTS_PAGE, assert_refused, run_parts, worked_in_copy, write_page
from sealed_cells import sealed_cells

from lttune.__main__ import main as lttune
from lttune.exchange.tickets import Place, find_network
from lttune.records.own import parts
from lttune.records.schema import read
from lttune.store.sealed import read_object, write_object
from lttune.study.tracking.store import open_store

STUDY = Path("results/looked")
FLAGS = ("--name", "looked", "--lottery.train.measure", "./look.py:look")
NAMES = [f"{when}measured.{what}" for when in ("", "end_") for what in ("dead_fc1", "margin")]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the page's files, in which its study was run with its measurement."""
    folder = tmp_path_factory.mktemp("looked")
    write_page(folder)
    for name in ("look.py", "test_look.py"):
        (folder / name).write_text(page_block(name, PARTS_PAGE))
    with contextlib.chdir(folder):
        code, said = run_parts(folder, *FLAGS)
    assert code == 0, said
    return folder


@pytest.fixture
def copy(home, tmp_path, monkeypatch):
    return worked_in_copy(home, tmp_path, monkeypatch)


def test_the_pages_test_passes(copy):
    runpy.run_path("test_look.py")["test_look"]()


def test_records_have_what_was_measured_of_every_network(home):
    rows = read(home / STUDY / "records.parquet")
    assert len(rows) == 2 * (3 + 3 * 2)
    schema = pq.read_schema(home / STUDY / "records.parquet")
    assert [schema.field(name).type for name in NAMES] == [pa.float64()] * 4
    assert all(isinstance(row[name], float) for row in rows for name in NAMES)
    assert {row["train.measure"] for row in rows} == {"./look.py:look"}
    sheet = read_object(home / STUDY / "study.json")
    assert [one["name"] for one in sheet["own"] if one["field"] == "train.measure"] == [
        "./look.py:look"
    ]


def test_the_numbers_are_those_of_the_networks(home):
    """Computed here of the weights that the store has of the end of a training."""
    rows = read(home / STUDY / "records.parquet")
    with contextlib.chdir(home):
        found = find_network(Place(study=STUDY, trial=1, replicate=1, level=2))
    dead = 1 - found.mask["fc1.weight"].any(1).float().mean()
    (row,) = [r for r in rows if (r["trial"], r["branch"], r["level"]) == (1, "trunk", 2)]
    assert row["end_measured.dead_fc1"] == pytest.approx(float(dead))
    # Of more right answers the margin is larger: both are of the validation pictures.
    trunk = [r for r in rows if r["branch"] == "trunk"]
    best = max(trunk, key=lambda r: r["end_val_accuracy"])
    assert best["end_measured.margin"] > 0


def test_networks_are_those_of_the_study_without_to_the_bit(copy):
    assert run_parts(copy, "--name", "plain")[0] == 0
    one, two = (read(Path("results") / n / "records.parquet") for n in ("looked", "plain"))
    shared = two[0].keys() - {"study", "cell", "reused", "trained", "host", "train.measure"}
    shared = {name for name in shared if not name.endswith("_time_s")}
    assert [{n: r[n] for n in shared} for r in one] == [{n: r[n] for n in shared} for r in two]
    for level in range(3):
        places = (Place(study=Path("results") / n, level=level) for n in ("looked", "plain"))
        tensors, others = (find_network(place).cell.tensors for place in places)
        assert tensors.keys() == others.keys()
        assert all(torch.equal(value, others[name]) for name, value in tensors.items())


def test_mlflow_has_them_at_each_level_of_the_ticket_and_its_controls(home):
    client, _ = open_store(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name("looked")
    runs = client.search_runs([experiment.experiment_id])
    (run,) = [one for one in runs if one.data.tags.get("lttune.trial") == "1"]
    rows = [row for row in read(home / STUDY / "records.parquet") if row["trial"] == 1]
    for branch, prefix in (("trunk", ""), ("reinit", "reinit."), ("random", "random.")):
        for what in ("margin", "dead_fc1"):
            key = f"measured.{what}"
            points = client.get_metric_history(run.info.run_id, f"{prefix}{key}")
            found = sorted((point.step, point.value) for point in points)
            assert found == sorted((r["level"], r[key]) for r in rows if r["branch"] == branch)
    assert not [name for name in run.data.metrics if "end_measured" in name]


@pytest.mark.parametrize(
    "words",
    [
        ["report", "results/looked"],
        ["export", "results/looked", "--csv"],
        ["export", "results/looked", "--level", "2", "--weights", "start"],
        ["masks", "results/looked:0/0/2", "results/looked:1/1/2"],
        ["doctor", "results/looked"],
        ["doctor", "results/looked", "--repair"],
    ],
)
def test_no_command_that_reads_a_study_runs_the_code_that_measures(copy, words):
    for name in ("look.py", "mine.py"):
        (copy / name).write_text("open('ran', 'w').close()\n")
    before = read(STUDY / "records.parquet")
    if "--repair" in words:
        (STUDY / "records.parquet").unlink()
    assert lttune(words) == 0
    assert not (copy / "ran").exists()
    assert {part.code for part in parts.KNOWN_PARTS.values()} <= {None}
    if "--repair" in words:
        assert lasting(read(STUDY / "records.parquet")) == lasting(before)
    if "--csv" in words:
        with next(copy.glob("**/records.csv")).open(newline="") as file:
            table = list(csv.DictReader(file))
        for name in NAMES:
            assert [float(row[name]) for row in table] == [row[name] for row in before]


def test_a_ticket_is_taken_to_other_settings_without_the_code_that_measures(copy):
    text = (copy / "look.py").read_text()
    (copy / "look.py").write_text("open('ran', 'w').close()\n")
    words = ["transfer", "results/looked", "--levels", "1", "--lr", "0.001", "--replicates", "1"]
    assert lttune([*words, "--schedule", "./mine.py:rate"]) == 0
    assert not (copy / "ran").exists()
    rows = read(STUDY / "transfer.parquet")
    assert not [name for name in rows[0] if "measured" in name]
    (copy / "look.py").write_text(text)


def test_a_study_that_is_run_again_trains_nothing_wherever_its_file_is(copy):
    before = sealed_cells(copy / "results/cells")
    assert run_parts(copy, *FLAGS)[0] == 0
    (copy / "elsewhere").mkdir()
    (copy / "look.py").rename(copy / "elsewhere/moved.py")
    code, said = run_parts(
        copy, "--name", "again", "--lottery.train.measure", "elsewhere/moved.py:look"
    )
    assert code == 0, said
    assert sealed_cells(copy / "results/cells") == before
    assert all(row["reused"] for row in read(Path("results/again/records.parquet")))


def test_changed_code_and_other_measurements_are_another_study(copy):
    text = (copy / "look.py").read_text()
    (copy / "look.py").write_text(text.replace(".mean(), ", ".median(), "))
    code, told = run_parts(copy, *FLAGS)
    assert code == 3
    assert "(source of ./look.py:look: " in told
    assert told.count("\n") == 1
    code, told = run_parts(copy, "--name", "looked")
    assert code == 3
    assert "lottery.train.measure: ['./look.py:look'] -> []" in told
    assert run_parts(copy, "--replicates", "1", *FLAGS, "--name", "medians")[0] == 0
    rows = read(Path("results/medians/records.parquet"))
    assert not any(row["reused"] for row in rows)
    old = [r for r in read(STUDY / "records.parquet") if r["trial"] == 0]
    assert [r["measured.margin"] for r in rows] != [r["measured.margin"] for r in old]
    assert [r["val_loss"] for r in rows] == [r["val_loss"] for r in old]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return network.nothing", "cannot be used: AttributeError: "),
        ("return 'high'", "must return a number, or numbers by their names, got 'high' at step 0"),
        ("return {'fc1.weight': 1}", "must use names of 1 to 64 letters, digits and '_', got "),
        ("return {'x': float('inf')}", "must give x as a finite number, or NaN where it is not"),
        ("seen.append(step); return len(seen)", "must give the same numbers of the same network"),
        ("1 / 0", "cannot be used: ZeroDivisionError: division by zero"),
    ],
)
def test_a_measurement_that_does_not_fit_is_one_line_before_anything_starts(copy, body, told):
    source = f"seen = []\ndef bad(step, network):\n    {body}\n"
    assert_refused(copy, "--lottery.train.measure", "bad", source, told)


def test_each_function_that_does_not_fit_has_its_line(copy):
    (copy / "bad.py").write_text("def bad(step, network): return None\n")
    functions = ("bad.py:bad", "none.py:f", "bad.py:none")
    code, said = run_parts(copy, "--name", "bad", "--lottery.train.measure", *functions)
    assert (code, said.count("\n")) == (2, 2)
    assert "train.measure: none.py:f cannot be imported: none.py: No such file" in said
    assert "train.measure: bad.py:none cannot be imported: bad.py has no function 'none'" in said


def test_one_that_fails_in_mid_study_fails_its_trials_with_one_line(copy):
    body = "    assert network.branch == 'trunk', 'no trunk'\n    return network.level\n"
    (copy / "late.py").write_text(f"def late(step, network):\n{body}")
    flags = ("--name", "late", "--replicates", "1", "--lottery.train.measure", "late.py:late")
    assert run_parts(copy, *flags)[0] == 1
    (trial,) = read_object(Path("results/late/trials.json"))["trials"]
    assert trial["state"] == "failed"
    why = "cannot be used: AssertionError: no trunk (late.py, line 2)"
    assert trial["error"] == f"ConfigError: train.measure: late.py:late {why}"


def test_what_is_measured_is_the_same_for_all_trials(copy):
    text = (copy / "parts_study.py").read_text()
    point = 'Point(label="x", role="sweep", replicates=(0,), hparams={"train.measure": ()})'
    points = f'points={{"quick": {{"sweep": [{point}]}}}},\n'
    text = text.replace("    space={},\n", f"    space={{}},\n    {points}")
    text = text.replace("import sys\n", "import sys\n\nfrom lttune.config.design import Point\n", 1)
    (copy / "parts_study.py").write_text(text)
    code, said = run_parts(copy, *FLAGS, "--name", "varied", "--phases", "sweep")
    told = "point 'x': train.measure must be left out: it is the same for all trials"
    assert (code, said) == (2, f"lttune: error: {told}\n")


def test_a_strangers_numbers_are_numbers(copy, capsys):
    rows = read(STUDY / "records.parquet")
    study_id = read_object(STUDY / "study.json")["study_id"]
    from lttune.records import schema
    from lttune.records.schema import making

    for bad, told in (("high", "must be a number, got 'high'"), (float("inf"), "finite number")):
        changed = [{**row, "end_measured.margin": bad} for row in rows]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(making, "OWN_MEASURES", ("none",))
            schema.write(STUDY / "records.parquet", changed, study_id=study_id)
        assert lttune(["report", "results/looked"]) == 74
        said = capsys.readouterr().err
        assert "records.parquet: end_measured.margin must be a" in said
        assert told in said


def test_measurements_of_a_strangers_sheet_are_no_way_to_run_code(copy, capsys):
    sheet = read_object(STUDY / "study.json")
    sheet["lottery"]["train"]["measure"] = ["./look.py:look", "os:system"]
    write_object(STUDY / "study.json", sheet)
    (copy / "look.py").write_text("open('ran', 'w').close()\n")
    assert lttune(["doctor", "results/looked", "--repair"]) in (0, 74)
    assert run_parts(copy, "--name", "mine", "--from", "results/looked")[0] == 2
    assert lttune(["export", "results/looked", "--level", "1", "--weights", "start"]) != 0
    assert not (copy / "ran").exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", ["cell.computed:4:kill", "cell.flushed:3:kill"])
def test_a_measured_study_that_was_killed_says_the_same(fault, tmp_path):
    (tmp_path / "measures.py").write_text(SEEN)
    measure = f"{tmp_path / 'measures.py'}:seen"
    flags = (*micro_study.FLAGS, "--phases", "anchor", "--lottery.train.measure", measure)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert micro_study.run(whole, flags=flags) == 0
    assert micro_study.run(killed, fault, flags) == -9
    assert micro_study.run(killed, flags=flags) == 0
    told = micro_study.told(killed)
    assert told == micro_study.told(whole)
    assert all(row["measured.accuracy"] is not None for row in told["records"])
