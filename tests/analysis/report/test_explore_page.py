"""What there is to explore as a browser shows it, under the page's own policy."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from sample_study import anchor_rows, ended_rows, network, trial, write_study
from sample_sweeps import design_study
from test_explore import MARKER, SEARCHED, TRIALS, data_of

from analysis.report import write as report

pytestmark = pytest.mark.slow

SETTINGS = [*TRIALS[:10], TRIALS[10] | {"hparams": {"prune.scope": MARKER, MARKER: MARKER}}]
INKS = 500
"""Pixels that are not grey, from which on a picture has something in colour."""
MISSING, LOW, HIGH = -0.1, -0.15, 1.06
"""Where a missing value lies, and the ends of the axis, as the script has them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explored")
    write_study(folder, [*anchor_rows(), *SEARCHED], SETTINGS, question=MARKER)
    report.write(folder)
    return folder


@pytest.fixture
def shown(browser):
    """Opens a page; at the end nothing may stand on its console."""
    said, contexts = [], []

    def show(path, **options):
        contexts.append(browser.new_context(viewport={"width": 900, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message))
        page.on("pageerror", lambda error: said.append(error))
        page.goto((path / "report.html").as_uri())
        if options.get("java_script_enabled", True):
            page.locator("#explore-lines canvas").first.wait_for(state="attached")
            page.wait_for_function("() => Bokeh.documents.every((one) => one.is_idle)")
            page.locator("#explore-lines").scroll_into_view_if_needed()
        return page

    yield show
    for context in contexts:
        context.close()
    assert [str(one) for one in said if getattr(one, "type", "error") in ("error", "warning")] == []


def colours(picture):
    """Returns how many pixels of a picture have a hue."""
    return int((np.asarray(Image.open(io.BytesIO(picture)).convert("HSV"))[..., 1] > 60).sum())


class Lines:
    """The plot of the trials: where its marks are on the screen."""

    def __init__(self, page, folder):
        self.page = page
        self.data = data_of((folder / "report.html").read_text())
        self.level = self.data["start"]
        self.names = [axis["name"] for axis in self.data["axes"]]

    def at(self, number, name):
        """Returns where a trial lies on an axis, and which one that is."""
        row = next(i for i, one in enumerate(self.names) if one.startswith(name))
        (mine,) = [one for one in self.data["trials"] if one["number"] == number]
        found = mine["at"][row]
        found = found[self.level] if isinstance(found, list) else found
        return MISSING if found is None else found, row

    def pixel(self, x, row):
        box = self.page.locator("#explore-lines > *").first.bounding_box()
        inner = box["width"] - 8, box["height"] - 8
        rows = len(self.names)
        across = box["x"] + 4 + inner[0] * (x - LOW) / (HIGH - LOW)
        return across, box["y"] + 4 + inner[1] * (row + 0.75) / (rows + 0.25)

    def drag(self, name, start, end):
        row = next(i for i, one in enumerate(self.names) if one.startswith(name))
        self.page.mouse.move(*self.pixel(start, row))
        self.page.mouse.down()
        self.page.mouse.move(*self.pixel((start + end) / 2, row), steps=4)
        self.page.mouse.move(*self.pixel(end, row), steps=4)
        self.page.mouse.up()
        return row

    def within(self, name, start, end):
        numbers = [one["number"] for one in self.data["trials"]]
        return sum(start <= self.at(number, name)[0] <= end for number in numbers)


def test_axes_narrow_the_trials_and_let_them_come_back(shown, folder):
    page = shown(folder)
    lines = Lines(page, folder)
    kept = page.locator("#explore-kept")
    expect(kept).to_have_text("11 of 11 trials")
    whole = page.locator("#explore-lines").screenshot()
    assert colours(whole) > INKS
    lines.drag("train.lr", 0.42, 1.03)
    by_rate = lines.within("train.lr", 0.42, 1.03)
    assert 0 < by_rate < 11
    expect(kept).to_have_text(f"{by_rate} of 11 trials")
    assert page.locator("#explore-lines").screenshot() != whole
    row = lines.drag("prune.scope", -0.05, 0.2)
    numbers = [one["number"] for one in lines.data["trials"]]
    both = [
        number
        for number in numbers
        if lines.at(number, "train.lr")[0] >= 0.42
        and -0.05 <= lines.at(number, "prune.scope")[0] <= 0.2
    ]
    assert len(both) < by_rate
    expect(kept).to_have_text(f"{len(both)} of 11 trials")
    page.mouse.click(*lines.pixel(0.85, row))  # Where no mark is.
    expect(kept).to_have_text(f"{by_rate} of 11 trials")
    page.get_by_role("button", name="Show all trials").click()
    expect(kept).to_have_text("11 of 11 trials")


def test_what_is_missing_can_be_chosen(shown, folder):
    page = shown(folder)
    lines = Lines(page, folder)
    page.locator("#explore-density").fill("4")
    lines.level = 4  # Which the search's trials did not reach.
    lines.drag("Test accuracy", -0.14, -0.05)
    expect(page.locator("#explore-kept")).to_have_text("8 of 11 trials")


def test_a_mark_tells_its_trial_and_opens_its_row(shown, folder):
    page = shown(folder)
    lines = Lines(page, folder)
    page.locator("#explore-density").fill("2")
    lines.level = 2
    page.locator("#trials-filter").fill("anchor")
    row = page.locator("#trial-10")
    expect(row).to_be_hidden()
    page.locator("#explore-lines").scroll_into_view_if_needed()
    x, y = lines.pixel(*lines.at(10, "Test accuracy"))
    page.mouse.move(x - 30, y - 30)
    page.mouse.move(x, y, steps=3)
    tip = page.locator(".bk-Tooltip")
    for text in ("trial 10, search", MARKER, "test accuracy 93.00 % at 64.0 %, n = 1"):
        expect(tip.get_by_text(text).first).to_be_visible()
    page.mouse.click(x, y)
    expect(row).to_be_visible()
    expect(row).to_be_in_viewport()
    assert page.evaluate("location.hash") == "#trial-10"


def test_the_slider_goes_through_the_densities(shown, tmp_path):
    study = design_study(tmp_path, points=16)
    report.write(study.folder)
    page = shown(study.folder)
    said, lower = page.locator("#explore-said"), page.locator("#explore-shares")
    page.locator("#explore-density").fill("0")
    expect(page.locator("#explore-at")).to_have_text("100.0 %")
    expect(said).to_contain_text("Estimated at 100.0 % of the weights: n = 20 trajectories")
    lower.scroll_into_view_if_needed()
    first = lower.screenshot()
    assert colours(first) > INKS
    box = lower.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 42, steps=3)
    tip = page.locator(".bk-Tooltip")
    expect(tip.get_by_text("train.lr").first).to_be_visible()
    expect(tip.get_by_text("ST ").first).to_be_visible()
    page.mouse.move(0, 0)
    page.locator("#explore-density").fill("2")
    expect(said).to_contain_text("Estimated at 64.0 % of the weights")
    page.locator("#explore-lines").scroll_into_view_if_needed()
    assert colours(page.locator("#explore-lines").screenshot()) > INKS


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (anchor_rows(replicates=1), 1),
        (ended_rows(), 3),
        ([row | {"diverged": True} for row in anchor_rows(branches=["trunk"])], 3),
        ([network("anchor", 0, 0, "trunk", 0, 0.9, test_accuracy=None)], 1),
    ],
    ids=["one-trial", "ended", "diverged", "unknown"],
)
def test_little_is_drawn_as_well(shown, tmp_path, rows, count):
    trials = [trial(number) for number in range(count)]
    report.write(write_study(tmp_path, rows, trials))
    page = shown(tmp_path)
    expect(page.locator("#explore-kept")).to_have_text(f"{count} of {count} trials")
    picture = Image.open(io.BytesIO(page.locator("#explore-lines").screenshot())).convert("L")
    assert (np.asarray(picture) < 120).sum() > INKS


