"""What the tests of the report share."""

import shutil

import pytest
from playwright import sync_api

from analysis.figures import canvas
from docs import mlflow_page


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the drawings of a page empty: to lay them out takes half of the time of a report.

    For tests of the words and the tables alone. The figures are still made, with their CSVs.
    """
    monkeypatch.setattr(canvas, "svg", lambda drawing: f'<svg id="{drawing.name}"></svg>')


@pytest.fixture(scope="module")
def browser():
    """The machine's Chromium, without a window."""
    if not any(shutil.which(name) for name in mlflow_page.PROGRAMS):
        pytest.skip("there is no Chromium: on Debian, apt install chromium")
    with sync_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=mlflow_page.chromium())
        yield program
        program.close()
