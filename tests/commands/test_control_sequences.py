"""Commands on studies, files and paths whose texts hold control sequences: they are shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study
import yaml
from control_sequences import SEQUENCE, WRITTEN_OUT, control_characters
from sample_study import search_trials, trial, write_study
from sample_sweeps import design_study

from analysis.claims.file.reader import FILE
from lttune.__main__ import main
from lttune.study.search import optuna_importance

RESULTS = Path(__file__).parents[2] / "docs" / "results" / "sensitivity"


@pytest.fixture
def printed(capsys) -> Callable[..., str]:
    """Runs a command that succeeds; returns what it prints, without a control character."""

    def run(*words: object) -> str:
        assert main([*map(str, words)]) == 0
        text = "".join(capsys.readouterr())
        assert control_characters(text) == set()
        return text

    return run


def test_claims_that_are_judged_on_data_of_any_name(tmp_path, printed):
    study = tmp_path / "quick"
    shutil.copytree(RESULTS, study, ignore=shutil.ignore_patterns("figures", "claims.lock.json"))
    path = study / "records.parquet"
    table = pq.read_table(path).replace_schema_metadata(None)
    names = pa.array([SEQUENCE] * table.num_rows)
    place = table.column_names.index("data.name")
    pq.write_table(table.set_column(place, "data.name", names), path)
    text = printed("claims", "check", study, "--sensitivity")
    assert f"data.name {WRITTEN_OUT} instead of mnist" in text


@pytest.mark.parametrize("field", ["text", "family"])
def test_claims_of_a_file(tmp_path, printed, field):
    values = yaml.safe_load(FILE.read_text())
    values["claims"][0][field] += SEQUENCE
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(values))
    text = printed("claims", "list", "--file", path)
    assert WRITTEN_OUT in text
    assert text.count("\n") == len(values["claims"])


@pytest.mark.slow
def test_importances_of_factors_and_objectives_of_any_name(tmp_path, printed, monkeypatch):
    real = optuna_importance.optuna_importances

    def renamed(*given: Any, **options: Any) -> pd.DataFrame:
        found = real(*given, **options)
        return found.assign(factor=found["factor"] + SEQUENCE)

    monkeypatch.setattr(optuna_importance, "optuna_importances", renamed)
    objective = {"name": f"mine{SEQUENCE}", "text": "x"}
    study = design_study(tmp_path / "s", points=64, objective=objective)
    text = printed("importance", study.folder)
    assert f"train.lr{WRITTEN_OUT}" in text
    assert f"mine{WRITTEN_OUT}" in text


def test_a_report_of_a_study_of_any_name(tmp_path, printed, recwarn):
    trials = [*(trial(number) for number in range(3)), *search_trials(8)]
    for one in trials:
        one["hparams"] = {**one["hparams"], "prune.scope": SEQUENCE}
    name = f"\u7814\u7a76{SEQUENCE}"
    folder = write_study(tmp_path / "s", trials=trials, planned={"anchor": 3, "search": 8})
    sheet = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(sheet | {"name": name, "scale": SEQUENCE}))
    printed("report", folder)
    assert [str(one.message) for one in recwarn if "Glyph" in str(one.message)] == []
    figures = [*(folder / "figures").glob("*.svg")]
    assert len(figures) > 2
    for path in figures:
        text = "".join(ElementTree.parse(path).getroot().itertext())
        assert f"\u7814\u7a76{WRITTEN_OUT}" in text


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return stored_study.make(tmp_path_factory.mktemp("made") / f"results{SEQUENCE}")


@pytest.mark.parametrize(
    "command",
    [
        "export S --level 1 --out O.safetensors",
        "export S --level 1 --form smaller --out O.safetensors",
        "export S --csv --out O",
        "export S --optuna --out O.db",
        "export S --deepcave --out O",
        "masks S:0/0/1 S:0/0/2",
        "masks S:0/0/1 S:0/0/2 --combine union --out O.safetensors",
        "report S",
        "claims check S --out O.csv",
        "claims lock --out O.json",
        "doctor S",
    ],
)
def test_paths_of_any_name(made, cwd, capsys, command):
    study = cwd / f"results{SEQUENCE}" / made.name
    shutil.copytree(made.parent, study.parent)
    words = [one.replace("S", str(study), 1) if one[0] == "S" else one for one in command.split()]
    out = str(cwd / f"out{SEQUENCE}")
    code = main([one.replace("O", out, 1) if one[0] == "O" else one for one in words])
    text = "".join(capsys.readouterr())
    assert code == 0, text
    assert control_characters(text) == set()
    assert WRITTEN_OUT in text


def test_pictures_at_a_path_of_any_name(cwd, printed):
    pictures = np.random.default_rng(0).integers(0, 256, (9, 4, 4)).astype(np.uint8)
    y = np.arange(9) % 3
    path = cwd / f"own{SEQUENCE}.npz"
    np.savez(path, train_x=pictures, train_y=y, test_x=pictures, test_y=y)
    assert WRITTEN_OUT in printed("data", path)
