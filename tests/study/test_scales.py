"""A study has any set of scales; which one is run, and what is said of those that it lacks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
from digits_study import SMOKE, STUDY

from lttune.config.design import Point
from lttune.data import load
from lttune.study.declared import Study
from lttune.study.main import _read
from lttune.study.manifest import sheet
from lttune.study.settings import StudyConfig

LARGER = dataclasses.replace(SMOKE, name="larger", trials=9)


def scaled(scales: Mapping[str, StudyConfig], **more) -> Study:
    return dataclasses.replace(STUDY, scales=scales, **more)


WITHOUT_QUICK = scaled({"smoke": SMOKE, "paper": LARGER})


def read(study: Study, line: str = "") -> StudyConfig:
    return _read(line.split(), study, "")


def test_without_quick_the_first_scale_is_run():
    assert read(WITHOUT_QUICK) == SMOKE
    assert read(WITHOUT_QUICK, "--trials 7").trials == 7
    assert read(WITHOUT_QUICK, "--scale=paper").trials == 9
    assert read(STUDY) == SMOKE


@pytest.mark.parametrize("line", ["--scale smoke --scale paper", "--scale=smoke --scale=paper"])
def test_of_several_scales_the_last_counts_with_its_settings(line):
    found = read(
        scaled({"smoke": SMOKE, "paper": dataclasses.replace(LARGER, scale="paper")}), line
    )
    assert (found.scale, found.name, found.trials) == ("paper", "larger", 9)


def test_scales_have_any_names_and_points_of_their_own():
    point = Point(hparams={"train.lr": 0.02}, replicates=(0,), role="sweep", label="lr")
    plain = dataclasses.replace(SMOKE, scale="quick", phases=("sweep",))
    study = scaled({"tiny": plain, "long-run": plain}, points={"long-run": {"sweep": [point]}})
    found = read(study, "--scale long-run")
    assert found.scale == "long-run"
    assert study.points_of(found) == {"sweep": [point]}
    assert read(study).scale == "tiny"
    # What settings call themselves counts for nothing: they stand under another name.
    twice = scaled({"tiny": plain, "quick": plain})
    assert twice.settings_of("tiny").scale == "tiny"


@pytest.mark.parametrize("words", [[], ["--trials", "3"], ["--plan"]])
def test_mistakes_are_told_whatever_the_scales(refused, cwd, words):
    code, text = refused(*words, "--replicates", "0", "--seed", "x", study=WITHOUT_QUICK)
    assert code == 2
    assert "replicates must be a whole number >= 1, got 0" in text
    assert "--seed" in text
    assert text.count("\n") == 2
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "hint"), [("quick", ""), ("huge", ""), ("smok", "; did you mean 'smoke'?")]
)
def test_a_scale_that_the_study_lacks_is_told_with_the_others(refused, cwd, asked, hint):
    code, text = refused("--scale", asked, "--trials", "0", study=WITHOUT_QUICK)
    assert code == 2
    assert f"scale must be one of paper, smoke; got '{asked}'{hint}" in text
    assert "trials must be a whole number >= 1, got 0" in text
    assert text.count("\n") == 2
    assert list(cwd.iterdir()) == []


def test_help_names_the_scales(refused, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, text = refused("--help", study=WITHOUT_QUICK)
    assert code == 0
    assert "Scales: smoke, paper. Without --scale: smoke." in " ".join(text.split())


def test_the_sheet_has_them():
    made = sheet(SMOKE, WITHOUT_QUICK, load("digits"), "torch")
    assert made["scales"] == ["smoke", "paper"]
