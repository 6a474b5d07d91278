"""Claims and reports read no importances of another study, nor such as are no numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from sample_sweeps import design_study

from analysis.claims.of_studies import FIGURE, kept_importances
from analysis.figures.design.importance import importance_figure
from analysis.frame import load
from analysis.importance import saved
from analysis.report.rows.importance import OPTUNA, optuna_rows
from lttune.__main__ import main
from lttune.errors import StorageError

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "sensitivity"
ONE, OTHER = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = design_study(tmp_path_factory.mktemp("own")).folder
    sheet = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(sheet | {"study_id": ONE}))
    (folder / "figures").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def study(made, tmp_path):
    return load(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture(scope="module")
def drawn():
    return pd.read_csv(RESULTS / "figures" / "importance.csv")


@pytest.fixture(scope="module")
def found(drawn):
    """Importances as a study keeps them, of the numbers of a real one."""
    strip = drawn.drop_duplicates("density").assign(reason="")
    tables = dict.fromkeys(saved.FRAMES, pd.DataFrame()) | {"table": drawn, "strip": strip}
    return saved.Importances(**tables, ended="", divergence="")


def refusal(run) -> str:
    with pytest.raises(StorageError) as error:
        run()
    assert "\n" not in str(error.value)
    return str(error.value)


def is_of_another(path: Path, study, command: str) -> str:
    return (
        f"{path} is of another study than the study.json beside it: move it away; `lttune "
        f"{command} {study.folder}` makes the study's own"
    )


def test_saved_importances_of_another_study_are_refused(study, found, capsys):
    path = study.folder / saved.NAME
    saved.save(path, "k", found, OTHER)
    expected = is_of_another(path, study, "report")
    assert refusal(lambda: kept_importances([study])) == expected
    assert main(["claims", "check", str(study.folder)]) == 74
    assert capsys.readouterr().err == f"lttune: error: {expected}\n"
    for own in (ONE, None):
        saved.save(path, "k", found, own)
        kept = kept_importances([study])["test_accuracy"]
        assert len(kept.table) == len(found.table)


def test_a_changed_digit_is_damage_and_not_another_study(study, found):
    path = study.folder / saved.NAME
    saved.save(path, "k", found, ONE)
    path.write_text(path.read_text().replace(ONE, f"0{ONE[1:]}"))
    assert kept_importances([study]) == {}


def test_a_figure_of_another_study_is_refused(study, drawn):
    path = study.folder / FIGURE
    for own in (ONE, None):
        (drawn.assign(study_id=own) if own else drawn).to_csv(path, index=False)
        assert len(kept_importances([study])["test_accuracy"].strip) == drawn["density"].nunique()
    drawn.assign(study_id=OTHER).to_csv(path, index=False)
    expected = is_of_another(path, study, "report")
    assert refusal(lambda: kept_importances([study])) == expected


def test_the_figure_says_of_which_study_it_is(study, found):
    assert set(importance_figure(study, "", found).table["study_id"]) == {ONE}
    del study.info["study_id"]
    assert "study_id" not in importance_figure(study, "", found).table


def test_a_table_of_other_importances_of_another_study_is_refused(study):
    path = study.folder / "figures" / OPTUNA
    table = pd.DataFrame(
        {
            "response": "accuracy",
            "method": "fANOVA",
            "question": "?",
            "n": 20,
            "factor": ["train.lr", "train.batch_size"],
            "importance": [0.75, 0.25],
            "rank": [1, 2],
            "unknown": "",
        }
    )
    for own in (ONE, None):
        (table.assign(study_id=own) if own else table).to_csv(path, index=False)
        (group,) = optuna_rows(study)
        assert [row["factor"] for row in group["rows"]] == ["train.lr", "train.batch_size"]
    table.assign(study_id=OTHER).to_csv(path, index=False)
    assert refusal(lambda: optuna_rows(study)) == is_of_another(path, study, "importance")
    for name, value in (("n", "inf"), ("n", "1e400"), ("rank", "inf"), ("importance", "much")):
        table.astype(object).assign(**{name: value}).to_csv(path, index=False)
        text = refusal(lambda: optuna_rows(study))
        assert text.startswith(f"{path} is no table of lttune importance: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trajectories", "inf"),
        ("trajectories", ""),
        ("trajectories", "1" + 400 * "0"),
        ("total", "much"),
        ("density", "dense"),
    ],
)
def test_a_figure_without_numbers_is_told(study, drawn, name, value):
    path = study.folder / FIGURE
    drawn.astype(object).assign(**{name: value}).to_csv(path, index=False)
    text = refusal(lambda: kept_importances([study]))
    assert text.startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize("column", ["status", "reason", "trajectories", "floor"])
def test_a_figure_without_a_column_is_told(study, drawn, column):
    path = study.folder / FIGURE
    drawn.drop(columns=column).to_csv(path, index=False)
    assert column in refusal(lambda: kept_importances([study]))
