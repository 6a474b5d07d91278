"""What was estimated before a study grew is no answer to its records now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import claim, question, registry
from sample_sweeps import design_study

from analysis.claims import of_studies
from analysis.claims.of_studies import FIGURE, kept_importances
from analysis.figures.design.importance import importance_figure
from analysis.frame import load
from analysis.importance import ImportanceCurves, saved
from analysis.importance.by_density import STRIP
from analysis.report.rows.importance import OPTUNA, optuna_rows
from analysis.tables.design import importance as design_importance
from analysis.tables.design.current import sample_digest
from analysis.tables.design.points import design_sample
from lttune.__main__ import main
from lttune.errors import DamagedError
from lttune.records import schema
from lttune.records.spreadsheet import save_csv
from lttune.store.sealed import read_object, write_object

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "sensitivity"
FEW, MANY = 20, 24
"""Points of the design, before and after it grew."""
SINCE = "of other records than the study has now: `lttune"


@pytest.fixture
def quick(monkeypatch):
    """Has the numbers of a real study stand for the estimate, which takes seconds."""
    drawn = pd.read_csv(RESULTS / "figures" / "importance.csv")
    strip = drawn.drop_duplicates("density").assign(reason="")[STRIP]
    table = drawn.drop(columns=[name for name in STRIP if name != "density"])
    curves = ImportanceCurves(
        table=table, strip=strip, missing=pd.DataFrame(), ended="", estimates={}
    )
    monkeypatch.setattr(design_importance, "importance_by_density", lambda *_, **options: curves)
    monkeypatch.setattr(design_importance, "TABLE_DENSITIES", ())


def grown(folder: Path, points: int):
    """Returns the study with so many points; it keeps its name as it grows."""
    design_study(folder, points)
    for name in ("study.json", "trials.json"):
        write_object(folder / name, read_object(folder / name) | {"study_id": "a" * 64})
    rows = schema.read(folder / "records.parquet")
    schema.write(folder / "records.parquet", rows, study_id="a" * 64)
    (folder / "figures").mkdir(exist_ok=True)
    return load(folder)


def verdict(study):
    asks = question(
        measure="importance",
        reads="test_accuracy",
        cells=[],
        form="matters_more",
        factors=["train.lr", "train.batch_size"],
        densities=[0.168],
    )
    row = of_studies([study], registry(claim(asks))).iloc[0]
    return row["verdict"], row["reason"]


@pytest.mark.usefixtures("quick")
def test_claims_are_not_judged_by_importances_from_before_a_study_grew(tmp_path, capsys):
    study = grown(tmp_path, FEW)
    design_importance.importance_tables(study)
    assert verdict(study)[0] == "supported"
    study = grown(tmp_path, MANY)
    told = f"{tmp_path}/importance.json is {SINCE} report {tmp_path}` makes it anew."
    word, reason = verdict(study)
    assert (word, reason.startswith(told)) == ("not tested", True), reason
    assert main(["claims", "check", str(tmp_path)]) == 0
    assert "Traceback" not in capsys.readouterr().err
    # The report estimates them anew before it judges.
    design_importance.importance_tables(study)
    assert verdict(study)[0] == "supported"


@pytest.mark.usefixtures("quick")
def test_of_outgrown_importances_the_figure_is_not_asked(tmp_path):
    study = grown(tmp_path, FEW)
    found = design_importance.importance_tables(study)
    save_csv(importance_figure(study, "", found).table, tmp_path / FIGURE)
    # By hand, so that its checksum is another's.
    (tmp_path / FIGURE).write_text((tmp_path / FIGURE).read_text().replace("train.lr", "train.l2"))
    assert verdict(study)[0] == "supported"
    study = grown(tmp_path, MANY)
    word, reason = verdict(study)
    assert word == "not tested"
    assert reason.startswith(f"{tmp_path / saved.NAME} is {SINCE} report {tmp_path}` makes it anew")
    # Without the file that stands for it, it is asked.
    (tmp_path / saved.NAME).unlink()
    with pytest.raises(DamagedError, match="was changed since it was written"):
        kept_importances([study])


def changed(folder: Path, **facts):
    """Returns the study after facts of its last trial changed, and none of its networks."""
    listing = read_object(folder / "trials.json")
    listing["trials"][-1] |= facts
    write_object(folder / "trials.json", listing)
    return load(folder)


@pytest.mark.parametrize("facts", [{"state": "waiting"}, {"objective": 0.123}])
@pytest.mark.usefixtures("quick")
def test_a_report_renews_the_sample_where_only_a_trial_changed(tmp_path, monkeypatch, facts):
    study = grown(tmp_path, FEW)
    before = design_importance.importance_tables(study)
    study = changed(tmp_path, **facts)
    assert verdict(study)[0] == "not tested"
    # Its networks are the same, and so are the numbers: they are not estimated again.
    monkeypatch.setattr(design_importance, "importance_by_density", None)
    found = design_importance.importance_tables(study)
    pd.testing.assert_series_equal(found.table["total"], before.table["total"])
    assert found.sample == digest(study) != before.sample
    assert verdict(study)[0] == "supported"


def digest(study) -> str:
    return sample_digest(study, design_sample(study))


def test_a_sample_is_the_same_where_logarithms_end_in_another_digit(tmp_path, monkeypatch):
    study = grown(tmp_path, FEW)
    here, log = digest(study), np.log
    responses = design_sample(study).responses

    def elsewhere(values):
        """Returns logarithms of which some are the next number."""
        found = log(values)
        return np.where(np.less(values, 990), np.nextafter(found, np.inf), found)[()]

    monkeypatch.setattr(np, "log", elsewhere)
    design_sample.cache_clear()  # As on the other machine, where nothing was computed.
    other = design_sample(study).responses
    assert not other.equals(responses)
    pd.testing.assert_frame_equal(other, responses, rtol=1e-12)
    assert digest(study) == here


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("test_accuracy", 0.5),
        ("density", 0.79),
        ("early_stop_step", 1),
        ("diverged", True),
        ("level", 9),
    ],
)
def test_a_sample_is_another_where_a_record_is(tmp_path, column, value):
    study = grown(tmp_path, FEW)
    here = digest(study)
    study.records.loc[3, column] = value
    assert digest(study) != here


def test_a_sample_is_the_same_whatever_else_is_in_the_records(tmp_path):
    study = grown(tmp_path, FEW)
    here, rows = digest(study), study.records
    # Of a control and of another phase, one without a step, which makes of steps no whole numbers.
    others = [
        rows.iloc[[3]].assign(branch="reinit", test_accuracy=0.5),
        rows.iloc[[3]].assign(phase="anchor", trial=10_000, early_stop_step=np.nan),
    ]
    shuffled = pd.concat([*others, rows.iloc[::-1]], ignore_index=True)
    assert digest(replace(study, records=shuffled)) == here


@pytest.mark.usefixtures("quick")
def test_nor_by_the_figure_from_before(tmp_path):
    study = grown(tmp_path, FEW)
    found = design_importance.importance_tables(study)
    table = importance_figure(study, "", found).table
    save_csv(table, tmp_path / FIGURE)
    (tmp_path / saved.NAME).unlink()
    assert verdict(study)[0] == "supported"
    study = grown(tmp_path, MANY)
    assert verdict(study)[0] == "not tested"
    assert f"{tmp_path / FIGURE} is {SINCE} report " in kept_importances([study])["test_accuracy"]
    # As lttune wrote it before a file named its sample.
    table.drop(columns=["sample", "seal"]).to_csv(tmp_path / FIGURE, index=False)
    assert f"{tmp_path / FIGURE} may be {SINCE} " in kept_importances([study])["test_accuracy"]


def test_a_report_does_not_show_other_importances_from_before(tmp_path):
    study = grown(tmp_path, FEW)
    assert main(["importance", str(tmp_path)]) == 0
    assert {group["n"] for group in optuna_rows(study)} == {FEW}
    study = grown(tmp_path, MANY)
    assert optuna_rows(study) == f"figures/{OPTUNA} is {SINCE} importance` makes it anew."
