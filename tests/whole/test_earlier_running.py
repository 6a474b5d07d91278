"""What a killed driver of an earlier version left is still read: journals, and a shard beside it.

``written-journaled`` is by the first version with shards: a study of ``digits_study.py`` on two
replicates that was killed in its third trial, and the first of two shards of it, which had ended.
Their networks are not kept.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import digits_study
import pytest

import analysis
from lttune.__main__ import main
from lttune.data import load
from lttune.errors import RefusedError
from lttune.records import schema
from lttune.records.ledger import Ledger
from lttune.records.tables import TABLES, Tables
from lttune.store.formats.journal import journal_of
from lttune.store.sealed import read_digested, read_object
from lttune.study.manifest import refuse_others, sheet
from lttune.study.phases.planned import plan_trials
from lttune.study.phases.shard import sheets, trained_in_shards

NAME = "written-journaled"
STATES = {"complete": 2, "running": 1, "waiting": 1}


@pytest.fixture
def out(tmp_path):
    """A copy of both folders, in which a run may write."""
    return Path(shutil.copytree(Path(__file__).parent / NAME, tmp_path / "results"))


@pytest.fixture
def study(out):
    return out / NAME


def asked(out: Path, **settings: object):
    """Settings of the study, and the sheet that they make with the numerics that it has."""
    phases = ("anchor", "random")
    flags = {"trials": 2, "replicates": 2, "controls": ("reinit",), "engine": "torch"}
    whole = dataclasses.replace(digits_study.SMOKE, name=NAME, out=out, phases=phases, **flags)
    config = dataclasses.replace(whole, **settings)
    numerics = read_object(out / NAME / "study.json")["numerics"]
    return config, sheet(config, digits_study.STUDY, load("digits"), numerics)


def test_all_that_its_journals_say_is_read(study):
    for name in ("trials.json", *TABLES):
        assert journal_of(study / name).exists()
    frame = analysis.load(study)
    assert frame.trials["state"].value_counts().to_dict() == STATES
    in_files = [one["state"] for one in read_digested(study / "trials.json")[0]["trials"]]
    assert in_files.count("complete") < STATES["complete"]
    for found, name in zip((frame.records, frame.layers), TABLES, strict=True):
        assert len(found) > len(schema.read(study / name))
        assert {*found["trial"]} == {0, 1, 2}
    assert NAME in analysis.write_report(study).read_text()


def test_it_goes_on_from_there(study):
    sheet_of = read_object(study / "study.json")
    ledger = Ledger.open(study / "trials.json", sheet_of["study_id"])
    tables = Tables(study, NAME, sheet_of["study_id"])
    tables.read(ledger)
    assert [trial.state for trial in ledger.trials] == [*2 * ["complete"], *2 * ["waiting"]]
    assert not any(trial.rebuilt for trial in ledger.trials)
    assert tables.damaged == []
    assert [*tables.reached] == [2]


def test_its_shard_is_known_as_one(out):
    config, whole = asked(out)
    refuse_others(sheets(config, whole))
    part, of_part = asked(out, name=f"{NAME}.1-of-2", shard="1/2")
    refuse_others(sheets(part, of_part))
    with pytest.raises(RefusedError, match="numerics"):
        refuse_others(sheets(part, {**of_part, "numerics": "another engine"}))
    frame = analysis.load(part.folder)
    assert frame.incomplete == "shard 1/2 of the study"
    assert [*frame.trials["state"]] == ["complete", "complete"]
    ledger = Ledger(path=out / "trials.json")
    plan_trials(ledger, config, digits_study.STUDY)
    assert trained_in_shards(config, ledger, whole) == 2


@pytest.mark.parametrize("name", [NAME, f"{NAME}.1-of-2"])
@pytest.mark.parametrize(
    "command", ["export STUDY --csv", "claims check STUDY", "claims power STUDY", "doctor STUDY"]
)
def test_every_command_reads_it(out, name, command, cwd, capsys):
    assert main(command.replace("STUDY", str(out / name)).split()) == 0
    assert capsys.readouterr().err == ""
