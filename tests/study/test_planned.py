"""Which trials a study plans before it begins, and again when it grows."""

import contextlib
from dataclasses import replace

import pytest
from digits_study import LOTTERY, SMOKE, STUDY

from lttune.config.design import Point
from lttune.data import load
from lttune.errors import StorageError
from lttune.records.ledger import Ledger
from lttune.records.objectives import ObjectiveConfig
from lttune.study.phases import planned
from lttune.study.phases.planned import phase_config, plan_trials, require_trials
from lttune.trajectory import lab

POINTS = [
    Point(hparams={"train.lr": lr}, replicates=replicates, role="sweep", label=f"lr={lr:g}")
    for lr, replicates in ((0.01, (0, 1)), (0.003, (0, 1, 2)))
]
SWEPT = replace(STUDY, points={"smoke": {"sweep": POINTS}})


def names(ledger, phase):
    return [trial.label for trial in ledger.of(phase)]


def test_points_are_planned_replicate_by_replicate(tmp_path):
    ledger = Ledger(path=tmp_path / "trials.json")
    config = replace(SMOKE, phases=("sweep",))
    for _ in range(2):  # The second time nothing is missing.
        plan_trials(ledger, config, SWEPT)
        assert names(ledger, "sweep") == [
            "lr=0.01 replicate=0",
            "lr=0.003 replicate=0",
            "lr=0.01 replicate=1",
            "lr=0.003 replicate=1",
            "lr=0.003 replicate=2",
        ]
    assert ledger.planned == {"sweep": 5}


def test_a_study_that_grows_keeps_its_anchors_and_gets_the_missing_ones(tmp_path):
    ledger = Ledger(path=tmp_path / "trials.json")
    for count, expected in ((2, 2), (3, 3), (1, 3)):
        plan_trials(ledger, replace(SMOKE, phases=("anchor",), replicates=count), STUDY)
        assert [trial.replicates for trial in ledger.of("anchor")] == [[0], [1], [2]][:expected]
    assert ledger.planned["anchor"] == 3
    assert all(trial.controls == list(SMOKE.controls) for trial in ledger.trials)


def test_what_is_proposed_is_counted_and_never_less_than_there_is(tmp_path):
    ledger = Ledger(path=tmp_path / "trials.json")
    config = replace(SMOKE, phases=("search", "random", "confirm"), confirm_replicates=2)
    plan_trials(ledger, config, STUDY)
    # Two replicates of the best of each, and of the base configuration.
    assert ledger.planned == {"search": 4, "random": 4, "confirm": 6}
    for _ in range(5):
        ledger.add("search", "", {}, [0], [])
    plan_trials(ledger, replace(config, trials=3), STUDY)
    assert ledger.planned["search"] == 5
    ledger.save()
    assert Ledger.open(ledger.path).planned == ledger.planned


def test_only_what_the_objective_reads_is_trained_of_what_it_chooses_among():
    target = ObjectiveConfig(density=0.3)
    for phase, floor in (("anchor", 0.0), ("confirm", 0.0), ("search", 0.3), ("random", 0.3)):
        assert phase_config(phase, LOTTERY, target).min_density == floor
    higher = LOTTERY.override({"min_density": 0.6})
    assert phase_config("search", higher, target).min_density == 0.6


@pytest.mark.parametrize(("value", "is_one"), [(-12.5, True), (1e30, True), (-2e30, False)])
def test_numbers_of_an_objective_of_ones_own_are_no_shares(tmp_path, value, is_one):
    ledger = Ledger(path=tmp_path / "trials.json")
    trial = ledger.add("anchor", "", {}, [0], [])
    trial.state, trial.values = "complete", [value]
    objective = ObjectiveConfig(name="./mine.py:part", direction="minimize")
    known = pytest.raises(StorageError) if not is_one else contextlib.nullcontext()
    with known as refused:
        require_trials(ledger.path, ledger.trials, LOTTERY, objective)
    if refused is not None:
        told = "trials[0].values must have ./mine.py:part at most 1e+30 in size, got -2e+30"
        assert str(refused.value) == f"{ledger.path}: {told}"


def test_a_network_is_not_made_for_each_trial_to_count_its_levels(tmp_path, monkeypatch):
    made = []

    def network_of(config, dataset):
        made.append(config.model)
        return lab.network_of(config, dataset)

    monkeypatch.setattr(planned, "network_of", network_of)
    depths = planned.Depths(replace(SMOKE, lottery=LOTTERY), {"digits": load("digits")})
    ledger = Ledger(path=tmp_path / "trials.json")
    for n, settings in enumerate(
        [{}, {"train.lr": 0.1}, {"levels": 0}, {"prune.exclude": ("fc1",)}, {}]
    ):
        trial = ledger.add("search", f"{n}", settings, [0], [])
        levels = settings.get("levels", LOTTERY.levels) + 1
        assert depths.share(trial, 0) == 1 / levels
    assert len(made) == 3
