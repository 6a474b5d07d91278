"""Learning curves as the analysis reads them, draws them, and asks them for a first step."""

import numpy as np
import pytest
from sample_study import anchor_rows, write_study

import analysis
from analysis.figures.learning import learning
from analysis.report.write import write
from analysis.tables.learning import (
    learning_table,
    reached_table,
    steps_to_accuracy,
    ticket_curves,
)
from lttune.records import schema

STEPS = range(0, 1001, 100)


def curve_rows(rows, tests=True):
    """Returns curves that rise to each network's accuracy, slower the deeper its level is."""
    found = []
    for row in rows:
        shared = {n: row.get(n) for n in schema.CURVE_MEASURES if n in row}
        for step in STEPS:
            accuracy = 0.1 + (row["val_accuracy"] - 0.1) * (
                1 - np.exp(-step / (60 + 20 * row["level"]))
            )
            each = {"step": step, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            each |= {"test_accuracy": accuracy + 0.01 if tests else None}
            found.append(
                {**dict.fromkeys(schema.CURVE_MEASURES), **shared, **each, "cell": "a" * 64}
            )
    return found


@pytest.fixture
def study(tmp_path):
    rows = anchor_rows(replicates=3, levels=8)
    folder = write_study(tmp_path / "s", rows)
    schema.write(folder / "curves.parquet", curve_rows(rows), schema.CURVE_MEASURES)
    return folder


def test_they_are_read_when_asked_for_and_empty_without(study, tmp_path):
    found = analysis.load(study).curves
    written = schema.read(study / "curves.parquet")
    assert list(found.columns) == list(schema.CURVE_MEASURES)
    assert found["val_loss"].tolist() == [row["val_loss"] for row in written]
    assert found["branch"].tolist() == [row["branch"] for row in written]
    assert analysis.load(study).curves_in(lambda phase: phase.is_design).empty
    older = analysis.load(write_study(tmp_path / "older"))
    assert older.curves.empty
    assert learning(older, "") is None
    assert reached_table(older).empty


def test_the_means_are_those_of_the_replicates(study):
    curves = ticket_curves(analysis.load(study))
    assert sorted(curves["level"].unique()) == [0, 3, 7]  # 100, 51.2 and 21.0 %
    table = learning_table(curves, "test_accuracy")
    for row in table.to_dict("records"):
        mine = curves[(curves["level"] == row["level"]) & (curves["step"] == row["step"])]
        assert row["mean"] == pytest.approx(mine["test_accuracy"].mean())
        assert row["n"] == 3
        assert row["density"] == pytest.approx(0.8 ** row["level"])


def test_the_first_step_is_that_of_a_walk_along_each_curve(study):
    curves = analysis.load(study).curves
    found = steps_to_accuracy(curves, 0.94)
    assert set(found["reached"]) == {True, False}
    for row in found.to_dict("records"):
        same = (curves[name] == row[name] for name in ("trial", "replicate", "branch", "level"))
        mine = curves[np.logical_and.reduce([*same])]
        steps = [s for s, a in zip(mine["step"], mine["val_accuracy"], strict=True) if a >= 0.94]
        assert (row["reached"], row["step"]) == (bool(steps), steps[0] if steps else 1000)


def test_the_report_shows_them_where_there_are_some(study, tmp_path):
    text = write(study).read_text()
    assert "Test accuracy against the training step" in text
    assert "Networks that reach it" in text
    rows = (study / "figures" / "steps_to_accuracy.csv").read_text().splitlines()
    assert len(rows) == 1 + 3
    assert (study / "figures" / "learning.svg").exists()
    older = write_study(tmp_path / "older")
    assert "against the training step" not in write(older).read_text()


def test_without_test_numbers_it_is_the_validation_accuracy(study):
    rows = curve_rows(anchor_rows(replicates=1), tests=False)
    schema.write(study / "curves.parquet", rows, schema.CURVE_MEASURES)
    drawing = learning(analysis.load(study), "")
    assert drawing.title == "Validation accuracy against the training step"
