"""Studies with parts of one's own: what is trained, recorded, shown, read again."""

from __future__ import annotations

import contextlib
import math
import runpy
from pathlib import Path

import pytest
import torch
from own_parts import assert_refused, run_parts
from sealed_cells import sealed_cells
from sklearn.datasets import load_digits

from lttune.__main__ import main as lttune
from lttune.exchange.tickets import Place, find_network
from lttune.records.own import parts
from lttune.records.schema import read
from lttune.store.sealed import read_object, write_object

STUDY = Path("results/parts")


@pytest.mark.slow
def test_the_pages_test_passes(parts_copy):
    made = runpy.run_path("test_mine.py")
    made["test_score"]()
    made["test_rate"]()
    made["test_pictures"]()
    made["test_other_units"]()


def test_the_pages_schedule_falls_from_the_rate_to_a_hundredth_of_it(parts_copy):
    rate = runpy.run_path("mine.py")["rate"]
    train = type("Train", (), {"lr": 0.5, "steps": 100})
    assert rate(train, 0) == pytest.approx(0.5)
    assert rate(train, 50) == pytest.approx(0.5 * 0.505)
    assert rate(train, 100) == pytest.approx(0.005)


def test_the_lowest_of_the_functions_scores_went(parts_home):
    """Of all layers at once, counted and scored here by what the function says in words."""
    with contextlib.chdir(parts_home):
        networks = [find_network(Place(study=STUDY, level=level)) for level in range(3)]
        weights = [network.weights("trained")[0] for network in networks]
        masks = [network.mask for network in networks]
    for level in (0, 1):
        before, after = masks[level], masks[level + 1]
        sizes = {name: weights[level][name].abs() for name in before}
        score = torch.cat([(s / s[before[n]].mean())[before[n]] for n, s in sizes.items()])
        kept = torch.cat([after[name][before[name]] for name in before])
        assert int((~kept).sum()) == math.floor(0.3 * len(kept))
        assert score[~kept].max() <= score[kept].min()


def test_records_name_the_parts_and_report_is_written(parts_home):
    rows = read(parts_home / STUDY / "records.parquet")
    assert len(rows) == 2 * (3 + 2 * 3)
    assert {row["prune.criterion"] for row in rows} == {"./mine.py:score"}
    assert {row["train.schedule"] for row in rows} == {"./mine.py:rate"}
    assert {row["data.name"] for row in rows} == {"./mine.py:pictures"}
    dense = [row["test_accuracy"] for row in rows if row["level"] == 0]
    assert min(dense) > 0.5
    page = (parts_home / STUDY / "report.html").read_text()
    assert "make better tickets over all layers" in page
    sheet = read_object(parts_home / STUDY / "study.json")
    assert [(one["field"], one["name"]) for one in sheet["own"]] == [
        ("prune.criterion", "./mine.py:score"),
        ("train.schedule", "./mine.py:rate"),
        ("data.name", "./mine.py:pictures"),
        ("controls", "./mine.py:other_units"),
    ]
    assert len({one["source"] for one in sheet["own"]}) == 4
    assert sheet["dataset"]["classes"] == 8
    numbers = [sheet["dataset"][part] for part in ("train", "validation", "test")]
    digits = load_digits().target
    assert sum(numbers) == (digits < 8).sum()


@pytest.mark.parametrize(
    "words",
    [
        ["report", "results/parts"],
        ["export", "results/parts", "--csv"],
        ["export", "results/parts", "--level", "2"],
        ["export", "results/parts", "--level", "2", "--weights", "start"],
        ["export", "results/parts", "--level", "2", "--branch", "mine.other_units"],
        ["masks", "results/parts:0/0/2", "results/parts:1/1/2"],
        ["masks", "results/parts:0/0/2", "results/parts:0/0/2/mine.other_units"],
        ["doctor", "results/parts"],
        ["doctor", "results/parts", "--repair"],
    ],
)
def test_no_command_that_reads_a_study_runs_the_code_that_it_names(parts_copy, words):
    (parts_copy / "mine.py").write_text("open('ran', 'w').close()\n")
    before = read(STUDY / "records.parquet")
    if "--repair" in words:
        (STUDY / "records.parquet").unlink()
    assert lttune(words) == 0
    assert not (parts_copy / "ran").exists()
    # Pictures are those that the study keeps.
    assert {part.code for part in parts.KNOWN_PARTS.values()} <= {None}
    if "--repair" in words:
        after = read(STUDY / "records.parquet")
        names = before[0].keys() - {"reused"}
        assert [[r[n] for n in names] for r in after] == [[r[n] for n in names] for r in before]


def test_a_control_that_scores_anew_waits_for_the_study_to_be_run(parts_copy, capsys):
    flags = ("--name", "anew", "--controls", "one_shot", "--replicates", "1")
    assert run_parts(parts_copy, *flags)[0] == 0
    forget_and_lose(parts_copy / "results/anew")
    assert lttune(["doctor", "results/anew", "--repair"]) != 0
    said = capsys.readouterr()
    assert "this needs the code of './mine.py:score', which no command takes" in said.out + said.err
    assert run_parts(parts_copy, *flags)[0] == 0
    assert len(read(parts_copy / "results/anew/records.parquet")) == 3 + 2


def forget_and_lose(study):
    """Has a study without its table, and its parts without their code."""
    parts.KNOWN_PARTS.clear()
    (study / "records.parquet").unlink()


