"""A row of the table of phases is a phase: nothing else has to know its name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from digits_study import LOTTERY, SMOKE, STUDY
from searching import LR, ledger, play, report, searcher

from lttune.config.design import Point
from lttune.config.phase import PHASES, Phase
from lttune.data import load
from lttune.errors import ConfigError
from lttune.records.ledger import Ledger
from lttune.study.phases.estimate import Pace, plan
from lttune.study.phases.planned import phase_config, plan_trials, work

DATASETS = {"digits": load("digits")}
PACE = Pace(densities=(0.1, 1.0), step_s=(0.001, 0.01), evaluation_s=(0.5, 0.5))
POINT = Point(hparams={"train.lr": 0.02}, replicates=(0, 1), role="sweep", label="lr=0.02")


@pytest.fixture
def added(monkeypatch):
    """Adds a row to the table, and returns its name."""

    def add(**values: Any) -> str:
        row = Phase(**{"name": "again", "told": "once more"} | values)
        monkeypatch.setitem(PHASES, row.name, row)
        return row.name

    return add


def test_a_row_of_declared_points_is_planned_counted_and_confirmed(added, tmp_path):
    name = added(origin="declared", ends_with_objective=True, best_of="phase")
    deep = LOTTERY.override({"levels": 4})
    config = dataclasses.replace(
        SMOKE, phases=(name, "confirm"), confirm_replicates=1, lottery=deep
    )
    study = dataclasses.replace(STUDY, points={"smoke": {name: [POINT]}})
    book = Ledger(path=tmp_path / "trials.json")
    plan_trials(book, config, study)
    assert [trial.label for trial in book.trials] == ["lr=0.02 replicate=0", "lr=0.02 replicate=1"]
    assert book.planned == {name: 2, "confirm": 2}
    costs = {cost.phase: cost for cost in plan(config, study, DATASETS, PACE)}
    # Levels 0 to 2 reach the density that the objective reads; a confirmation goes on.
    levels = work(config, study, DATASETS)
    assert (costs[name].trials, costs[name].networks, levels[name]) == (2, 6, 3)
    assert (costs["confirm"].trials, levels["confirm"]) == (2, 5)
    assert phase_config(name, config.lottery, config.objective).min_density > 0
    for trial in book.trials:
        trial.state, trial.values = "complete", [0.5]
    plan_trials(book, config, study)
    assert [t.label for t in book.of("confirm")] == [
        f"{name} trial 0 replicate=100000",
        "base replicate=100000",
    ]


def test_a_row_of_drawn_points_is_drawn(added, tmp_path):
    name = added(origin="drawn")
    book = ledger(tmp_path, search=0)
    book.planned = {name: 2}
    search = searcher(book, space=LR)
    assert [search.suggest(ray)["phase"] for ray in "ab"] == [name, name]
    assert len({trial.label for trial in book.trials}) == 2


def test_a_row_that_is_awaited_holds_the_search_back(added, tmp_path):
    name = added(origin="declared", is_learned_from=True)
    book = ledger(tmp_path, search=1)
    book.add(name, "lr=0.02", {"train.lr": 0.02}, [0], [])
    book.planned[name] = 1
    search = searcher(book, space=LR)
    assert search.suggest("a")["phase"] == name
    assert search.suggest("b") is None
    search.on_trial_complete("a", report(2, values=[0.5]))
    book.trials[0].state, book.trials[0].values = "complete", [0.5]
    assert search.suggest("c")["phase"] == "search"
    assert len(search.proposals.study.trials) == 2


def test_points_of_a_scale_or_a_phase_that_takes_none_are_refused():
    phases = r"^phase of points\['smoke'\] must be one of design, sweep, tune; got "
    scales = "^scale of points must be one of paper, smoke; got 'smok'; did you mean 'smoke'\\?$"
    for points, text in (
        ({"smoke": {"search": [POINT]}}, f"{phases}'search'$"),
        ({"smoke": {"swep": [POINT]}}, f"{phases}'swep'; did you mean 'sweep'\\?$"),
        ({"smok": {"sweep": [POINT]}}, scales),
        ({"smok": {}}, scales),
        ({"smoke": {3: []}}, f"{phases}3$"),
    ):
        with pytest.raises(ConfigError, match=text):
            dataclasses.replace(STUDY, points=points)


def test_a_phase_without_a_single_point_is_refused():
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": []}})
    with pytest.raises(ConfigError, match="without 'sweep': the study declares none"):
        study.points_of(dataclasses.replace(SMOKE, phases=("sweep",)))


def test_two_rows_of_winners_train_each_on_replicates_of_its_own(added, tmp_path):
    name = added(origin="winners")
    config = dataclasses.replace(SMOKE, phases=("search", "confirm", name), confirm_replicates=2)
    book = Ledger(path=tmp_path / "trials.json")
    plan_trials(book, config, STUDY)
    assert book.planned == {"search": config.trials, "confirm": 4, name: 4}
    book.planned["search"] = 1
    search = searcher(book, space=LR, replicates=1)
    assert search.suggest("a")["phase"] == "search"
    assert search.suggest("not yet") is None
    play(search, book, "a", objective=0.5)
    asked = [search.suggest(f"{n}") for n in range(8)]
    for trial in book.trials:
        trial.state = "complete"
    assert search.suggest("no more") == "FINISHED"
    assert [(one["phase"], one["replicates"]) for one in asked] == [
        (phase, [100_000 + replicate])
        for phase, replicates in (("confirm", (0, 1)), (name, (2, 3)))
        for replicate in replicates
        for _ in ("search trial 0", "base")
    ]
    for trial in book.trials:
        trial.state, trial.values = "complete", [0.5]
    # Run again for a replicate more, both have what they lack, and nobody is trained twice.
    plan_trials(book, dataclasses.replace(config, trials=1, confirm_replicates=3), STUDY)
    assert book.planned == {"search": 1, "confirm": 6, name: 6}
    assert [(t.phase, t.replicates) for t in book.trials[9:]] == [
        *[("confirm", [100_004])] * 2,
        *[(name, [100_005])] * 2,
    ]
