"""A study that is trained in shards is the study that is trained at once."""

from __future__ import annotations

import dataclasses

import digits_study
import pytest
from digits_place import StudyPlace, UntoldPlace, lasting
from digits_study import SMOKE, STUDY
from one_process import one_process
from optuna.distributions import CategoricalDistribution

from analysis import load, lock_claims
from analysis.claims import lock
from analysis.report.question.missing import lacking_design
from lttune import run
from lttune.config import phase
from lttune.config.design import Point
from lttune.data import load as load_dataset
from lttune.errors import ConfigError
from lttune.records.ledger import Ledger
from lttune.records.schema import read
from lttune.store.plain_json import read_json
from lttune.study.manifest import sheet
from lttune.study.phases.planned import plan_trials, planned_trials
from lttune.study.phases.shard import (
    in_shard,
    phases_run,
    shard_of,
    trained_in_shards,
    whole_of,
)
from lttune.study.prepared import prepared
from lttune.study.settings import StudyConfig
from lttune.study.tracking.uri import VARIABLE

KEPT = ("number", "phase", "label", "hparams", "replicates", "state", "values", "role", "error")
PHASES = ("--phases", "anchor", "search", "random", "confirm", "--trials", "3")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_shards_and_then_the_study_give_what_the_study_alone_gives(tmp_path, cwd, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    prepared = []

    def prepare(folder, replicates):
        prepared.append(folder.name)
        (folder / "fixed").touch()

    study = dataclasses.replace(STUDY, prepare=prepare)
    with one_process():
        alone = StudyPlace(tmp_path / "alone").run(*PHASES, study=study)
        place = StudyPlace(tmp_path / "parts").ready()
        cells = []
        for shard in ("2/2", "1/2"):
            part = UntoldPlace(tmp_path / "parts").run(*PHASES, "--shard", shard, study=study)
            assert part.exit_code == 0, part.printed
            assert f"this was shard {shard}: when all have ended" in part.printed
            cells.append(part.cells())
        parts = [read_json(place.root / f"out/digits.{k}-of-2/trials.json") for k in (1, 2)]
        counted = counts(place, alone)
        whole = place.run(*PHASES, study=study)
    assert (alone.exit_code, whole.exit_code) == (0, 0), whole.printed
    trials = [
        [{name: trial[name] for name in KEPT} for trial in p.trials()] for p in (alone, whole)
    ]
    assert trials[0] == trials[1]
    assert lasting(alone.rows()) == lasting(whole.rows())
    layers = [read(one.folder / "layers.parquet") for one in (alone, whole)]
    assert layers[0] == layers[1]
    # Each trial that knows of no other was in one shard, and the study trained none of it again.
    labels = [[t["phase"], t["label"]] for part in parts for t in part["trials"]]
    shared = [
        [t["phase"], t["label"]] for t in alone.trials() if t["phase"] in ("anchor", "random")
    ]
    assert sorted(labels) == sorted(shared)
    assert cells[0].items() < cells[1].items() < whole.cells().items()
    # They need no room: the study has them already.
    of_random = sum(phase == "random" for phase, _ in labels)
    assert counted == {
        "all": len(labels),
        "elsewhere": 0,
        "but one that it has": len(labels) - 1,
        "of fewer replicates": of_random + 1,
        "of fewer draws": len(labels) - of_random + 1,
        "of other phases": 0,
        "of another study": 0,
    }
    # What is fixed before results are seen was fixed for the study before the first shard's.
    assert prepared == ["digits"] * 4
    assert not whole.statuses().keys() ^ {None, *range(len(trials[0]))}


def counts(place, alone):
    """How many trials a study need not train, by what it is of the one that the shards are of."""
    settings = dataclasses.replace(SMOKE, phases=PHASES[1:5], trials=3)
    numerics = read_json(place.root / "out/digits.1-of-2/study.json")["numerics"]

    def counted(where=place, of=settings, is_begun=False):
        values = dataclasses.replace(of, out=where.root / "out")
        asked = sheet(values, STUDY, load_dataset("digits"), numerics)
        ledger = Ledger(path=place.folder / "trials.json")
        plan_trials(ledger, values, STUDY)
        if is_begun:
            ledger.trials[0].state = "complete"
        return trained_in_shards(values, ledger, asked)

    other = settings.lottery.override({"train.lr": 0.5})
    return {
        "all": counted(),
        "elsewhere": counted(alone),
        "but one that it has": counted(is_begun=True),
        "of fewer replicates": counted(of=dataclasses.replace(settings, replicates=1)),
        "of fewer draws": counted(of=dataclasses.replace(settings, trials=1)),
        "of other phases": counted(of=dataclasses.replace(settings, phases=("search",))),
        "of another study": counted(of=dataclasses.replace(settings, lottery=other)),
    }


def config(shard, **settings):
    return StudyConfig(name="x", shard=shard, **settings)


@pytest.mark.parametrize(
    ("of", "counts"), [(1, (7,)), (3, (7, 0, 5)), (5, (1, 1, 1, 9)), (40, (3, 4))]
)
def test_each_trial_is_in_one_shard_and_shards_are_as_large_as_can_be(of, counts):
    sizes, seen = [], []
    for number in range(1, of + 1):
        mine = []
        for place, count in enumerate(counts):
            found = in_shard(count, sum(counts[:place]), config(f"{number}/{of}"))
            mine += [(place, one) for one in found]
        sizes.append(len(mine))
        seen += mine
    assert sorted(seen) == [(p, i) for p, count in enumerate(counts) for i in range(count)]
    assert max(sizes) - min(sizes) <= 1
    assert in_shard(9, 4, config(None)) == range(9)


def point(label):
    return Point(label=label, hparams={}, role="design", replicates=(0,))


def test_a_phase_follows_the_one_before():
    points = {"smoke": {"design": [point(f"p{i}") for i in range(3)]}}
    study = dataclasses.replace(STUDY, points=points)
    found = {}
    for number in (1, 2):
        mine = config(f"{number}/2", scale="smoke", phases=("anchor", "design"), replicates=3)
        for name in mine.phases:
            planned = planned_trials(phase.PHASES[name], mine, study)
            found[number, name] = [trial.label for trial in planned]
    assert found == {
        (1, "anchor"): ["replicate=0", "replicate=2"],
        (2, "anchor"): ["replicate=1"],
        (1, "design"): ["p1 replicate=0"],
        (2, "design"): ["p0 replicate=0", "p2 replicate=0"],
    }


def test_a_shard_has_a_name_and_a_database_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    phases = ("anchor", "search", "random", "confirm")
    found = shard_of(config("3/16", out=tmp_path, phases=phases))
    assert (found.name, found.phases) == ("x.3-of-16", phases)
    assert phases_run(found) == ("anchor", "random")
    assert phases_run(whole_of(found)) == phases
    assert whole_of(found).name == "x"
    assert found.tracking_uri == f"sqlite:///{tmp_path}/x.3-of-16/mlflow.db"
    assert found.store == config(None, out=tmp_path).store
    server = config("3/16", tracking_uri="http://127.0.0.1:5000")
    assert shard_of(server).tracking_uri == server.tracking_uri
    # What the environment says stays there, a password in it too.
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:5000")
    assert shard_of(config("3/16")).tracking_uri is None
    whole = config(None)
    assert shard_of(whole) is whole


@pytest.mark.parametrize(
    "shard", ["", "3", "0/2", "3/2", "1/0", "01/2", "-1/2", "1/2/3", "1 / 2", 3]
)
def test_what_is_no_shard_is_refused(shard):
    with pytest.raises(ConfigError, match="shard must be"):
        config(shard)


def test_what_a_shard_cannot_have_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "sqlite:///shared.db")
    wrong = StudyConfig(name="x" * 60, shard="10/16", phases=("search", "confirm"))
    with pytest.raises(ConfigError) as refused:
        shard_of(wrong)
    assert [line.partition(", got")[0] for line in str(refused.value).splitlines()] == [
        "name must be at most 55 characters with --shard",
        "phases must be one of anchor, sweep, design, tune, random with --shard",
        f"{VARIABLE} must be a server's with --shard, or none: each shard then has a database of "
        "its own",
    ]


