"""Whole studies on digits: real Ray, real MLflow on SQLite, real Optuna."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import digits_study
import psutil
import pyarrow.parquet as pq
import pytest
from digits_study import LOTTERY, SMOKE, SPACE, STUDY
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.distributions import CategoricalDistribution

from analysis import lock_claims
from analysis.report.write import write
from lttune.config.design import Categorical, Factor, LogUniform, space_filling
from lttune.data import load
from lttune.errors import ResourceError
from lttune.models import build
from lttune.records.schema import LAYERS, MEASURES, read
from lttune.store.files import read_json
from lttune.store.store import Store
from lttune.study import conductor
from lttune.study.conductor import Conductor
from lttune.study.declared import Study
from lttune.study.main import main
from lttune.training.engines import Needs, choose, make
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

Row = dict[str, Any]
TIMES = ("train_time_s", "eval_time_s", "trained", "reused")
"""Columns that differ between two runs of the same study."""


@dataclass
class Place:
    """Where one study and its MLflow database are."""

    root: Path
    exit_code: int = -1
    printed: str = ""

    @property
    def folder(self) -> Path:
        return self.root / "out" / "digits"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.root}/mlflow.db"

    @property
    def flags(self) -> list[str]:
        return ["--out", str(self.root / "out"), "--tracking-uri", self.uri]

    def run(
        self,
        *flags: str,
        study: Study = STUDY,
        report: Callable[[Path], Path] = digits_study.report,
    ) -> Place:
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            self.exit_code = main(study, report, "", [*self.flags, *flags])
        self.printed = text.getvalue()
        return self

    def copy(self, root: Path) -> Place:
        shutil.copytree(self.root / "out", root / "out")
        return Place(root)

    def rows(self) -> list[Row]:
        return read(self.folder / "records.parquet")

    def trials(self) -> list[Row]:
        return read_json(self.folder / "trials.json")["trials"]

    def states(self) -> list[str]:
        return [trial["state"] for trial in self.trials()]

    def cells(self) -> dict[str, int]:
        """Returns when each sealed cell was written, by its key."""
        seals = (self.root / "out" / "cells").glob("??/*/seal.json")
        return {seal.parent.name: seal.stat().st_mtime_ns for seal in seals}

    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def runs(self) -> dict[int | None, Run]:
        """Returns MLflow's runs by the number of their trial; None is the study's."""
        client = self.client()
        experiment = client.get_experiment_by_name("digits")
        found = client.search_runs([experiment.experiment_id])
        numbers = [run.data.tags.get("lttune.trial") for run in found]
        runs = {None if n is None else int(n): run for n, run in zip(numbers, found, strict=True)}
        assert len(runs) == len(found)
        return runs

    def statuses(self) -> dict[int | None, str]:
        return {number: run.info.status for number, run in self.runs().items()}

    def series(self, run: Run, metric: str) -> list[tuple[int, float]]:
        history = self.client().get_metric_history(run.info.run_id, metric)
        return sorted((point.step, point.value) for point in history)


def lasting(rows: list[Row]) -> list[Row]:
    """Returns rows without what differs between two runs of the same study."""
    return [{name: row[name] for name in sorted(row) if name not in TIMES} for row in rows]


def no_ray(config: Any) -> None:
    raise AssertionError("Ray was started")


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        yield


@pytest.fixture(scope="module")
def concurrent() -> list[int]:
    """The numbers of running trials that the study of ``place`` went through."""
    return []


@pytest.fixture(scope="module")
def place(tmp_path_factory, concurrent) -> Place:
    """One finished study: 2 anchors and 4 search trials, one at a time."""
    place = Place(tmp_path_factory.mktemp("study"))
    started = Conductor.started

    def counted(self: Conductor, trial: Any) -> None:
        concurrent.append(self._ledger.count("running"))
        started(self, trial)

    with pytest.MonkeyPatch.context() as patch, working_in(place.root / "cwd"):
        patch.setattr(Conductor, "started", counted)
        return place.run("--max-concurrent", "1", report=write)


# One finished study.


def test_a_study_ends_complete_and_says_so(place):
    assert place.exit_code == 0
    assert "complete: 6 of 6 trials" in place.printed
    assert str(place.folder / "report.html") in place.printed.replace("\n", "")
    assert f"mlflow ui --backend-store-uri {place.uri}" in place.printed
    assert "not in MLflow" not in place.printed
    assert "Traceback" not in place.printed


def test_every_line_of_output_is_lttunes_own(place):
    known = (
        "engine: ",
        "[",
        "best trials",
        "┏",
        "┃",
        "┡",
        "│",
        "└",
        "complete:",
        "report:",
        "MLflow:",
    )
    assert [line for line in place.printed.splitlines() if not line.startswith(known)] == []


def test_the_records_hold_a_row_for_every_network_and_no_more(place):
    found = {(r["trial"], r["replicate"], r["branch"], r["level"]) for r in place.rows()}
    anchors = {
        (trial, trial, branch, level)
        for trial in (0, 1)
        for branch in ("trunk", "reinit", "random")
        for level in (0, 1, 2)
        if branch == "trunk" or level > 0
    }
    assert {network for network in found if network[0] < 2} == anchors
    assert len(place.rows()) == len(found)


def test_the_layers_hold_a_row_for_every_layer_of_every_trunk(place):
    trunks = {(r["trial"], r["replicate"], r["level"]) for r in place.rows() if is_trunk(r)}
    found = read(place.folder / "layers.parquet")
    assert [(r["trial"], r["replicate"], r["level"], r["layer"]) for r in found] == [
        (*trunk, layer) for trunk in sorted(trunks) for layer in ("fc1", "fc2", "out")
    ]
    assert set(pq.read_schema(place.folder / "layers.parquet").names) == LAYERS.keys()
    surviving = {(r["trial"], r["level"]): r["surviving"] for r in place.rows() if is_trunk(r)}
    for (trial, level), count in surviving.items():
        mine = [r for r in found if (r["trial"], r["level"]) == (trial, level)]
        assert sum(r["surviving"] for r in mine) == count
        assert all(r["moved"] > 0 and r["study"] == "digits" for r in mine)


def is_trunk(row: Row) -> bool:
    return row["branch"] == "trunk"


def test_a_search_trial_ends_at_the_density_that_its_objective_ends_at(place):
    assert SMOKE.objective.density == 0.5
    ends = set()
    for trial in (2, 3, 4, 5):
        rows = [row for row in place.rows() if row["trial"] == trial]
        assert {(row["replicate"], row["branch"]) for row in rows} == {(0, "trunk")}
        assert [row["level"] for row in rows] == list(range(len(rows)))
        assert all(row["density"] > 0.5 for row in rows[:-1])
        assert rows[-1]["density"] <= 0.5 or len(rows) == 3
        ends.add(len(rows))
    assert ends == {2, 3}


def test_the_records_have_every_column_of_the_schema(place):
    schema = pq.read_schema(place.folder / "records.parquet")
    for name, (kind, _) in MEASURES.items():
        assert schema.field(name).type == kind
    wanted = MEASURES.keys() | LOTTERY.flat() | SPACE.keys() | {"density.fc1", "density.out"}
    assert wanted <= set(schema.names)
    for row in place.rows():
        # There are no siblings here, and no points of a design.
        missing = {name for name in MEASURES if row[name] is None}
        assert missing == {"barrier_test_error", "barrier_train_error", "role", "inert"}
        assert 0.3 < row["test_accuracy"] <= 1
        assert row["study"] == "digits"


def test_the_ledger_and_the_sheet_say_what_was_run(place):
    sheet = read_json(place.folder / "study.json")
    assert (sheet["name"], sheet["question"]) == ("digits", STUDY.question)
    trials = place.trials()
    assert [trial["phase"] for trial in trials] == ["anchor"] * 2 + ["search"] * 4
    assert place.states() == ["complete"] * 6
    assert all(trial["error"] is None and trial["seconds"] > 0 for trial in trials)
    for trial in trials[2:]:
        rows = [row for row in place.rows() if row["trial"] == trial["number"]]
        assert all(row[path] == value for row in rows for path, value in trial["hparams"].items())


def test_the_report_and_its_figures_are_there(place):
    assert "digits" in (place.folder / "report.html").read_text()
    figures = {path.suffix for path in (place.folder / "figures").iterdir()}
    assert ".svg" in figures
    assert ".csv" in figures
    assert (place.folder / "digits_study.py").read_bytes() == STUDY.file.read_bytes()


def test_no_more_trials_run_at_once_than_were_allowed(concurrent, place):
    assert concurrent == [1] * 6


def test_nothing_is_written_into_the_working_directory(place):
    assert list((place.root / "cwd").iterdir()) == []
    found = {path.name.removesuffix("-shm").removesuffix("-wal") for path in place.root.iterdir()}
    assert found == {"cwd", "out", "mlflow.db", "mlruns"}


def test_the_store_holds_every_network_once(place):
    assert place.cells().keys() == {row["cell"] for row in place.rows()}
    store = place.root / "out" / "cells"
    assert list((store / "drafts").iterdir()) == []
    assert not (store / "damaged").exists()


def test_trials_that_train_alike_share_their_dense_network(place):
    shared: dict[tuple[float, int], set[str]] = {}
    dense = [row for row in place.rows() if row["level"] == 0]
    for row in dense:
        shared.setdefault((row["train.lr"], row["replicate"]), set()).add(row["cell"])
    assert {len(cells) for cells in shared.values()} == {1}
    assert len(shared) < len(dense)
    assert len(set.union(*shared.values())) == len(shared)
    assert sum(row["reused"] for row in dense) == len(dense) - len(shared)


def test_mlflow_holds_the_study_and_its_trials(place):
    runs = place.runs()
    parent, trials = runs.pop(None), place.trials()
    assert place.statuses() == dict.fromkeys([None, *range(6)], "FINISHED")
    assert parent.info.run_name == "digits"
    assert parent.data.params["train.lr"] == "0.01"
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"
    assert "mlflow.parentRunId" not in parent.data.tags
    for number, run in runs.items():
        trial = trials[number]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["lttune.phase"] == trial["phase"]
        assert run.info.run_name.startswith(f"{number:03d} {trial['phase']} ")
        row = next(row for row in place.rows() if row["trial"] == number)
        for path in {**LOTTERY.flat(), **trial["hparams"]}:
            assert run.data.params[path] == str(row[path])


def test_mlflow_holds_every_level_at_its_step(place):
    runs, rows = place.runs(), place.rows()
    measures = ("density", "test_accuracy", "val_accuracy", "early_stop_step", "train_time_s")
    for number in range(6):
        for branch in ("trunk", "reinit", "random"):
            mine = [r for r in rows if r["trial"] == number and r["branch"] == branch]
            prefix = "" if branch == "trunk" else f"{branch}."
            for measure in measures if branch == "trunk" else measures[1:4]:
                expected = sorted((row["level"], row[measure]) for row in mine)
                assert place.series(runs[number], f"{prefix}{measure}") == expected


def test_mlflow_holds_a_summary_of_every_trial(place):
    runs = place.runs()
    for trial in place.trials():
        metrics = runs[trial["number"]].data.metrics
        assert metrics["accuracy_auc"] == trial["objective"]
        assert 0 < metrics["ticket_density"] <= 1
    junk = {name for run in runs.values() for name in run.data.metrics if name.startswith("config")}
    assert junk == set()


def test_factors_sort_as_numbers_in_mlflow(place):
    client = place.client()
    experiment = client.get_experiment_by_name("digits")
    factor = "train.batch_size" if "train.batch_size" in SPACE else next(iter(SPACE))
    runs = client.search_runs(
        [experiment.experiment_id],
        "tags.`lttune.kind` = 'trial'",
        order_by=[f"metrics.`{factor}` ASC"],
    )
    values = [run.data.metrics[factor] for run in runs]
    assert len(set(values)) > 1
    assert values == sorted(values)
    rows = {row["trial"]: row[factor] for row in place.rows()}
    assert sorted(values) == sorted(map(float, rows.values()))


def test_mlflow_holds_the_studys_files(place):
    parent = place.runs()[None].info.run_id
    files = {file.path for file in place.client().list_artifacts(parent)}
    wanted = {"report.html", "records.parquet", "study.json", "digits_study.py", "figures"}
    assert wanted <= files
    figures = {file.path for file in place.client().list_artifacts(parent, "figures")}
    assert {path.name for path in (place.folder / "figures").iterdir()} == {
        Path(path).name for path in figures
    }


# The same study again.


def test_running_a_finished_study_again_trains_nothing(place, tmp_path, monkeypatch, cwd):
    again = place.copy(tmp_path)
    cells = again.cells()
    monkeypatch.setattr(conductor, "start_ray", no_ray)
    again.run()
    assert (again.exit_code, again.cells()) == (0, cells)
    assert "complete: 6 of 6 trials" in again.printed
    for name in ("records.parquet", "layers.parquet", "trials.json"):
        assert (again.folder / name).read_bytes() == (place.folder / name).read_bytes()
    # A database that knew nothing of the study now holds all of it.
    assert again.statuses() == place.statuses()
    runs = again.runs()
    assert again.series(runs[2], "density") == place.series(place.runs()[2], "density")
    again.run()
    assert again.runs().keys() == runs.keys()
    assert again.series(again.runs()[2], "density") == place.series(place.runs()[2], "density")
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("table", ["records", "layers"])
def test_a_complete_trial_that_lost_its_records_is_run_again(table, place, tmp_path, monkeypatch):
    again = place.copy(tmp_path)
    (again.folder / f"{table}.parquet").unlink()
    seen: list[str] = []
    monkeypatch.setattr(
        Conductor, "_run_trials", lambda self, _: seen.extend(t.state for t in self._ledger.trials)
    )
    again.run()
    assert seen == ["waiting"] * 6
    assert again.exit_code == 1


def test_lost_layers_are_measured_again_without_any_training(place, tmp_path, cwd):
    again = place.copy(tmp_path)
    (again.folder / "layers.parquet").unlink()
    cells = again.cells()
    again.run("--max-concurrent", "1")
    assert (again.exit_code, again.cells()) == (0, cells)
    for table in ("layers", "records"):
        found, before = (read(at.folder / f"{table}.parquet") for at in (again, place))
        assert lasting(found) == lasting(before)


def test_a_study_grows_by_as_many_trials_as_are_asked_for(place, tmp_path, cwd):
    grown = place.copy(tmp_path)
    cells = grown.cells()
    grown.run("--trials", "6", "--max-concurrent", "1")
    assert grown.exit_code == 0
    assert "complete: 8 of 8 trials" in grown.printed
    assert grown.trials()[:6] == place.trials()
    assert [trial["phase"] for trial in grown.trials()[6:]] == ["search"] * 2
    assert [row for row in grown.rows() if row["trial"] < 6] == place.rows()
    assert {row["trial"] for row in grown.rows()} == set(range(8))
    points = [tuple(trial["hparams"].values()) for trial in grown.trials()[2:]]
    assert len(set(points)) == 6
    assert {key: grown.cells()[key] for key in cells} == cells
    assert grown.statuses() == dict.fromkeys([None, *range(8)], "FINISHED")


# What goes wrong in the middle.


def test_a_failed_trial_is_no_end_and_a_diverged_one_is_a_result(tmp_path, cwd):
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
    ended = Place(tmp_path).run(study=study)
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


def test_a_worker_that_dies_costs_nothing(place, tmp_path, monkeypatch, cwd):
    killed: list[int] = []
    level = Conductor.level

    def deadly(self: Conductor, trial: Any, report: Any) -> None:
        level(self, trial, report)
        if trial.number == 0 and report["level"] == 1 and not killed:
            killed.append(report["pid"])
            os.kill(report["pid"], signal.SIGKILL)

    monkeypatch.setattr(Conductor, "level", deadly)
    ended = Place(tmp_path).run()
    assert len(killed) == 1
    assert killed[0] != os.getpid()
    assert (ended.exit_code, ended.states()) == (0, ["complete"] * 6)
    assert lasting(ended.rows()) == lasting(place.rows())
    assert [t["objective"] for t in ended.trials()] == [t["objective"] for t in place.trials()]
    density = ended.series(ended.runs()[0], "density")
    assert density == place.series(place.runs()[0], "density")
    assert ended.statuses() == place.statuses()


class Driver:
    """A driver in a process of its own, and all processes that it started."""

    def __init__(self, flags: list[str], cwd: Path, home: Path) -> None:
        ours = ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED", "MLFLOW_LOGGING_LEVEL")
        users = {name: value for name, value in os.environ.items() if name not in ours}
        self.process = subprocess.Popen(
            [sys.executable, digits_study.__file__, *flags],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**users, "HOME": str(home)},
        )

    def wait_for(self, happened: Callable[[], bool]) -> None:
        while not happened():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def stop(self, send: Callable[[int, int], None], signum: int) -> tuple[int, str, str]:
        """Sends a signal; returns exit code, stdout and stderr once no process is left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        assert any(one.name().startswith("ray::") for one in family)
        send(self.process.pid, signum)
        out, err = self.process.communicate(timeout=60)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []
        return self.process.returncode, out, err


