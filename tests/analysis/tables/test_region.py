"""The region of a design in which networks learn."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sample_study import network, trial, write_study

from analysis import load
from analysis.tables.design.region import PURITY, is_sane, sane_region
from lttune.config.design import INERT, Factor, LogUniform, Uniform, nested

ROOT = Path(__file__).parents[3]
FACTORS = [
    Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-1)),
    Factor(path="train.momentum", distribution=Uniform(low=0.0, high=0.9)),
    Factor(path="prune.fractions.fc1", distribution=Uniform(low=0.2, high=0.6)),
    Factor(path=INERT, distribution=Uniform(low=0.0, high=1.0)),
]


def sane(hparams):
    return hparams["train.lr"] < 0.01


def write_design(folder, points=64, papers=1, is_good=sane):
    rng = np.random.default_rng(0)
    trials, rows = [], []
    for number in range(papers + points):
        hparams = {
            f.path: f.distribution.from_unit(rng.random()) for f in FACTORS if f.path != INERT
        }
        role = "paper" if number < papers else "design"
        own = {"role": role, "hparams": hparams, "label": f"{role}-{number} replicate=0"}
        trials.append(trial(number, "design", **own))
        accuracy = 0.95 if role == "paper" or is_good(hparams) else 0.9
        rows.append(network("design", number, 0, "trunk", 0, accuracy))
        rows.append(network("design", number, 0, "trunk", 1, 0.95))
    factors = [factor.plain() for factor in FACTORS]
    return load(write_study(folder, rows, trials, {"design": len(trials)}, factors=factors))


def test_the_region_is_peeled_by_the_factor_that_decides(tmp_path):
    study = write_design(tmp_path)
    region = sane_region(study)
    low, high = region["train.lr"]
    assert low == 1e-4  # Of what was not peeled the end is the factor's own.
    assert 0.005 < high < 0.02
    points = study.trials.set_index("number")["hparams"].drop(0)
    inside = [all(a <= h[path] <= b for path, (a, b) in region.items()) for h in points]
    assert is_sane(study)[inside].mean() >= PURITY
    assert sum(inside) > 20
    assert nested(FACTORS, region)[0].distribution == LogUniform(low=low, high=high)


def test_what_a_dense_network_does_not_depend_on_is_not_peeled(tmp_path):
    study = write_design(tmp_path, is_good=lambda hparams: hparams["prune.fractions.fc1"] < 0.4)
    assert "prune.fractions.fc1" not in sane_region(study)


def test_where_all_learn_the_region_is_the_whole_design(tmp_path):
    assert sane_region(write_design(tmp_path, is_good=lambda _: True)) == {}


def test_sanity_needs_the_papers_point(tmp_path):
    with pytest.raises(ValueError, match="point of the paper"):
        is_sane(write_design(tmp_path, papers=0))


def test_the_ranges_of_lenet_region_are_those_of_the_committed_results():
    path = ROOT / "studies" / "lenet_region.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    study = load(ROOT / "docs" / "results" / "sensitivity")
    found = sane_region(study)
    rounded = {path: tuple(float(f"{v:.2g}") for v in ends) for path, ends in found.items()}
    assert rounded["train.lr"] == module.REGION["train.lr"]
    assert found["train.batch_size"] == module.REGION["train.batch_size"]
    trials = study.trials.set_index("number")
    inside = [
        all(low <= trials.loc[t, "hparams"][path] <= high for path, (low, high) in found.items())
        for t in is_sane(study).index
    ]
    assert f"{is_sane(study)[inside].mean():.0%}".replace("%", " %") in (module.__doc__ or "")
