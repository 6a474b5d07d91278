"""A study of a declared design, with claims that are locked before it begins."""

from __future__ import annotations

import dataclasses

import pytest
from digits_place import StudyPlace
from digits_study import LOTTERY, SMOKE, STUDY
from one_process import one_process

from analysis import lock_claims
from lttune.config.design import Categorical, Factor, LogUniform, space_filling
from lttune.store.plain_json import read_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_the_points_of_a_design_are_trained_exactly_as_they_are(tmp_path):
    # Also those that Optuna's space does not hold; a repeated point once for each replicate.
    design = space_filling(
        [
            Factor(path="train.lr", distribution=LogUniform(low=1e-3, high=1e-1)),
            Factor(path="train.optimizer", distribution=Categorical(choices=("sgd", "adam"))),
        ],
        points=4,
        seed=1,
        paper={"train.lr": 0.01, "train.optimizer": "adam"},
        repeats=1,
        repetitions=2,
    )
    design[0] = dataclasses.replace(design[0], controls=("reinit",))
    study = dataclasses.replace(STUDY, points={"smoke": {"design": design}}, prepare=lock_claims)
    flags = ("--scale", "smoke", "--phases", "design", "anchor", "--max-concurrent", "1")
    place = StudyPlace(tmp_path)
    with one_process():
        place.run(*flags, study=study)
    assert place.exit_code == 0, place.printed
    locked = read_json(place.folder / "claims.lock.json")
    assert set(locked["n"].values()) == {SMOKE.replicates}
    assert locked["date"] <= read_json(place.folder / "study.json")["created"]
    trials = [trial for trial in place.trials() if trial["phase"] == "design"]
    wanted = [(p.hparams, [r], p.role, p.inert) for p in design for r in p.replicates]
    found = [(t["hparams"], t["replicates"], t["role"], t["inert"]) for t in trials]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted))
    rows = [row for row in place.rows() if row["phase"] == "design"]
    for trial in trials:
        mine = [row for row in rows if row["trial"] == trial["number"]]
        controls = [row["level"] for row in mine if row["branch"] == "reinit"]
        assert controls == ([1, 2] if trial["role"] == "paper" else [])
        assert len(mine) == LOTTERY.levels + 1 + len(controls)
        for row in mine:
            assert {path: row[path] for path in trial["hparams"]} == trial["hparams"]
            assert (row["role"], row["inert"]) == (trial["role"], trial["inert"])
            assert [row["replicate"]] == trial["replicates"]
    before = place.cells()
    again = place.run(*flags, study=study)
    assert (again.exit_code, place.cells()) == (0, before), again.printed
    assert read_json(place.folder / "claims.lock.json") == locked
