"""Every study of ``studies/`` at scale smoke, in an empty folder, without a download.

Each file is run as ``python FILE`` runs it, but by this Python, which has imported all already and
trains as well. That such a file runs by itself, on Ray's workers, is what ``test_wheel`` sees.
"""

import contextlib
import functools
import importlib.util
import io
import runpy
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import escape
from one_process import one_process

from lttune.config import LotteryConfig
from lttune.data import load
from lttune.pruning.densities import planned_densities
from lttune.store.plain_json import read_json
from lttune.study.declared import Study
from lttune.study.phases.planned import phase_config
from lttune.study.settings import StudyConfig
from lttune.trajectory.branches import FROM_DENSE
from lttune.trajectory.lab import network_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(360)]

FILES = sorted((Path(__file__).parents[2] / "studies").glob("*.py"))
FLAGS = {
    "conv_sensitivity": ["--lottery.train.steps", "40", "--lottery.train.batch-size", "30"],
    "lenet_sensitivity": ["--lottery.data.name", "digits"],
    "resnet_rewinding": ["--lottery.train.steps", "40", "--lottery.train.milestones", "30", "35"],
}
"""Flags of the studies whose smoke scale would train for long, or fetch a dataset."""


@dataclass(frozen=True)
class Run:
    """A study that was run: what its file declares, and what is there."""

    study: Study
    place: Path
    printed: str

    @property
    def config(self) -> StudyConfig:
        return self.study.scales["smoke"]

    @property
    def folder(self) -> Path:
        return self.place / self.config.folder

    @cached_property
    def rows(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "records.parquet")

    @cached_property
    def layers(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "layers.parquet")

    def trunk(self, phase: str = "anchor") -> pd.DataFrame:
        """Returns the tickets of a phase."""
        return self.rows[(self.rows["phase"] == phase) & (self.rows["branch"] == "trunk")]

    def deepest(self, branch: str = "trunk") -> float:
        """Returns a branch's mean test accuracy at the anchor's last level."""
        rows = self.rows[(self.rows["phase"] == "anchor") & (self.rows["branch"] == branch)]
        return float(rows[rows["level"] == rows["level"].max()]["test_accuracy"].mean())


def declared(path: Path) -> Study:
    """Returns what a study file declares."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.STUDY


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Returns what runs a study, once."""

    @functools.cache
    def found(name: str) -> Run:
        return _run(name, tmp_path_factory.mktemp(name))

    return found


def _run(name: str, place: Path) -> Run:
    [path] = [path for path in FILES if path.stem == name]
    # A folder without data: what a study had to fetch would lie in it.
    data = place / "data"
    data.mkdir()
    flags = ["--scale", "smoke", "--max-concurrent", "1"]
    printed = io.StringIO()
    with (
        one_process(),
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(place),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        patch.setenv("LTTUNE_DATA", str(data))
        # One database for all: to make one takes MLflow as long as to fill it.
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place.parent}/mlflow.db")
        patch.setattr(sys, "argv", [str(path), *flags, *FLAGS.get(name, [])])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0, printed.getvalue()
    return Run(study=declared(path), place=place, printed=printed.getvalue())


@pytest.fixture(params=[path.stem for path in FILES])
def run(request, runs):
    return runs(request.param)


def test_it_ends_complete_with_a_report(run):
    trials = read_json(run.folder / "trials.json")["trials"]
    assert f"complete: {len(trials)} of {len(trials)} trials" in run.printed
    assert escape(run.study.question) in (run.folder / "report.html").read_text()
    assert {trial["state"] for trial in trials} == {"complete"}


def test_nothing_was_fetched(run):
    assert list((run.place / "data").iterdir()) == []
    assert set(run.rows["data.name"]) == {"digits"}


def test_every_phase_and_branch_that_it_declares_is_in_the_records(run):
    config, rows = run.config, run.rows
    assert set(rows["phase"]) == set(config.phases)
    anchor = rows[rows["phase"] == "anchor"]
    replicates = range(config.replicates if "anchor" in config.phases else 0)
    branches = [("trunk", 0), *((name, 0 if name in FROM_DENSE else 1) for name in config.controls)]
    expected = {
        (replicate, branch, level)
        for replicate in replicates
        for branch, first in branches
        for level in range(first, config.lottery.levels + 1)
    }
    assert set(anchor[["replicate", "branch", "level"]].itertuples(index=False)) == expected
    if "search" in config.phases:
        assert rows[rows["phase"] == "search"]["trial"].nunique() == config.trials


def test_every_point_that_it_declares_is_trained(run):
    config = run.config
    declared = run.study.points_of(config)
    assert set(declared) == {"sweep", "design", "tune"} & {*config.phases}
    trials = read_json(run.folder / "trials.json")["trials"]
    for phase, point in [(name, point) for name in declared for point in declared[name]]:
        here = [t for t in trials if t["phase"] == phase]
        found = [t["number"] for t in here if t["hparams"] == point.hparams]
        found = [n for n in found if point.label in trials[n]["label"]]
        assert len(found) == len(point.replicates), point.label
        rows = run.rows[run.rows["trial"].isin(found)]
        base = phase_config(phase, config.lottery, config.objective)
        wanted: LotteryConfig = base.override(point.hparams | {"data.name": "digits"})
        planned = planned_densities(wanted, network_of(wanted, load(wanted.data.name)))
        trunk = rows[rows["branch"] == "trunk"]
        assert list(trunk.groupby("level")["density"].first()) == pytest.approx(planned)
        for path in point.hparams:
            assert set(rows[path]) == {wanted.flat()[path]}