def test_more_shards_than_trials_are_refused(tmp_path, cwd, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    place = UntoldPlace(tmp_path).run(
        *PHASES, "--trials", "1", "--replicates", "1", "--shard", "3/4"
    )
    assert place.exit_code == 2
    assert "shard must be one of at most 2, as many as there are trials, got '3/4'" in place.printed
    assert not (tmp_path / "out").exists()


def test_shards_that_begin_at_once_lock_the_claims_once(tmp_path, monkeypatch):
    locks = []

    def late(path, locked):
        # Another shard has looked as well, and is faster.
        locks.append(locked)
        write_lock(path, locked)
        write_lock(path, locked)

    write_lock = lock.write_lock
    monkeypatch.setattr(lock, "write_lock", late)
    lock_claims(tmp_path, 3)
    first = (tmp_path / "claims.lock.json").read_bytes()
    lock_claims(tmp_path, 3)
    assert (tmp_path / "claims.lock.json").read_bytes() == first
    assert len(locks) == 1


def test_a_study_that_outgrows_its_lock_is_told_what_decides(tmp_path, caplog):
    path = tmp_path / "claims.lock.json"
    for replicates in (2, 2, 1):
        lock_claims(tmp_path, replicates)
    first = path.read_bytes()
    assert caplog.messages == []
    lock_claims(tmp_path, 4)
    assert caplog.messages == [
        f"{path} plans 2 replicates, and claims are decided on those, not on 4: to plan more, lock "
        "them for another folder before its study begins, `lttune claims lock --n 4 --out "
        "FOLDER/claims.lock.json`"
    ]
    assert path.read_bytes() == first


def test_a_shard_is_checked_as_the_study_is(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    # The sparse engine lacks it: shards without a point of the space would have another key.
    space = {**STUDY.space, "train.optimizer": CategoricalDistribution(["adam", "nesterov"])}
    study = dataclasses.replace(STUDY, space=space)
    whole = dataclasses.replace(SMOKE, out=tmp_path, phases=("anchor", "search"))
    found = prepared(whole, study)
    assert found.engine == "torch"
    assert prepared(dataclasses.replace(whole, shard="1/2"), study).numerics == found.numerics
    # What only the space reaches is reached.
    idle = dataclasses.replace(
        whole, search_over=("optimizer",), lottery=whole.lottery.override({"train.momentum": 0.8})
    )
    prepared(dataclasses.replace(idle, shard="1/2"), STUDY)
    for settings in ({}, {"shard": "1/2"}):
        wrong = dataclasses.replace(whole, **settings)
        with pytest.raises(ConfigError, match="phases must be without 'search'"):
            prepared(wrong, dataclasses.replace(STUDY, space={}))


def test_shards_of_a_study_that_is_another_are_refused_before_they_train(tmp_path, cwd):
    with one_process():
        place = StudyPlace(tmp_path).run("--phases", "anchor", "--replicates", "1")
    assert place.exit_code == 0, place.printed
    flags = ("--phases", "anchor", "--replicates", "2", "--shard", "1/2")
    other = UntoldPlace(tmp_path).run(*flags, "--lottery.train.lr", "0.5")
    assert other.exit_code == 3
    assert "out/digits exists with another configuration (lottery.train.lr: 0.01 -> 0.5)" in (
        other.printed
    )
    assert not (tmp_path / "out/digits.1-of-2").exists()


@pytest.mark.slow
def test_from_python_the_folder_is_the_shards_and_its_frame_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    settings = {"phases": ("anchor",), "replicates": 2, "shard": "2/2", "out": tmp_path}
    with one_process():
        done = run(STUDY, digits_study.report, **settings)
    assert (done.exit_code, done.folder.name) == (0, "digits.2-of-2")
    assert len(done.frame()) > 0
    frame = load(done.folder)
    assert frame.incomplete == "shard 2/2 of the study"
    told = " ".join(lacking_design(frame, "", ()))
    assert "--scale smoke" in told
    assert "--shard" not in told
