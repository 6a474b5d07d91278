"""The figures of designs and of importances."""

from functools import partial

import pandas as pd
import pytest
from sample_sweeps import design_study

from analysis.importance import importance_by_density
from analysis.report.section import Subject
from analysis.report.sections import SECTIONS
from analysis.tables import noise
from analysis.tables.design import importance as design_importance
from analysis.tables.design import points as design_points
from analysis.tables.design import widths


def test_replicates_of_a_design_point_are_one_point(tmp_path):
    points = design_points.design_points(design_study(tmp_path))
    assert len(points) == 16
    assert points["trials"].iloc[0] == [0, 1]
    assert points["trial"].tolist()[:3] == [0, 2, 4]
    assert points["train.lr"].iloc[0] == pytest.approx(10 ** (2 * 0.03 - 4))
    assert points["inert"].notna().all()


NOTHING = {
    "noise": pd.DataFrame(columns=noise.NOISE_COLUMNS),
    "widths": pd.DataFrame(columns=widths.WIDTH_COLUMNS),
}


def _drawn(study, design):
    subject = Subject(study=study, design=design)
    found = [one for section in SECTIONS for one in section.figures(subject, NOTHING)]
    return [drawing for drawing in found if drawing is not None]


@pytest.mark.slow
def test_importance_is_drawn_from_the_design(tmp_path, monkeypatch):
    quick = partial(importance_by_density, draws=8, permutations=9, base=64)
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    few = design_points.IMPORTANCE_DENSITIES[:3:2]
    monkeypatch.setattr(design_points, "IMPORTANCE_DENSITIES", few)
    study = design_study(tmp_path, config={"objective": {"density": 0.41}})
    found, note = design_importance.design_tables(study)
    assert note == ""
    drawn = _drawn(study, found)
    assert {"importance", "surrogate"} <= {drawing.name for drawing in drawn}
    left_out = next(d for d in drawn if d.name == "surrogate").table
    # The line is noiseless but for the replicates, and every point comes once at each density.
    assert left_out.groupby("density").size().to_dict() == {few[1]: 16, few[0]: 16}
    assert (left_out["observed"] - left_out["predicted"]).abs().max() < 0.005
    assert left_out["inside"].mean() > 0.8
    table = next(d for d in drawn if d.name == "importance").table
    lr = table[table["factor"] == "train.lr"]
    assert lr["density"].tolist() == list(few)
    assert (lr["first"] > 0.9).all()
    assert (table.loc[table["factor"] == "inert", "total"] < 0.1).all()
    assert set(table["trajectories"]) == {20}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"factors": []}, "declares no factors"), ({"points": 8}, "8 points of the design")],
)
def test_a_design_without_importances_says_why(tmp_path, changes, expected):
    study = design_study(tmp_path, **changes)
    found, note = design_importance.design_tables(study)
    assert found is None
    assert expected in note
    drawn = _drawn(study, found)
    assert "importance" not in {drawing.name for drawing in drawn}
