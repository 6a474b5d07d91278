"""Studies of all phases on digits: warm start, random control, confirmation, two numbers, ASHA."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import digits_study
import pytest
from digits_study import LOTTERY, SMOKE, STUDY
from one_process import one_process
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lttune.config.design import Categorical, Factor, Uniform, space_filling
from lttune.records.objectives import ObjectiveConfig
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.study.conductor import Conductor
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.study.phases.confirmation import FRESH
from lttune.study.search.proposals import STARTUP, Proposals
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DESIGN = space_filling(
    [
        Factor(path="train.lr", distribution=Categorical(choices=(0.01, 0.003))),
        Factor(path="prune.fractions.fc1", distribution=Uniform(low=0.2, high=0.6)),
    ],
    points=4,
    seed=1,
    repeats=1,
    repetitions=2,
)
PHASES = ("anchor", "design", "search", "random", "confirm")


class NotedStudy:
    """Where a study is, and how it went."""

    def __init__(self, root: Path, address: str) -> None:
        self.root, self.folder, self.address = root, root / "out" / "digits", address
        self.events: list[tuple[str, int, str, int]] = []
        self.pids: set[int] = set()

    def run(self, config: StudyConfig, study: Study = STUDY, *flags: str) -> int:
        """Runs a study; notes (event, trial, phase, trials that run) of every start and end."""
        started, level, ended = Conductor.started, Conductor.level, Conductor.ended

        def on_start(conductor: Conductor, trial: Any) -> None:
            count = conductor._ledger.count("running")
            self.events.append(("start", trial.number, trial.phase, count))
            started(conductor, trial)

        def on_level(conductor: Conductor, trial: Any, report: Any) -> None:
            self.pids.add(report["pid"])
            level(conductor, trial, report)

        def on_end(conductor: Conductor, trial: Any) -> None:
            self.events.append(("end", trial.number, trial.phase, 0))
            ended(conductor, trial)

        study = replace(study, scales={"smoke": config, "paper": config})
        uri = f"sqlite:///{self.root}/out/mlflow.db"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Conductor, "started", on_start)
            patch.setattr(Conductor, "level", on_level)
            patch.setattr(Conductor, "ended", on_end)
            where = ["--out", str(self.root / "out"), "--tracking-uri", uri]
            return main(study, digits_study.report, "", [*where, "--address", self.address, *flags])

    def trials(self, phase: str) -> list[dict[str, Any]]:
        every = read_json(self.folder / "trials.json")["trials"]
        return [trial for trial in every if trial["phase"] == phase]

    def rows(self, phase: str) -> list[dict[str, Any]]:
        return [r for r in read(self.folder / "records.parquet") if r["phase"] == phase]


@pytest.fixture(scope="module")
def learned() -> list[int]:
    """How many points the sampler knew at each proposal."""
    return []


@pytest.fixture(scope="module")
def waited() -> list[tuple[str, ...]]:
    """The phases that a free core had to wait for, whenever one had."""
    return []


WHOLE = replace(SMOKE, phases=PHASES, trials=3, replicates=1, controls=(), confirm_replicates=2)
DESIGNED = replace(STUDY, points={"smoke": {"design": DESIGN}})


@pytest.fixture(scope="module")
def whole(tmp_path_factory, ray_address, learned, waited) -> NotedStudy:
    """A study of all phases, two trials at once."""
    place = NotedStudy(tmp_path_factory.mktemp("whole"), ray_address)
    know, suggest = Proposals._know, StudySearcher.suggest

    def counted(self: Proposals, *args: Any) -> None:
        know(self, *args)
        learned.append(sum(t.state.is_finished() for t in self.study.trials))

    def watched(self: StudySearcher, trial_id: str) -> Any:
        config = suggest(self, trial_id)
        if config is None:
            waited.append(tuple(p for p in PHASES[:-1] if self.ledger.pending(p)))
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Proposals, "_know", counted)
        patch.setattr(StudySearcher, "suggest", watched)
        assert place.run(WHOLE, DESIGNED, "--scale", "smoke") == 0
    return place


def best(trials: list[dict[str, Any]]) -> dict[str, Any]:
    return max(trials, key=lambda trial: trial["objective"])


def test_every_phase_has_its_trials(whole):
    assert [len(whole.trials(phase)) for phase in PHASES] == [1, 5, 3, 3, 6]
    ledger = read_json(whole.folder / "trials.json")
    assert list(ledger["planned"]) == list(PHASES)
    assert {trial["state"] for trial in ledger["trials"]} == {"complete"}
    assert all(trial["values"] == [trial["objective"]] for trial in ledger["trials"])


def test_the_search_starts_with_the_whole_design_known(whole, learned):
    # The base configuration (prune.fractions.fc1 0.4 by default) is no point of the space: its
    # fractions name only the output. Four points of the design are, one of them trained twice.
    assert learned[0] == 4 >= STARTUP
    assert len(learned) == 3
    ends = [i for i, event in enumerate(whole.events) if event[::2] == ("end", "design")]
    first = next(i for i, event in enumerate(whole.events) if event[::2] == ("start", "search"))
    assert max(ends) < first


def test_no_core_waits_but_before_the_confirmation(whole, waited):
    # While the search waits for the design, the control is trained, as long as there is some left.
    assert not any("anchor" in pending for pending in waited)
    assert not any({"design", "random"} <= {*pending} for pending in waited)
    # Nor is a worker started anew at a border: there are at most as many as trials at once. On a
    # busy machine the second may come up when all is done.
    assert len(whole.pids) <= 2


def test_the_control_ends_where_the_search_does_and_has_points_of_its_own(whole):
    points = [tuple(t["hparams"].values()) for t in whole.trials("search") + whole.trials("random")]
    assert len(set(points)) == 6
    for phase in ("search", "random"):
        for row in whole.rows(phase):
            assert row["min_density"] == SMOKE.objective.density


def test_the_winners_are_confirmed_on_fresh_replicates_in_full_depth(whole):
    confirmed = whole.trials("confirm")
    expected = []
    for replicate in (FRESH, FRESH + 1):
        for phase in ("search", "random"):
            winner = best(whole.trials(phase))
            label = f"{phase} trial {winner['number']} replicate={replicate}"
            expected.append((label, winner["hparams"], "fresh", [replicate]))
        expected.append((f"base replicate={replicate}", {}, "paper", [replicate]))
    assert [(t["label"], t["hparams"], t["role"], t["replicates"]) for t in confirmed] == expected
    rows = whole.rows("confirm")
    assert {row["branch"] for row in rows} == {"trunk"}
    levels = {
        t["number"]: [r["level"] for r in rows if r["trial"] == t["number"]] for t in confirmed
    }
    assert set(map(tuple, levels.values())) == {(0, 1, 2)}
    used = {r for phase in PHASES[:-1] for t in whole.trials(phase) for r in t["replicates"]}
    assert used.isdisjoint({FRESH, FRESH + 1})


def test_a_search_that_grows_confirms_its_new_winner_beside_the_old(whole):
    before, known = whole.trials("confirm"), best(whole.trials("search"))
    whole.events.clear()
    more = replace(WHOLE, trials=5, max_concurrent=1)
    assert whole.run(more, DESIGNED, "--scale", "smoke") == 0
    assert [len(whole.trials(phase)) for phase in ("search", "random")] == [5, 5]
    after = whole.trials("confirm")
    assert after[: len(before)] == before
    fresh = {t["label"].rpartition(" ")[0] for t in after[len(before) :]}
    winners = {f"{p} trial {best(whole.trials(p))['number']}" for p in ("search", "random")}
    assert fresh == winners - {t["label"].rpartition(" ")[0] for t in before}
    assert {event[2] for event in whole.events} <= {"search", "random", "confirm"}
    assert known["objective"] <= best(whole.trials("search"))["objective"]
    # Finished: nothing is started again.
    whole.events.clear()
    assert whole.run(more, DESIGNED, "--scale", "smoke") == 0
    assert whole.events == []


def test_two_numbers_have_a_front_that_is_confirmed(tmp_path, ray_address, capsys):
    place = NotedStudy(tmp_path, ray_address)
    config = replace(
        SMOKE,
        phases=("search", "confirm"),
        sampler="gp",
        trials=7,
        confirm_replicates=1,
        objective=ObjectiveConfig(name="pareto", margin=0.02),
        max_concurrent=1,
    )
    with one_process():
        assert place.run(config) == 0
    sheet = read_json(place.folder / "study.json")["objective"]
    assert sheet["directions"] == ["maximize", "minimize"]
    assert len(sheet["texts"]) == 2
    search = place.trials("search")
    for trial in search:
        accuracy, density = trial["values"]
        assert trial["objective"] == accuracy
        assert 0.5 < accuracy <= 1
        assert 0 < density <= 1
    # Independently of lttune.records.best: whoever no other beats.
    best_ones = {
        tuple(t["values"])
        for t in search
        if not any(
            o["values"][0] >= t["values"][0]
            and o["values"][1] <= t["values"][1]
            and o["values"] != t["values"]
            for o in search
        )
    }
    labels = {trial["label"] for trial in place.trials("confirm")}
    assert len(labels) == min(len(best_ones), 3) + 1
    assert "Pareto front" in capsys.readouterr().out


def test_halving_stops_trials_of_the_search_only(tmp_path, ray_address):
    place = NotedStudy(tmp_path, ray_address)
    lottery = LOTTERY.override({"levels": 5, "prune.fraction": 0.2, "prune.fractions": {}})
    config = replace(
        SMOKE,
        asha=True,
        phases=("anchor", "search", "random"),
        sampler="random",
        trials=6,
        replicates=1,
        controls=(),
        objective=ObjectiveConfig(density=0.35),
        lottery=lottery,
        max_concurrent=1,
    )
    space = {"train.lr": FloatDistribution(1e-4, 1e-2, log=True)}
    study = replace(STUDY, space=space)
    assert place.run(config, study) == 0
    states = {p: [t["state"] for t in place.trials(p)] for p in ("anchor", "search", "random")}
    assert set(states["anchor"] + states["random"]) == {"complete"}
    assert set(states["search"]) == {"complete", "stopped"}
    stopped = [t for t in place.trials("search") if t["state"] == "stopped"]
    assert all(t["objective"] is None and t["values"] is None for t in stopped)
    lengths = {t["number"]: 0 for t in place.trials("search")}
    for row in place.rows("search"):
        lengths[row["trial"]] += 1
    whole = {n for n, length in lengths.items() if length == max(lengths.values())}
    assert {t["number"] for t in stopped} == lengths.keys() - whole
    before = place.rows("search")
    place.events.clear()
    assert place.run(config, study) == 0
    assert (place.events, place.rows("search")) == ([], before)


def test_optional_factors_are_searched(tmp_path, ray_address, capsys):
    space = {
        "train.lr": FloatDistribution(1e-3, 1e-2, log=True),
        "train.batch_size": IntDistribution(20, 80, log=True),
        "train.optimizer": CategoricalDistribution(["sgd", "momentum", "adam", "adamw"]),
        "train.momentum": FloatDistribution(0.5, 0.95),
        "train.weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        "train.warmup_steps": IntDistribution(0, 20),
        "model.name": CategoricalDistribution(["lenet-20-10", "lenet-30-15"]),
        "model.init_std": FloatDistribution(0.03, 0.3, log=True),
        "prune.fractions.fc1": FloatDistribution(0.2, 0.6),
    }
    place = NotedStudy(tmp_path, ray_address)
    lottery = LOTTERY.override({"model.init": "normal", "model.init_std": 0.1})
    config = replace(
        SMOKE, phases=("search",), trials=STARTUP + 3, lottery=lottery, max_concurrent=1
    )
    with one_process():
        assert place.run(config, replace(STUDY, space=space)) == 0
    assert "engine: sparse" in capsys.readouterr().out
    trials = place.trials("search")
    assert {trial["state"] for trial in trials} == {"complete"}
    for row in place.rows("search"):
        hparams = trials[row["trial"]]["hparams"]
        assert hparams.keys() == space.keys()
        assert {path: row[path] for path in space} == hparams
