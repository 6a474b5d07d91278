"""A study in MLflow's page: found, opened, compared and read, by a headless Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import stored_study
from digits_study import LOTTERY
from playwright.sync_api import Page

from analysis import write_report
from docs import mlflow_page, screenshots
from lttune.records import schema
from lttune.records.objectives import ObjectiveConfig
from lttune.records.summary import level_metrics, trial_metrics
from lttune.study.tracking.tracker import Tracker
from lttune.study.tracking.views import POINT, views

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(shutil.which(name) for name in mlflow_page.PROGRAMS),
        reason="there is no Chromium: on Debian, apt install chromium",
    ),
]

HPARAMS = ({}, {"train.lr": 0.003})
ANCHOR, OTHER = "000 anchor replicate=0", "001 anchor lr=0.003"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a study of two trials, its report, and MLflow's database of both."""
    folder = tmp_path_factory.mktemp("ui")
    study = stored_study.make(folder, trials=HPARAMS, controls=("reinit",))
    rows = schema.read(study / "records.parquet")
    tracker = Tracker(uri(folder), "digits")
    tracker.start(
        description="Which knob decides?",
        params={},
        tags={},
        files=[],
        dataset=None,
        views=views(["train.lr"], "accuracy_auc", False, ["reinit"]),
    )
    for number, (name, hparams) in enumerate(zip((ANCHOR, OTHER), HPARAMS, strict=True)):
        mine = [row for row in rows if row["trial"] == number]
        params = LOTTERY.override(hparams).flat()
        tracker.trial(number, name, params, {"lttune.phase": "anchor", POINT: name})
        for level in sorted({row["level"] for row in mine}):
            metrics = level_metrics([row for row in mine if row["level"] == level])
            tracker.level(number, level, metrics)
        tracker.end_trial(number, "FINISHED", trial_metrics(mine, 10, ObjectiveConfig(), ()))
    tracker.finish("FINISHED", [write_report(study)])
    assert tracker.close(240) == ""
    return folder


def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


@pytest.fixture(scope="module")
def address(place):
    with mlflow_page.server(uri(place)) as address:
        yield address


@pytest.fixture(scope="module")
def window():
    """The first page of a browser that all tests share: to compile MLflow's scripts takes long."""
    with mlflow_page.browser() as page:
        yield page


@pytest.fixture
def page(window, address):
    """A page of its own, in a browser that remembers nothing of an earlier one."""
    page = window.context.new_page()
    yield page
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.close()
    window.context.clear_cookies()


@pytest.fixture(scope="module")
def anchor(place):
    """Densities and test accuracies of the first trial's trunk, by level."""
    rows = schema.read(place / "digits" / "records.parquet")
    mine = [r for r in rows if (r["trial"], r["branch"]) == (0, "trunk")]
    return [(r["density"], r["test_accuracy"]) for r in sorted(mine, key=lambda r: r["level"])]


def compared(page: Page, name: str) -> list[str]:
    """Returns the compared runs' last values of a metric, as the page rounds them.

    Only the first lines of a long table exist until one scrolls to the others.
    """
    label = page.locator("a[title='Plot chart']").get_by_text(name, exact=True)
    # Names and values are cells of two grids; what is in one line has the same place from the top.
    return label.evaluate(
        "label => { const cell = label.closest('div'); "
        "return Array.from(document.querySelectorAll('div > span[tooltip-data-state]'))"
        ".filter(value => value.parentElement.style.top === cell.style.top)"
        ".map(value => value.innerText) }"
    )


def test_accuracy_is_drawn_against_density(page, address, anchor):
    mlflow_page.open_study(page, address, "digits")
    mlflow_page.open_view(page, "Accuracy against density")
    mlflow_page.show(page, "CHART")
    drawn = mlflow_page.points(page, "density", ANCHOR)
    np.testing.assert_allclose(drawn, sorted(anchor), rtol=1e-9)


def test_two_runs_are_compared(page, address, anchor):
    mlflow_page.open_study(page, address, "digits")
    mlflow_page.open_view(page, "Factors")
    mlflow_page.compare(page, [ANCHOR, OTHER])
    names = mlflow_page.compared(page, "Run Name:")
    assert sorted(names) == [ANCHOR, OTHER]
    lrs = dict(zip(names, mlflow_page.compared(page, "train.lr"), strict=True))
    assert lrs == {ANCHOR: "0.01", OTHER: "0.003"}
    density, _ = anchor[-1]
    assert compared(page, "density") == [f"{density:.3f}"] * 2


def test_the_report_opens_in_the_viewer(page, address):
    frame = mlflow_page.open_report(page, address, "digits")
    assert frame.locator("h1").inner_text() == "Which knob decides?"
    assert frame.locator("svg").count() > 0
    frame.locator(".sortable button").first.click()  # The report's script makes the buttons.
    frame.locator("th[aria-sort]").first.wait_for()


def test_the_walk_through_has_its_pictures(page, address, tmp_path):
    pictures = screenshots.shoot(page, address, "digits", tmp_path)
    assert [path.name for path in pictures] == [
        f"mlflow-{name}.png" for name in ("trials", "factors", "controls", "compare")
    ]
    assert all(path.stat().st_size > 10_000 for path in pictures)