def test_its_networks_learn(run):
    dense = run.rows[(run.rows["level"] == 0) & (run.rows["branch"] == "trunk")]
    # Tuning tries what may be too much.
    dense = dense[dense["phase"] != "tune"]
    assert dense["test_accuracy"].min() > 0.6
    assert dense["start_val_accuracy"].max() < 0.35


@pytest.mark.parametrize("run", ["criterion_vs_random"], indirect=True)
def test_criterion_vs_random_large_weights_win(run):
    last = run.trunk("sweep")
    last = last[last["level"] == last["level"].max()].set_index("prune.criterion")
    accuracy = last["test_accuracy"]
    assert len(set(last["surviving"])) == 1
    assert accuracy["large_final"] > accuracy["small_final"] + 0.3
    assert accuracy["large_final"] > accuracy["random"] + 0.2
    assert accuracy["magnitude_increase"] > accuracy["random"] + 0.2
    assert run.deepest() == accuracy["large_final"]
    assert all(run.deepest() > run.deepest(name) + 0.2 for name in ("reinit", "random", "shuffle"))


@pytest.mark.parametrize("run", ["resnet_rewinding"], indirect=True)
def test_resnet_rewinding_densities_are_exact(run):
    layers = run.layers.groupby(["trial", "replicate", "level", "kind"])[["surviving", "size"]]
    counts = layers.sum().reset_index().pivot_table(index=["trial", "level"], columns="kind")
    sizes, surviving = counts["size"], counts["surviving"]
    for kind in ("shortcut", "out"):
        assert (surviving[kind] == sizes[kind]).all()
    conv = int(sizes["conv"].iloc[0])
    for level in range(run.config.lottery.levels + 1):
        assert set(surviving["conv"].xs(level, level="level")) == {conv}
        whole = int(sizes.iloc[0].sum())
        densities = run.rows[run.rows["level"] == level]["density"]
        kept = conv + int(sizes[["shortcut", "out"]].iloc[0].sum())
        assert list(densities) == pytest.approx([kept / whole] * len(densities), abs=1e-12)
        conv -= conv // 5
    siblings = run.rows[run.rows["branch"] == "sibling"]
    assert siblings["barrier_test_error"].between(0, 1).all()
    assert run.rows[run.rows["branch"] != "sibling"]["barrier_test_error"].isna().all()


@pytest.mark.parametrize("run", ["conv_sensitivity"], indirect=True)
def test_conv_sensitivity_finds_tickets_at_the_papers_fractions(run):
    layers = run.layers[run.layers["trial"].isin(run.trunk()["trial"])]
    shares = {"conv": (9, 10), "fc": (8, 10), "out": (9, 10)}
    for _, rows in layers.groupby("layer"):
        kept, of = shares[rows["kind"].iloc[0]]
        left = int(rows["size"].iloc[0])
        for count in rows.sort_values("level")["surviving"]:
            assert count == left
            left -= left * (of - kept) // of
    assert run.deepest() > 0.8


@pytest.mark.parametrize("run", ["ticket_transfer"], indirect=True)
def test_ticket_transfer_a_ticket_beats_its_controls_on_the_target(run):
    assert run.deepest("transfer") > run.deepest("transfer_random") + 0.02
    assert run.deepest("transfer") > run.deepest("transfer_reinit") + 0.02
    assert run.deepest() > run.deepest("random") + 0.1


@pytest.mark.parametrize("run", ["find_best_ticket"], indirect=True)
def test_find_best_ticket_finds_a_smaller_one_than_the_papers_setting(run):
    trials = read_json(run.folder / "trials.json")["trials"]
    [anchor] = [trial["objective"] for trial in trials if trial["phase"] == "anchor"]
    found = [trial["objective"] for trial in trials if trial["phase"] == "search"]
    assert min(found) < anchor / 2


@pytest.mark.parametrize("run", ["lenet_sensitivity"], indirect=True)
def test_lenet_sensitivity_a_ticket_beats_a_random_mask(run):
    assert run.deepest() > 0.85
    assert run.deepest() > run.deepest("random") - 0.02


@pytest.mark.parametrize("run", ["optimizer_comparison"], indirect=True)
def test_the_best_learning_rate_of_each_optimizer_is_confirmed_with_controls(run):
    trials = read_json(run.folder / "trials.json")["trials"]
    best = {}
    for trial in trials:
        optimizer = trial["hparams"].get("train.optimizer")
        if trial["phase"] == "tune":
            best[optimizer] = max(best.get(optimizer, trial), trial, key=lambda t: t["objective"])
    fresh = [t for t in trials if t["phase"] == "confirm" and t["role"] == "fresh"]
    assert {t["hparams"]["train.optimizer"]: t["hparams"] for t in fresh} == {
        optimizer: trial["hparams"] for optimizer, trial in best.items()
    }
    rows = run.rows[run.rows["phase"] == "confirm"]
    assert set(rows["branch"]) == {"trunk", "reinit", "random"}
    assert set(rows["replicate"]) == {100_000}
    assert "Fair comparison of train.optimizer" in (run.folder / "report.html").read_text()
