"""A whole study of a length in epochs, whose search varies the batch size."""

from __future__ import annotations

import dataclasses

import pytest
from digits_place import StudyPlace, lasting
from digits_study import STUDY
from one_process import one_process
from optuna.distributions import CategoricalDistribution
from torch.utils.data import DataLoader

from analysis import load
from analysis.report.answer import scale_line
from analysis.tables.same_setting import proxy_table
from lttune.exchange.health.repair import repair
from lttune.exchange.studies import Folder
from lttune.records import schema
from lttune.store.plain_json import read_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

EPOCHS = ("--lottery.train.epochs", "2", "--lottery.train.eval-every", "5")
FLAGS = (*EPOCHS, "--trials", "2", "--replicates", "1", "--controls", "reinit")
SEARCHED = dataclasses.replace(
    STUDY, space={"train.batch_size": CategoricalDistribution([100, 150, 240])}
)


def run(place: StudyPlace, *flags: str) -> StudyPlace:
    with one_process():
        return place.run(*flags, "--max-concurrent", "1", study=SEARCHED)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> StudyPlace:
    return run(StudyPlace(tmp_path_factory.mktemp("epochs")), *FLAGS)


def test_each_trial_of_a_search_trains_the_steps_of_its_batches(done):
    assert done.exit_code == 0, done.printed
    assert "train.epochs 2: 40 steps, 20 an epoch" in done.printed.splitlines()
    rows, trials = done.rows(), done.trials()
    batches = [trial["hparams"].get("train.batch_size", 60) for trial in trials]
    assert len(set(batches)) > 1
    for trial, batch in zip(trials, batches, strict=True):
        mine = [row for row in rows if row["trial"] == trial["number"]]
        assert {row["train.epochs"] for row in mine} == {2.0}
        assert {row["train.steps"] for row in mine} == {2 * len(DataLoader(range(1200), batch))}
        assert {row["steps_trained"] for row in mine} == {2 * len(DataLoader(range(1200), batch))}


def test_the_sheet_says_both_and_the_same_flags_go_on_without_training(done, tmp_path):
    written = read_json(done.folder / "study.json")
    assert (written["lottery"]["train"]["epochs"], written["lottery"]["train"]["steps"]) == (2, 40)
    mine = done.copy(tmp_path)
    before = mine.cells()
    assert run(mine, *FLAGS).exit_code == 0, mine.printed
    assert mine.cells() == before
    code = run(mine, *FLAGS, "--lottery.train.epochs", "3").exit_code
    assert code == 3, "another length is another study"
    assert "lottery.train.epochs: 2.0 -> 3.0" in mine.printed


def test_the_same_length_in_steps_is_the_same_networks(done, tmp_path):
    mine = done.copy(tmp_path)
    before = set(mine.cells())
    flags = ("--name", "plain", "--lottery.train.steps", "40", "--lottery.train.eval-every", "5")
    more = ("--phases", "anchor", "--replicates", "1", "--controls", "reinit")
    assert run(mine, *flags, *more).exit_code == 0, mine.printed
    assert set(mine.cells()) == before
    rows = schema.read(mine.root / "out" / "plain" / "records.parquet")
    assert {row["train.epochs"] for row in rows} == {None}


def test_who_reads_it_is_told_what_is_known(done):
    study = load(done.folder)
    assert scale_line(study).startswith("digits, 2 epochs (40 steps) per level, 1 anchor")
    # Other batches are other steps, and no other length.
    assert proxy_table(study).empty
    for number, shown in done.runs().items():
        batch = {} if number is None else done.trials()[number]["hparams"]
        assert shown.data.params["train.epochs"] == "2.0"
        assert shown.data.params.get("train.steps") == (None if batch else "40")
    exported = Folder.read(done.folder)
    for trial in exported.trials:
        values = exported.values(trial)
        assert values["train.epochs"] == 2
        assert values.get("train.steps") == (None if trial.hparams else 40)


def test_its_tables_are_made_anew(done, tmp_path):
    mine = done.copy(tmp_path)
    before = lasting(mine.rows())
    (mine.folder / "records.parquet").unlink()
    assert repair(mine.folder) == (3, [])
    assert lasting(mine.rows()) == before
