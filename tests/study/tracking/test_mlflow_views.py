from __future__ import annotations

from digits_study import SMOKE, STUDY
from hypothesis import given
from hypothesis import strategies as st

from lttune.data import load
from lttune.records.ledger import Trial
from lttune.study.manifest import sheet
from lttune.study.mirrored import TrackedStudy
from lttune.study.tracking.tracker import Tracker
from lttune.study.tracking.views import TAG, views

LONGEST = 5_000
"""Characters that servers before 3.17 store in an experiment's tag; today 20,000."""

NAMES = st.text("abcdefghijklmnopqrstuvwxyz._", min_size=1, max_size=30)


def named(**changes) -> dict:
    values = {"factors": ["train.lr"], "objective": "accuracy_auc", "ascending": False}
    found = views(**{**values, "controls": ["reinit"], **changes})
    return {view.name: view for view in found}


def test_density_is_the_x_axis():
    (chart, log) = named()["Accuracy against density"].charts
    assert (chart["metricKey"], chart["xAxisKey"]) == ("test_accuracy", "metric")
    assert chart["selectedXAxisMetricKey"] == "density"
    assert log == {**chart, "selectedXAxisMetricKey": "log10_density"}


def test_controls_are_drawn_beside_the_ticket():
    (chart, _) = named(controls=["reinit", "random"])["Ticket and controls"].charts
    names = ["test_accuracy", "reinit.test_accuracy", "random.test_accuracy"]
    assert chart["selectedMetricKeys"] == names


def test_a_study_without_controls_or_factors_has_no_view_of_them():
    assert "Ticket and controls" not in named(controls=[])
    assert "Factors" not in named(factors=[])


def test_the_best_trial_comes_first():
    assert [view.ascending for view in named(ascending=True).values()] == [True] * 4
    assert {view.order for view in named(objective="accuracy_at").values()} == {"accuracy_at"}


def test_every_factor_is_an_axis_and_a_chart():
    factors = ["train.lr", "prune.criterion"]
    (parallel, *scatters) = named(factors=factors)["Factors"].charts
    assert parallel["selectedParams"] == factors
    assert [chart["xaxis"]["key"] for chart in scatters] == factors


@given(st.lists(NAMES, max_size=20, unique=True), st.lists(NAMES, max_size=10, unique=True))
def test_a_view_fits_into_a_tag(factors, controls):
    for view in views(factors, "ticket_density", True, controls):
        assert len(view.tag(1_795_445_877_281)) < LONGEST
        assert TAG + view.key == f"mlflow.sharedViewState.{view.key}"


def test_how_deep_a_trajectory_goes_is_no_factor(tmp_path):
    # What is the base's own is none either.
    hparams = {"train.momentum": 0.5, "levels": 1, "min_density": 0.5, "train.warmup_steps": 0}
    trial = Trial(0, "sweep", "", hparams, [0], [])
    known = sheet(SMOKE, STUDY, load("digits"), "torch")
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", "digits")
    offered = TrackedStudy(tmp_path, known, [trial], lambda _: [], tracker)._views()
    assert tracker.close(0) == ""
    columns = " ".join(column for view in offered for column in view.columns)
    assert "train.momentum" in columns
    assert "warmup" not in columns
    assert "levels" not in columns
    assert "min_density" not in columns