def test_an_interrupted_study_goes_on_when_it_is_run_again(tmp_path, cwd, capsys):
    place = Place(tmp_path)
    longer = {"train.steps": 2000, "train.eval_every": 200, "levels": 3}
    flags = [f"--lottery.{name.replace('_', '-')}={value}" for name, value in longer.items()]
    flags += ["--controls", "reinit", "--trials", "2", "--replicates", "1"]

    # Ctrl-C reaches every process of the terminal; kill, docker and Slurm stop the driver alone.
    for send, signum, code in ((os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143)):
        before = place.cells()
        driver = Driver([*place.flags, *flags], cwd, home=tmp_path)
        if not before:
            driver.wait_for((place.folder / "trials.json").exists)
            assert main(STUDY, digits_study.report, "", [*place.flags, *flags]) == 75
            message = f"lttune: error: another driver is running the study {place.folder}\n"
            assert capsys.readouterr() == ("", message)

        driver.wait_for(lambda before=before: len(place.cells()) > len(before))
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
    place = Place(tmp_path).run("--scale", "smoke", "--phases", "design", "anchor", study=study)
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
    again = place.run("--scale", "smoke", "--phases", "design", "anchor", study=study)
    assert (again.exit_code, place.cells()) == (0, before), again.printed
    assert read_json(place.folder / "claims.lock.json") == locked
