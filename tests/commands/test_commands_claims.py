"""``lttune claims``: list, lock, power and check."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.claims.file.reader import FILE
from lttune.__main__ import main

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "sensitivity"


def test_list_has_a_line_for_each_claim(capsys):
    assert main(["claims", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 148
    first = lines[0].split()
    assert first[:5] == ["FC-ACC", "superiority", "density", "confirmatory", "A"]


def test_power_warns(capsys):
    assert main(["claims", "power", "--sd", "0.15", "--n", "5"]) == 0
    out = capsys.readouterr().out
    assert "power below 0.8: probably inconclusive" in out
    assert main(["claims", "power", "--sd", "0.03", "--sd-log", "0.03", "--n", "20"]) == 0
    assert "inconclusive" not in capsys.readouterr().out


def test_a_pilot_says_how_many_replicates_a_claim_needs(tmp_path, capsys):
    assert main(["claims", "power", str(RESULTS)]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["FC-TRAIN-ES"][6] == "pilot"
    assert rows["G-SIZE-SPEED"][6] == "assumed"
    needs = int(rows["FC-TRAIN-ES"][5])
    assert needs > int(rows["FC-TRAIN-ES"][2])
    out = tmp_path / "claims.lock.json"
    assert main(["claims", "lock", str(RESULTS), "--out", str(out)]) == 0
    assert f"FC-TRAIN-ES: {needs} replicates instead of 5, by the pilot" in capsys.readouterr().out
    locked = json.loads(out.read_text())["n"]
    assert locked["FC-TRAIN-ES"] == needs
    assert locked["FC-SPEED"] >= 10
    with pytest.raises(SystemExit):
        main(["claims", "list", str(RESULTS)])


@pytest.mark.slow
def test_a_study_is_checked_against_the_lock_in_its_folder(tmp_path, capsys):
    study = tmp_path / "quick"
    shutil.copytree(RESULTS, study, ignore=shutil.ignore_patterns("figures", "claims.lock.json"))
    out = tmp_path / "verdicts.csv"
    assert main(["claims", "check", str(study), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "FC-TRAIN-ES: supported; 0.508 [0.159, 0.857] points, n 5, p 0.039" in text
    assert "exploratory (not locked); 3,000 steps, lenet-300-100, mnist, batch 60" in text
    assert "deviates in setting: train.steps 3,000 instead of 50,000" in text
    table = pd.read_csv(out)
    assert table["claim"].nunique() == 148
    assert table["verdict"].isin(["supported", "contradicted", "inconclusive", "not tested"]).all()

    lock = study / "claims.lock.json"
    assert main(["claims", "lock", "--out", str(lock)]) == 0
    assert "148 claims" in capsys.readouterr().out
    assert main(["claims", "check", str(study)]) == 0
    assert "FC-ACC: not tested. The claims were locked on" in capsys.readouterr().out
    assert main(["claims", "lock", "--out", str(lock)]) == 2
    assert "written once" in capsys.readouterr().err

    changed = tmp_path / "claims.yaml"
    changed.write_bytes(FILE.read_bytes() + b"# changed\n")
    assert main(["claims", "check", str(study), "--file", str(changed)]) == 0
    assert "is not the one that was locked on" in capsys.readouterr().out


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(["claims", "check", str(tmp_path)]) == 74
    assert "is no study" in capsys.readouterr().err
    assert main(["claims", "check", str(RESULTS), "--lock", str(tmp_path / "none")]) == 2
    assert "--lock must be a file that exists" in capsys.readouterr().err
    for wrong in (["check"], ["list", "results/a"], ["power", "--n", "1"]):
        with pytest.raises(SystemExit):
            main(["claims", *wrong])
