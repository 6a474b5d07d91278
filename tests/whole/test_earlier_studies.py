"""What an earlier version wrote is still read: cells, ledger, records, the study's sheet.

Each is a study of ``digits_study.py``: all phases that need no points, one replicate, one control,
the torch engine. ``written-by-0.1.0`` is by lttune 0.1.0 before its modules had folders,
``written-sealed`` by the first whose files carry their checksums and say which study they are of,
``written-counted`` by the first whose trials count their rows, ``written-midway`` by the first that
prunes by weights in the middle of a training.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import digits_study
import pytest

import analysis
from lttune.__main__ import main
from lttune.config import LotteryConfig, flatten, from_dict
from lttune.data import load
from lttune.errors import RefusedError
from lttune.records.ledger import Ledger, Trial
from lttune.records.objectives import objectives
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.store.store import Store
from lttune.study.manifest import continued, refuse_other, sheet
from lttune.study.phases.planned import phase_config
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

WRITTEN = ("written-by-0.1.0", "written-sealed", "written-counted", "written-midway")
OF_THIS_READING = {"reused"}
"""What a row says of the run that found its network, not of the network."""


class Recorded:
    """An engine that rounds as the one of the study did, and can train nothing."""

    def __init__(self, numerics: str) -> None:
        self.numerics = numerics

    def groups(self, members: list[Any]) -> list[list[int]]:
        return [[index] for index in range(len(members))]

    def train(self, members: list[Any]) -> list[Any]:
        raise AssertionError("a network that is in the store is trained again")


@pytest.fixture(params=WRITTEN)
def place(request, tmp_path):
    """A copy of what was written: reading takes locks beside the cells."""
    return Path(shutil.copytree(Path(__file__).parent / request.param, tmp_path / "results"))


@pytest.fixture
def written(place):
    return read_json(place / "study" / "study.json")


def base_of(written: dict[str, Any], trial: Trial) -> LotteryConfig:
    base = phase_config(trial.phase, from_dict(written["lottery"]), digits_study.SMOKE.objective)
    return base.override(trial.hparams)


def same(found: Any, expected: Any) -> bool:
    both = isinstance(found, float) and isinstance(expected, float)
    return found == expected or (both and math.isnan(found) and math.isnan(expected))


def test_every_trial_is_found_again_in_the_store(place, written):
    ledger = Ledger.open(place / "study" / "trials.json", written.get("study_id"))
    lab = Lab({"digits": load("digits")}, Recorded(written["numerics"]), Store(place / "cells"))
    records = read(place / "study" / "records.parquet")
    phases = ["anchor", "random", "search", *3 * ["confirm"]]
    assert sorted(trial.phase for trial in ledger.trials) == sorted(phases)
    for trial in ledger.trials:
        config = base_of(written, trial)
        reports = run_trial(config, trial.replicates, trial.controls, lab)
        rows = {
            (row["replicate"], row["branch"], row["level"]): row
            for report in reports
            for row in report["rows"]
        }
        mine = [row for row in records if row["trial"] == trial.number]
        assert len(mine) == len(rows)
        for row in mine:
            found = rows[row["replicate"], row["branch"], row["level"]]
            names = found.keys() - OF_THIS_READING
            # A field of the configuration that it does not know counts at its default.
            known = LotteryConfig().flat() | row
            assert {n: found[n] for n in names if not same(found[n], known[n])} == {}
        values = objectives(list(rows.values()), 10, digits_study.SMOKE.objective)
        assert values == trial.values


def test_it_can_be_continued(place, written):
    asked = dataclasses.replace(
        digits_study.SMOKE, name=written["name"], controls=("reinit",), engine="torch"
    )
    new = sheet(asked, digits_study.STUDY, load("digits"), written["numerics"])
    refuse_other(place / "study", new)
    with pytest.raises(RefusedError, match="numerics"):
        refuse_other(place / "study", {**new, "numerics": "another engine"})


def test_it_is_reported(place, written):
    frame = analysis.load(place / "study")
    assert len(frame.records) == len(read(place / "study" / "records.parquet"))
    page = analysis.write_report(place / "study").read_text()
    assert written["name"] in page


@pytest.mark.parametrize(
    "command",
    [
        "export STUDY --csv",
        "export STUDY --optuna",
        "export STUDY --deepcave",
        "export STUDY --level 1 --weights start --form compact",
        "masks STUDY:0/0/1 STUDY:1/0/1",
        "claims check STUDY",
        "claims power STUDY",
        "doctor STUDY",
    ],
)
def test_every_command_reads_it(place, cwd, capsys, command):
    assert main(command.replace("STUDY", str(place / "study")).split()) == 0
    assert capsys.readouterr().err == ""


def test_the_newest_says_all_that_a_study_says_today():
    """Else it is time for another one."""
    folder = Path(__file__).parent / WRITTEN[-1] / "study"
    trials = read_json(folder / "trials.json")["trials"]
    # It is written of a trial that is being rebuilt alone.
    assert {*trials[0], "rebuilt"} == {field.name for field in dataclasses.fields(Trial)}
    asked = dataclasses.replace(digits_study.SMOKE, engine="torch")
    today = continued(None, sheet(asked, digits_study.STUDY, load("digits"), "numerics"))
    written = read_json(folder / "study.json")
    assert written.keys() - {"schema", "seal"} == today.keys()
    assert flatten(written["lottery"]).keys() >= flatten(today["lottery"]).keys()
    assert written["config"].keys() == today["config"].keys()
