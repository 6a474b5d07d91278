"""The report as a browser shows it: in the dark, on paper, on a phone."""

import shutil

import pandas as pd
import pytest
from playwright import sync_api
from sample_study import write_study
from sample_sweeps import VERDICTS

from analysis.report import write as report
from docs import mlflow_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not any(shutil.which(name) for name in mlflow_page.PROGRAMS),
        reason="there is no Chromium: on Debian, apt install chromium",
    ),
]

FILTER = "getComputedStyle(document.querySelector('.card svg')).filter"
FOLDED = """[...document.querySelectorAll('details')].map(
    (one) => one.lastElementChild.checkVisibility({contentVisibilityAuto: true}))"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=mlflow_page.chromium())
        yield program
        program.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    other = VERDICTS.iloc[[1]].assign(verdict="inconclusive", scale="a proxy")
    verdicts = pd.concat([VERDICTS, other])
    return report.write(write_study(tmp_path_factory.mktemp("p")), verdicts=verdicts).as_uri()


def test_figures_are_dark_on_a_dark_screen_and_white_on_paper(browser, address):
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(address)
        assert "invert" in page.evaluate(FILTER)
        page.emulate_media(media="print")
        assert page.evaluate(FILTER) == "none"
    with browser.new_context(color_scheme="light") as context:
        page = context.new_page()
        page.goto(address)
        assert page.evaluate(FILTER) == "none"


def test_what_is_folded_on_the_screen_is_printed(browser, address):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        assert page.evaluate(FOLDED) == [False, False]  # Another scale, and what was not tested.
        page.emulate_media(media="print")
        # What becomes visible is so from the next frame on. A function, because Playwright (1.65)
        # evaluates an expression anew in the page, whose policy allows that once only.
        page.wait_for_function(f"() => ({FOLDED}).every(Boolean)", timeout=10_000)


def test_a_phone_scrolls_down_only(browser, address):
    with browser.new_context(viewport={"width": 400, "height": 800}) as context:
        page = context.new_page()
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == 400
