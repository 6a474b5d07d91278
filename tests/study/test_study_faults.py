"""What goes wrong in the middle of a study: trials, workers, the driver itself."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any

import digits_study
import pytest
from digits_place import TIMES, StudyPlace, lasting
from digits_study import LOTTERY, SMOKE, STUDY
from drivers import Driver
from optuna.distributions import CategoricalDistribution

from lttune.data import load
from lttune.errors import ResourceError
from lttune.models import build
from lttune.store.store import Store
from lttune.study import conductor
from lttune.study.conductor import Conductor
from lttune.study.main import main
from lttune.study.workers import tune
from lttune.study.workers.watchdog import Watchdog
from lttune.training.engines import Needs, choose, make
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_failed_trial_is_no_end_and_a_diverged_one_is_a_result(tmp_path, cwd, ray_address):
    space = {
        "train.lr": CategoricalDistribution([0.1, 1e30]),
        "train.steps": CategoricalDistribution([20, 40]),
        "train.eval_every": CategoricalDistribution([20, 40]),
    }
    lottery = LOTTERY.override({"train.optimizer": "sgd"})
    config = replace(
        SMOKE, lottery=lottery, phases=("search",), sampler="random", seed=4, max_concurrent=1
    )
    study = replace(STUDY, space=space, scales={"quick": config})
    ended = StudyPlace(tmp_path, ray_address).run(study=study)
    assert ended.exit_code == 1

    trials = ended.trials()
    values = [tuple(trial["hparams"].values()) for trial in trials]
    diverged, failed = (
        [v for v in values if v[0] == 1e30 and v[1:] != (20, 40)],
        [v for v in values if v[1:] == (20, 40)],
    )
    assert (len(diverged), len(failed)) == (1, 1)
    for trial, point in zip(trials, values, strict=True):
        assert trial["state"] == ("failed" if point in failed else "complete")
        number = trial["number"]
        rows = [row for row in ended.rows() if row["trial"] == number]
        run = ended.runs()[number]
        if point in failed:
            message = "ConfigError: train.eval_every must be at most train.steps (20), got 40"
            assert trial["error"] == message
            assert f"failed: {trial['number']:03d} search" in ended.printed
            factors = {path: float(value) for path, value in trial["hparams"].items()}
            assert (rows, run.info.status, run.data.metrics) == ([], "FAILED", factors)
            raised = ended.folder / "failures" / f"trial-{number:03d}.txt"
            assert message in raised.read_text()
            assert str(raised) in ended.printed.replace("\n", "")
        else:
            assert run.info.status == "FINISHED"
            assert run.data.metrics["accuracy_auc"] == trial["objective"]
            assert 0 < trial["objective"] < 1
            assert rows[0]["diverged"] is (point in diverged)
            assert len(rows) == (1 if point in diverged else 3)
            assert ended.series(run, "diverged")[0] == (0, float(point in diverged))
    assert ended.statuses()[None] == "FAILED"
    assert "incomplete: 3 of 4 trials" in ended.printed
    assert "Traceback" not in ended.printed


def test_a_study_that_cannot_start_is_failed_in_mlflow(place, tmp_path, monkeypatch):
    def start_ray(config: Any) -> None:
        raise ResourceError("no Ray cluster answers at address 'auto': nobody there")

    began = place.copy(tmp_path)
    monkeypatch.setattr(conductor, "start_ray", start_ray)
    began.run("--trials", "7")
    line = "lttune: error: no Ray cluster answers at address 'auto': nobody there\n"
    assert (began.exit_code, began.printed) == (5, line)
    assert began.statuses() == {None: "FAILED", **dict.fromkeys(range(6), "FINISHED")}
    assert began.states() == ["complete"] * 6


# Three times is once more than Ray repeats a trial whose workers fail.
@pytest.mark.parametrize(
    ("signum", "times"), [(signal.SIGKILL, 1), (signal.SIGTERM, 3), (signal.SIGSTOP, 1)]
)
def test_a_worker_that_ends_or_hangs_costs_nothing(
    signum, times, place, tmp_path, monkeypatch, cwd, ray_address
):
    killed: list[int] = []
    level = Conductor.level

    def deadly(self: Conductor, trial: Any, report: Any) -> None:
        level(self, trial, report)
        if trial.number == 0 and report["level"] == 1 and len(killed) < times:
            killed.append(report["pid"])
            os.kill(report["pid"], signum)

    monkeypatch.setattr(Conductor, "level", deadly)
    if signum == signal.SIGSTOP:
        monkeypatch.setattr(tune, "Watchdog", lambda: Watchdog(least_s=4.0, levels=0.0))
    ended = StudyPlace(tmp_path, ray_address).run("--max-concurrent", "1")
    assert len(killed) == times
    assert ("its worker is ended" in ended.printed) is (signum == signal.SIGSTOP)
    assert len({*killed, os.getpid()}) == times + 1
    assert (ended.exit_code, ended.states()) == (0, ["complete"] * 6)
    assert lasting(ended.rows()) == lasting(place.rows())
    assert [t["objective"] for t in ended.trials()] == [t["objective"] for t in place.trials()]
    density = ended.series(ended.runs()[0], "density")
    assert density == place.series(place.runs()[0], "density")
    assert ended.statuses() == place.statuses()


def test_an_interrupted_study_goes_on_when_it_is_run_again(tmp_path, cwd, capsys, ray_address):
    place = StudyPlace(tmp_path)
    longer = {"train.steps": 2000, "train.eval_every": 200, "levels": 3}
    flags = [f"--lottery.{name.replace('_', '-')}={value}" for name, value in longer.items()]
    flags += ["--controls", "reinit", "--trials", "2", "--replicates", "1"]
    flags += ["--max-concurrent", "1"]

    # Ctrl-C and a terminal that is closed reach every process that it shows; kill, docker and Slurm
    # stop the driver alone.
    hangup = (os.killpg, signal.SIGHUP, 129)
    asked = ((os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143), hangup)
    for send, signum, code in asked:
        before = place.cells()
        driver = Driver([*place.flags, *flags], cwd, home=tmp_path)
        if not before:
            driver.wait_for((place.folder / "trials.json").exists)
            assert main(STUDY, digits_study.report, "", [*place.flags, *flags]) == 75
            message = f"lttune: error: another driver is running the study {place.folder}: process "
            printed = capsys.readouterr()
            assert printed.out == ""
            assert printed.err.startswith(f"{message}{driver.process.pid} on ")

        driver.wait_for(lambda before=before: len(place.cells()) > len(before))
        assert any(one.name().startswith("ray::") for one in driver.family())
        exit_code, out, err = driver.stop(send, signum)
        assert (exit_code, err) == (code, "")
        assert "interrupted: every finished network is kept" in out
        assert "incomplete: " in out
        assert "run the same command again to go on where it stopped" in out
        assert not {"running", "failed"} & set(place.states())
        assert place.statuses()[None] == "KILLED"
        assert not {"RUNNING", "FAILED"} & set(place.statuses().values())
        assert {key: place.cells()[key] for key in before} == before
    assert list(cwd.iterdir()) == []
    assert (tmp_path / ".ray/auth_token").stat().st_mode & 0o777 == 0o600

    before = place.cells()
    place.address = ray_address
    place.run(*flags)
    assert (place.exit_code, place.states()) == (0, ["complete"] * 3)
    assert {key: place.cells()[key] for key in before} == before
    assert set(place.statuses().values()) == {"FINISHED"}

    # What the science alone computes, without Ray and without interrupts.
    network = build(LOTTERY.model, (8, 8), 10)
    engine, _ = choose("auto", Needs(device="cpu", networks=[network], configs=[LOTTERY]))
    lab = Lab(
        {"digits": load("digits")}, make(engine, "cpu"), Store(tmp_path / "other"), SMOKE.seed
    )
    reports = run_trial(LOTTERY.override(longer), [0], ["reinit"], lab)
    expected = [row for report in reports for row in report["rows"]]
    anchor = [row for row in place.rows() if row["trial"] == 0]
    assert len(anchor) == len(expected) == 7
    by_place = {(row["branch"], row["level"]): row for row in anchor}
    for row in expected:
        mine = by_place[row["branch"], row["level"]]
        assert {n: mine[n] for n in row if n not in TIMES} == lasting([row])[0]
