"""Claims about importance read what a study keeps of it."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import claim, question, registry, words
from scipy import stats

from analysis.claims import of_studies
from analysis.claims.of_studies import kept_importances
from analysis.frame import load
from analysis.importance import saved

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "sensitivity"


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(RESULTS, folder, ignore=shutil.ignore_patterns("*.svg", "claims.lock.json"))
    # No claim here is about networks: few of them load sooner.
    few = pd.read_parquet(folder / "records.parquet").head(20)
    few.to_parquet(folder / "records.parquet")
    return folder


def asked(*factors, form="matters_more", density=0.168, **more):
    plain = {"measure": "importance", "reads": "test_accuracy", "cells": []}
    return question(**plain, form=form, factors=list(factors), densities=[density], **more)


def row(folder, one):
    return of_studies([load(folder)], registry(claim(one))).iloc[0]


def test_the_figure_of_a_study_decides_which_factor_matters_more(study):
    table = pd.read_csv(study / "figures" / "importance.csv")
    at = table[np.isclose(table["density"], 0.168, rtol=0.01)].set_index("factor")
    lr, batch = at.loc["train.lr"], at.loc["train.batch_size"]
    more = row(study, asked("train.lr", "train.batch_size"))
    assert (more["verdict"], more["n"]) == ("supported", lr["trajectories"])
    assert more["unit"] == "share of variance"
    assert more["estimate"] == pytest.approx(lr["total"] - batch["total"])
    # As wide as if both were wrong at once.
    below = (lr["total"] - lr["total_low"]) + (batch["total_high"] - batch["total"])
    assert more["low"] == pytest.approx(more["estimate"] - below)
    z = more["estimate"] / (below / stats.norm.isf(0.025))
    assert more["p"] == pytest.approx(2 * stats.norm.sf(z))
    assert row(study, asked("train.batch_size", "train.lr"))["verdict"] == "contradicted"
    turned = row(study, asked("prune.fractions.fc1", "train.lr", density=0.044))
    assert turned["verdict"] == "supported"


def test_the_figure_of_a_study_decides_whether_a_factor_matters(study):
    assert row(study, asked("train.lr", form="sensitive"))["verdict"] == "supported"
    small = row(study, asked("prune.fractions.out", form="sensitive"))
    assert small["verdict"] == "inconclusive"
    assert small["estimate"] < 0.1


def test_what_was_not_estimated_is_not_tested(study):
    missing = row(study, asked("train.lr", "train.momentum"))
    assert missing["reason"].startswith("The design did not vary train.momentum.")
    between = row(study, asked("train.lr", form="sensitive", density=0.12))
    assert between["reason"].startswith("No importances were estimated at its density.")
    vague = row(study, asked("train.lr", form="sensitive", density=0.107))
    assert vague["reason"].startswith("surrogate too poor: leave-one-out Q2 0.47, below 0.5")
    poor = pd.read_csv(study / "figures" / "importance.csv")
    poor = poor.assign(status="inconclusive", reason="The surrogate is too poor.")
    poor.to_csv(study / "figures" / "importance.csv", index=False)
    found = row(study, asked("train.lr", form="sensitive"))
    assert found["reason"].startswith("The surrogate is too poor.")
    (study / "figures" / "importance.csv").unlink()
    found = row(study, asked("train.lr", form="sensitive"))
    assert found["reason"].startswith("No importances were estimated.")


def test_the_saved_file_counts_before_the_figure(study):
    of_figure = kept_importances([load(study)])["test_accuracy"]
    swapped = of_figure.table.replace(
        {"factor": {"train.lr": "train.batch_size", "train.batch_size": "train.lr"}}
    )
    strip = of_figure.strip
    tables = dict.fromkeys(saved.FRAMES, pd.DataFrame()) | {"table": swapped, "strip": strip}
    # Of a study without an identity no sample is asked.
    found = saved.Importances(**tables, sample="", ended="", divergence="")
    asks = registry(claim(asked("train.batch_size", "train.lr")))
    saved.save(study / saved.NAME, "of no matter", found)
    assert words(of_studies([load(study)], asks)) == ["supported"]
    (study / saved.NAME).write_text("{")
    assert words(of_studies([load(study)], asks)) == ["contradicted"]