def test_words_of_a_study_make_no_elements(shown, folder):
    page = shown(folder)
    assert page.locator("#marker").count() == 0
    expect(page.locator("h1")).to_have_text(MARKER)


def test_without_a_script_and_on_paper_the_rest_stands(shown, folder):
    page = shown(folder, java_script_enabled=False)
    expect(page.locator("#explore")).to_be_hidden()
    expect(page.locator("#explore-still")).to_be_visible()
    expect(page.locator("figure svg").first).to_be_visible()
    page = shown(folder)
    expect(page.locator("#explore-still")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator("#explore")).to_be_hidden()
    expect(page.locator("#explore-still")).to_be_visible()
    expect(page.locator("figure svg").first).to_be_visible()


def test_a_phone_scrolls_down_only_over_the_plots_too(shown, folder):
    page = shown(folder)
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("() => document.querySelector('#explore-lines > *').clientWidth < 400")
    assert page.evaluate("document.documentElement.scrollWidth") == 400


@pytest.mark.parametrize("width", [420, 900])
def test_a_long_word_at_the_end_of_an_axis_is_not_cut(shown, tmp_path, width):
    trials = [one | {"hparams": dict(one["hparams"])} for one in TRIALS]
    for place, one in enumerate(trials):
        one["hparams"]["prune.criterion"] = ("magnitude", "magnitude_increase")[place % 2]
    report.write(write_study(tmp_path, [*anchor_rows(), *SEARCHED], trials))
    page = shown(tmp_path)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        f"() => document.querySelector('#explore-lines > *').clientWidth < {width}"
    )
    page.wait_for_function("() => Bokeh.documents.every((one) => one.is_idle)")
    picture = page.locator("#explore-lines").screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    inside = pixels[8:-8, -14:-8]  # Within frame and border.
    assert (inside < 120).sum() == 0
