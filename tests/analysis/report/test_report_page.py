"""The report as a browser shows it: in the dark, on paper, on a phone, on a wide screen."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sample_study import anchor_rows, network, search_trials, trial, write_study
from sample_sweeps import VERDICTS

from analysis.report import write as report

pytestmark = pytest.mark.slow

FILTER = "getComputedStyle(document.querySelector('.card svg')).filter"
FOLDED = """[...document.querySelectorAll('details')].map(
    (one) => one.lastElementChild.checkVisibility({contentVisibilityAuto: true}))"""


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


LEGIBLE = 7
"""CSS pixels of the smallest letters in a figure on a phone."""
SIZES = """[...document.querySelectorAll(".card > svg")].map((svg) => {
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    const letters = [...svg.querySelectorAll("text")].map(
        (text) => scale * parseFloat(getComputedStyle(text).fontSize));
    return [box.left, box.right, Math.min(...letters)];
})"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A study with a search, whose tables are wide and whose figures are many."""
    trials = [*(trial(number) for number in range(3)), *search_trials(8)]
    rows = [
        network("search", number, 0, "trunk", level, 0.9)
        for number in range(3, 11)
        for level in (0, 1)
    ]
    folder = write_study(tmp_path_factory.mktemp("w"), [*anchor_rows(), *rows], trials)
    return report.write(folder).as_uri()


def test_figures_are_whole_and_legible_on_a_phone(browser, wide):
    with browser.new_context(viewport={"width": 420, "height": 800}) as context:
        page = context.new_page()
        page.goto(wide)
        found = page.evaluate(SIZES)
    assert len(found) == 4
    for left, right, letters in found:
        assert 0 <= left < right <= 420
        assert letters >= LEGIBLE


def test_a_wide_screen_shows_all_columns(browser, wide):
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        page.goto(wide)
        table = page.locator(".scroll.tall")
        sizes = table.evaluate("(one) => [one.clientWidth, one.scrollWidth, one.offsetLeft]")
        assert sizes[0] == sizes[1] > page.evaluate("document.querySelector('main').clientWidth")
        box = table.bounding_box()
        assert abs(box["x"] + box["width"] / 2 - 700) < 2
        assert page.evaluate("document.documentElement.scrollWidth") == 1400


def edge(table):
    """Returns how bright the right edge of a table is, 255 where it is paper."""
    picture = np.asarray(Image.open(io.BytesIO(table.screenshot())).convert("L"))
    return float(np.median(picture[80:-20, -6:-3]))


def test_a_table_shows_on_which_side_there_is_more(browser, wide):
    with browser.new_context(viewport={"width": 420, "height": 800}) as context:
        page = context.new_page()
        page.goto(wide)
        table = page.locator(".scroll.tall")
        assert edge(table) < 240
        table.evaluate("(one) => { one.scrollLeft = one.scrollWidth; }")
        assert edge(table) > 250


def foot(table):
    """Returns how bright the lower edge of a table is, 255 where it is paper."""
    picture = np.asarray(Image.open(io.BytesIO(table.screenshot())).convert("L"))
    # The last row has a line below it.
    return float(np.median(picture[-6:-1, 30:-30], axis=1).max())


def test_a_long_table_shows_that_there_is_more_below(browser, wide):
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        page.goto(wide)
        table = page.locator(".scroll.tall")
        assert foot(table) < 240
        table.evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
        assert foot(table) > 250
        table.evaluate("(one) => { one.style.maxHeight = 'none'; }")
        assert foot(table) > 250
