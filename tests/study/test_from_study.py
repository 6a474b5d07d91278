"""`--from results/OTHER`: another study's settings, read as a stranger's file."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from control_sequences import control_characters
from digits_place import StudyPlace
from digits_study import SMOKE, STUDY
from one_process import one_process
from other_study import OTHER, damage, settings, stored

from lttune.config import flatten
from lttune.errors import LttuneError
from lttune.store.plain_json import read_json
from lttune.store.sealed import read_object, write_object
from lttune.study.checks.taken import OWN, taken_settings
from lttune.study.main import _last, main


@pytest.fixture
def other(cwd) -> Path:
    return stored(OTHER)


def test_its_settings_are_taken_and_not_who_where_and_how_long_it_ran(other, capsys):
    found = settings("--from", str(other), "--scale", "smoke")
    assert (found.trials, found.seed, found.controls) == (9, 5, ("reinit",))
    assert found.control_densities == (0.5,)
    assert found.lottery == OTHER.lottery
    assert found.objective == OTHER.objective
    for name in set(OWN) - {"from_study", "scale"}:
        assert getattr(found, name) == getattr(SMOKE, name), name
    told = capsys.readouterr().out
    assert told.startswith("settings of results/other (other, scale paper) instead of those of ")
    assert told.count("\n") == 1
    assert "lottery.train.lr 0.01 -> 0.02" in told
    assert "trials 4 -> 9" in told
    assert "secret" not in told


def test_flags_win(other):
    found = settings("--from", str(other), "--trials", "2", "--lottery.train.lr", "0.5")
    assert (found.trials, found.lottery.train.lr, found.seed) == (2, 0.5, 5)
    assert found.lottery.prune.fractions == OTHER.lottery.prune.fractions


def test_the_scale_is_the_others_where_the_study_has_it(other):
    larger = dataclasses.replace(SMOKE, name="mine-paper", scale="paper")
    study = dataclasses.replace(STUDY, scales={"quick": SMOKE, "paper": larger})
    assert settings("--from", str(other), study=study).name == "mine-paper"
    assert settings("--from", str(other), "--scale", "quick", study=study).name == SMOKE.name
    alone = dataclasses.replace(STUDY, scales={"smoke": SMOKE})
    assert settings("--from", str(other), study=alone).name == SMOKE.name


def test_what_an_older_version_did_not_know_has_its_default(cwd):
    folder = stored(OTHER)
    values = read_object(folder / "study.json")
    for name in ("search_ahead", "asha", "max_time", "from_study"):
        del values["config"][name]
    write_object(folder / "study.json", values)
    assert settings("--from", str(folder)).search_ahead == 3


def test_the_name_differs(refused, other):
    code, text = refused("--from", str(other), "--name", "other", "--trials", "0")
    assert code == 2
    assert "name must be another than that of the study that --from names, got 'other'" in text
    assert "trials must be a whole number >= 1, got 0" in text


def test_mistakes_in_flags_are_told_before_the_other_study(refused, cwd):
    code, text = refused("--from", "results/none", "--trials", "0")
    assert (code, text.count("\n")) == (2, 1)
    assert "trials must be a whole number >= 1, got 0" in text
    code, text = refused("--from", "results/none")
    assert code == 74
    assert text == "lttune: error: results/none is no study: it has no study.json\n"


def test_a_damaged_file_and_a_newer_one_are_told(refused, other):
    damage(other, "config.patience", 3)
    code, text = refused("--from", str(other))
    assert code == 3
    assert "study.json was written by a newer lttune: its settings have patience; use that" in text
    (other / "study.json").write_text('{"name"')
    code, text = refused("--from", str(other))
    assert (code, "study.json is damaged" in text) == (74, True)


def refusal_of(folder: Path) -> str | None:
    """Returns why settings are not taken; None if they are. No other error is raised."""
    try:
        taken_settings(folder, SMOKE)
    except LttuneError as error:
        return str(error)
    return None


ODD = (None, -1, "x", [[]], {"name": 1})


def test_whatever_stands_in_it_is_a_setting_or_one_line(other):
    values = read_object(other / "study.json")
    paths = [f"config.{name}" for name in values["config"]]
    paths += [f"lottery.{name}" for name in flatten(values["lottery"])]
    paths += ["config", "lottery", "lottery.train", "config.objective", "name", "scale"]
    refusals = 0
    for path in paths:
        for odd in ODD:
            damage(other, path, odd, values)
            said = refusal_of(other)
            refusals += said is not None
            assert said is None or "study.json" in said
    assert refusals > 150


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("model.name", "lenet-30"),
        ("prune.criterion", "random"),
        ("train.schedule", "milestones"),
        ("data.name", "digits"),
        ("target.data", "digits"),
        ("pretrain.data", "digits"),
    ],
)
def test_code_of_another_study_is_not_run(refused, cwd, path, own):
    marker = cwd / "ran"
    (cwd / "mine.py").write_text(f"open({str(marker)!r}, 'w')\n\ndef part(*given):\n    0\n")
    folder = stored(OTHER)
    damage(folder, f"lottery.{path}", "./mine.py:part")
    code, text = refused("--from", str(folder))
    assert code == 2
    assert f"its {path} ./mine.py:part is code, which no command takes from the folder" in text
    assert f"give --lottery.{path}" in text
    found = settings("--from", str(folder), f"--lottery.{path}", own)
    assert found.lottery.flat()[path] == own
    assert not marker.exists()


def test_code_in_a_file_that_is_called_as_torchvision_is_code(refused, cwd):
    marker = cwd / "ran"
    (cwd / "torchvision:net.py").write_text(f"open({str(marker)!r}, 'w')\nnetwork = None\n")
    folder = stored(OTHER)
    damage(folder, "lottery.model.name", "torchvision:net.py:network")
    code, text = refused("--from", str(folder), "--plan")
    assert code == 2
    assert "its model.name torchvision:net.py:network is code, which no command takes" in text
    assert not marker.exists()


def test_an_objective_of_another_study_is_not_run(refused, cwd):
    marker = cwd / "ran"
    source = f"open({str(marker)!r}, 'w')\n\ndef part(rows, classes):\n    return 1.0\n"
    (cwd / "theirs.py").write_text(source)
    folder = stored(OTHER)
    theirs = {"name": "./theirs.py:part", "direction": "minimize", "density": 0.3, "margin": 0.1}
    damage(folder, "config.objective", theirs)
    damage(folder, "lottery.prune.criterion", "./theirs.py:part")
    code, text = refused("--from", str(folder))
    assert code == 2
    for name, flag in (
        ("objective.name", "objective.name"),
        ("prune.criterion", "lottery.prune.criterion"),
    ):
        assert f"its {name} ./theirs.py:part is code, which no command takes" in text
        assert f"give --{flag}" in text
    words = ["--from", str(folder), "--lottery.prune.criterion", "random"]
    found = settings(*words, "--objective.name", "accuracy_at").objective
    assert (found.name, found.direction, found.density) == ("accuracy_at", None, 0.3)
    mine = ["--objective.name", "./mine.py:part", "--objective.direction", "maximize"]
    found = settings(*words, *mine).objective
    assert (found.name, found.direction, found.margin) == ("./mine.py:part", "maximize", 0.1)
    assert not marker.exists()


def test_this_studys_own_objective_is_kept_with_the_others_direction(cwd):
    ours = dataclasses.replace(
        OTHER.objective, name="./mine.py:part", direction="maximize", density=0.5
    )
    theirs = dataclasses.replace(ours, direction="minimize", density=0.3)
    folder = stored(dataclasses.replace(OTHER, objective=theirs))
    study = dataclasses.replace(STUDY, scales={"smoke": dataclasses.replace(SMOKE, objective=ours)})
    assert settings("--from", str(folder), study=study).objective == theirs


@pytest.mark.parametrize("names", [["./mine.py:part"], ["mine:part", "mine:other"]])
def test_measurements_of_another_study_are_not_run(refused, cwd, names):
    (cwd / "mine.py").write_text("open('ran', 'w')\n\ndef part(*given):\n    0\n")
    folder = stored(OTHER)
    damage(folder, "lottery.train.measure", names)
    code, text = refused("--from", str(folder))
    assert code == 2
    assert f"its train.measure {' '.join(names)} is code, which no command takes from the" in text
    assert "give --lottery.train.measure" in text
    found = settings("--from", str(folder), "--lottery.train.measure", "./mine.py:own")
    assert found.lottery.train.measure == ("./mine.py:own",)
    assert settings("--from", str(folder), "--lottery.train.measure").lottery.train.measure == ()
    assert not (cwd / "ran").exists()


def test_torchvisions_network_of_another_study_is_taken(cwd):
    folder = stored(OTHER)
    damage(folder, "lottery.model.name", "torchvision:resnet18")
    assert settings("--from", str(folder)).lottery.model.name == "torchvision:resnet18"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_study_from_another_runs_and_goes_on(tmp_path):
    place = StudyPlace(tmp_path)
    flags = ("--max-concurrent", "1", "--phases", "anchor")
    with one_process():
        place.run(*flags, "--lottery.train.lr", "0.02", "--replicates", "1")
        first = read_json(place.folder / "study.json")
        place.run("--from", str(place.folder), "--name", "next", "--max-concurrent", "1")
        assert place.exit_code == 0, place.printed
        assert f"settings of {place.folder} (digits, scale smoke)" in place.printed
        made = read_json(tmp_path / "out" / "next" / "study.json")
        assert made["lottery"] == first["lottery"]
        assert made["config"]["phases"] == ["anchor"]
        assert made["config"]["from_study"] == str(place.folder)
        # Its networks were those of the other one: nothing is trained anew.
        cells = place.cells()
        place.run("--from", str(place.folder), "--name", "next", "--max-concurrent", "1")
        assert (place.exit_code, place.cells()) == (0, cells)


@pytest.mark.parametrize(
    "words", ["--from out=1/other", "--from=out=1/other", "--from x --from out=1/other"]
)
def test_a_folder_may_have_an_equals_sign_in_its_name(words):
    assert _last(words.split(), "--from") == "out=1/other"
    assert _last(["--name", "--from"], "--from") is None


def test_the_help_shows_what_another_study_says_and_obeys_none_of_it(other, capsys, monkeypatch):
    values = read_object(other / "study.json")
    values["lottery"]["data"]["name"] = "./x\x1b]0;mine\x07.npz"
    write_object(other / "study.json", values)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(SystemExit) as ended:
        main(STUDY, lambda folder: folder, "", ["--from", str(other), "--scale=smoke", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert control_characters(text) == set()
    assert r"./x\x1b]0;mine" in text
