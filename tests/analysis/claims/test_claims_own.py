"""Claims and reports read no importances of another study, nor such as are no numbers."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pandas as pd
import pytest
from sample_study import anchor_rows, write_study
from sample_sweeps import design_study

from analysis.claims.of_studies import FIGURE, kept_importances
from analysis.figures.design.importance import importance_figure
from analysis.frame import load
from analysis.importance import saved
from analysis.report.rows.importance import OPTUNA, optuna_rows
from analysis.tables.design.current import sample_digest
from analysis.tables.design.points import design_sample
from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.records import schema
from lttune.records.spreadsheet import save_csv
from lttune.store.sealed import read_object, write_object

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "sensitivity"
ONE, OTHER = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = design_study(tmp_path_factory.mktemp("own")).folder
    for name in ("study.json", "trials.json"):
        write_object(folder / name, read_object(folder / name) | {"study_id": ONE})
    schema.write(folder / "records.parquet", schema.read(folder / "records.parquet"), study_id=ONE)
    (folder / "figures").mkdir(exist_ok=True)
    return folder


@pytest.fixture
def study(made, tmp_path):
    return load(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture(scope="module")
def drawn():
    return pd.read_csv(RESULTS / "figures" / "importance.csv")


@pytest.fixture(scope="module")
def sample(made):
    study = load(made)
    return sample_digest(study, design_sample(study))


@pytest.fixture(scope="module")
def found(drawn, sample):
    """Importances as a study keeps them, of the numbers of a real one."""
    strip = drawn.drop_duplicates("density").assign(reason="")
    tables = dict.fromkeys(saved.FRAMES, pd.DataFrame()) | {"table": drawn, "strip": strip}
    return saved.Importances(**tables, sample=sample, ended="", divergence="")


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


def older(study):
    """The study as a version before there were seals wrote it."""
    info = {name: value for name, value in study.info.items() if name != "study_id"}
    return dataclasses.replace(study, info=info)


def require_a_sealed_table(study, path: Path, table: pd.DataFrame, sample: str, read) -> None:
    """Reads a table of a study, then as it would be with another digit, and without its seal."""
    save_csv(study.marked(table, sample), path)
    read(study)
    text = path.read_text()
    path.write_text(text.replace("0.", "1.", 1))
    assert refusal(lambda: read(study)).startswith(f"{path} was changed since it was written: ")
    path.write_text(text.replace("lttune-sha256:", ""))
    assert refusal(lambda: read(study)).startswith(f"{path} lacks its checksum: move it away; ")
    # Of a version before there were seals, and of one before it named the study.
    for earlier in (table.assign(study_id=ONE, sample=sample), table.assign(sample=sample)):
        earlier.to_csv(path, index=False)
        read(study)
    table.to_csv(path, index=False)
    read(older(study))


def test_saved_importances_of_another_study_are_refused(study, found, capsys):
    path = study.folder / saved.NAME
    saved.save(path, "k", found, OTHER)
    expected = is_of_another(path, study, "report")
    assert refusal(lambda: kept_importances([study])) == expected
    assert main(["claims", "check", str(study.folder)]) == 74
    assert capsys.readouterr().err == f"lttune: error: {expected}\n"
    saved.save(path, "k", found, ONE)
    assert len(kept_importances([study])["test_accuracy"].table) == len(found.table)
    saved.save(path, "k", found, None)
    told = f"{path} is damaged: it does not say of which study it is; move it away; `lttune report "
    assert refusal(lambda: kept_importances([study])).startswith(told)
    assert len(kept_importances([older(study)])["test_accuracy"].table) == len(found.table)


def test_a_changed_digit_is_damage_and_not_another_study(study, found):
    path = study.folder / saved.NAME
    saved.save(path, "k", found, ONE)
    path.write_text(path.read_text().replace(ONE, f"0{ONE[1:]}"))
    assert kept_importances([study]) == {}


def test_a_figure_of_another_study_is_refused(study, drawn, sample):
    path = study.folder / FIGURE

    def read(one):
        assert len(kept_importances([one])["test_accuracy"].strip) == drawn["density"].nunique()

    require_a_sealed_table(study, path, drawn, sample, read)
    drawn.assign(study_id=OTHER).to_csv(path, index=False)
    expected = is_of_another(path, study, "report")
    assert refusal(lambda: kept_importances([study])) == expected


def test_the_figure_says_of_which_study_it_is(study, found):
    assert set(importance_figure(study, "", found).table["study_id"]) == {ONE}
    del study.info["study_id"]
    assert "study_id" not in importance_figure(study, "", found).table


def test_a_table_of_other_importances_of_another_study_is_refused(study, sample):
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

    def read(one):
        (group,) = optuna_rows(one)
        assert [row["factor"] for row in group["rows"]] == ["train.lr", "train.batch_size"]

    require_a_sealed_table(study, path, table, sample, read)
    table.assign(study_id=OTHER).to_csv(path, index=False)
    assert refusal(lambda: optuna_rows(study)) == is_of_another(path, study, "importance")
    for name, value in (("n", "inf"), ("n", "1e400"), ("rank", "inf"), ("importance", "much")):
        save_csv(study.marked(table.astype(object).assign(**{name: value}), sample), path)
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
def test_a_figure_without_numbers_is_told(study, drawn, sample, name, value):
    path = study.folder / FIGURE
    save_csv(study.marked(drawn.astype(object).assign(**{name: value}), sample), path)
    text = refusal(lambda: kept_importances([study]))
    assert text.startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize("column", ["status", "reason", "trajectories", "floor"])
def test_a_figure_without_a_column_is_told(study, drawn, sample, column):
    path = study.folder / FIGURE
    save_csv(study.marked(drawn.drop(columns=column), sample), path)
    assert column in refusal(lambda: kept_importances([study]))


def test_networks_without_a_seed_are_one_line(tmp_path, capsys):
    rows = [row | {"seed": None if row["trial"] == 0 else 0} for row in anchor_rows()]
    study = write_study(tmp_path / "s", rows)
    assert main(["claims", "check", str(study)]) == 74
    told = capsys.readouterr().err
    path = study / "records.parquet"
    assert told == f"lttune: error: {path}: seed must be a whole number, got None\n"