def test_what_trains_needs_the_schedule_from_the_user_and_the_right_one(parts_copy, capsys):
    words = ["transfer", "results/parts", "--levels", "1", "--lr", "0.001", "--replicates", "1"]
    text = (parts_copy / "mine.py").read_text()
    (parts_copy / "other.py").write_text(f"{text}\n")
    for more, code, told in (
        ([], 74, "train.schedule: this needs the code of './mine.py:rate'"),
        (["--schedule", "other.py:rate"], 2, "--schedule must be the study's ./mine.py:rate, got"),
        (["--schedule", "none.py:rate"], 2, "train.schedule: none.py:rate cannot be imported"),
    ):
        assert lttune([*words, *more]) == code
        said = capsys.readouterr().err
        assert said.startswith(f"lttune: error: {told}")
        assert said.count("\n") == 1
    (parts_copy / "mine.py").rename(parts_copy / "moved.py")
    assert lttune([*words, "--schedule", "moved.py:rate"]) == 0
    assert len(read(STUDY / "transfer.parquet")) == 1 + 3


def test_a_study_that_is_run_again_trains_nothing_wherever_its_file_is(parts_copy):
    before = sealed_cells(parts_copy / "results/cells")
    (parts_copy / "elsewhere").mkdir()
    (parts_copy / "mine.py").rename(parts_copy / "elsewhere/moved.py")
    flags = ["--lottery.prune.criterion", "elsewhere/moved.py:score"]
    flags += ["--lottery.train.schedule", "elsewhere/moved.py:rate", "--name", "again"]
    flags += ["--lottery.data.name", "elsewhere/moved.py:pictures"]
    flags += ["--controls", "reinit", "random", "elsewhere/moved.py:other_units"]
    code, said = run_parts(parts_copy, *flags)
    assert code == 0, said
    assert sealed_cells(parts_copy / "results/cells") == before
    assert all(row["reused"] for row in read(parts_copy / "results/again/records.parquet"))


def test_changed_code_is_another_study_that_trains_anew(parts_copy):
    text = (parts_copy / "mine.py").read_text()
    (parts_copy / "mine.py").write_text(text.replace(".abs()", ".square()"))
    code, told = run_parts(parts_copy)
    assert code == 3
    assert "(source of ./mine.py:other_units: " in told
    assert "; source of ./mine.py:rate: " in told
    assert "; source of ./mine.py:score: " in told
    # The pictures are what they were.
    assert "pictures" not in told
    assert told.count("\n") == 1
    assert run_parts(parts_copy, "--name", "squares", "--replicates", "1")[0] == 0
    assert not any(row["reused"] for row in read(parts_copy / "results/squares/records.parquet"))


def test_a_changed_criterion_alone_keeps_the_dense_networks(parts_copy):
    text = (parts_copy / "mine.py").read_text()
    (parts_copy / "other.py").write_text(text.replace(".abs()", ".square()"))
    flags = ("--name", "one", "--replicates", "1", "--lottery.prune.criterion", "other.py:score")
    assert run_parts(parts_copy, *flags)[0] == 0
    rows = read(parts_copy / "results/one/records.parquet")
    assert {row["level"] for row in rows if row["reused"]} == {0}
    assert {row["level"] for row in rows if not row["reused"]} == {1, 2}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def score(evidence): return 3", "must return a score of each weight by its tensor's"),
        ("def score(evidence): return {}", "must score the tensors fc1.weight, fc2.weight, out."),
        ("def score(evidence): return evidence.nothing", "cannot be used: AttributeError: "),
        (
            "def score(evidence): return {n: k.sum() for n, k in evidence.mask.items()}",
            "must score every weight of fc1.weight, (20, 64), got ()",
        ),
        (
            "def score(evidence): return {n: 0 * k / 0 for n, k in evidence.mask.items()}",
            "must score every weight by a finite number, got another one in fc1.weight",
        ),
        (
            "def score(evidence): return {n: 3 for n in evidence.mask}",
            "must score fc1.weight by a tensor of real numbers, got 3",
        ),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_a_criterion_that_does_not_fit_is_one_line_before_anything_starts(parts_copy, source, told):
    assert_refused(parts_copy, "--lottery.prune.criterion", "score", source, told)


@pytest.mark.parametrize(
    ("source", "flags", "told"),
    [
        ("def rate(train, step): return -1", (), "must return a finite number >= 0 at step 0, "),
        ("def rate(train, step): return 1 / (59 - step)", (), "cannot be used: ZeroDivisionError"),
        ("def rate(train, step): return str(step)", (), "must return a finite number >= 0 at "),
        ("def rate(train): return 1", (), "cannot be used: TypeError: rate() takes 1 positional"),
        (
            "import random\ndef rate(train, step): return random.random()",
            (),
            "must return the same rate whenever it is asked for step 0",
        ),
        (
            "def rate(train, step): return float(step < 59)",
            ("--controls", "finetune"),
            "must end above 0 where training goes on at its last rate",
        ),
    ],
)
def test_a_schedule_that_does_not_fit_is_one_line_before_anything_starts(
    parts_copy, source, flags, told
):
    assert_refused(parts_copy, "--lottery.train.schedule", "rate", source, told, *flags)


@pytest.mark.parametrize("own", [3, [3], [{"field": "prune.criterion", "name": "x.py:f"}]])
def test_a_strangers_sheet_of_parts_is_one_line(parts_copy, capsys, own):
    sheet = read_object(STUDY / "study.json")
    write_object(STUDY / "study.json", sheet | {"own": own})
    assert lttune(["export", "results/parts", "--level", "1"]) == 74
    said = capsys.readouterr().err
    told = "own must be a list of objects with a field, a name and a source, got "
    assert told in said
    assert said.count("\n") == 1
